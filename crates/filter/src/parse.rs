//! The grammar: how tokens become primitives, and how primitives are joined.
//!
//! `and` and `or` bind equally and to the left, `not` binds stronger. What stands before the last
//! address or number (`src host`, `tcp port`) is kept as its [`Qualifier`] for those that follow
//! without one: `tcp port 80 or 443`.

use std::ops::Range;

use crate::MAX_LENGTH;
use crate::arithmetic::is_arithmetic;
use crate::assembler::Fragment;
use crate::cursor::Parser;
use crate::endpoint::Direction;
use crate::error::FilterError;
use crate::program::{Program, Relation};
use crate::token::{Kind, Mark};
use crate::word::{Protocol, Word, nearest};

/// What an address or a number is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Host,
    Net,
    Port,
    PortRange,
    Proto,
}

/// The words before an address or a number.
#[derive(Debug, Clone)]
pub(crate) struct Qualifier {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) direction: Direction,
    pub(crate) subject: Subject,
    /// Where they stand.
    pub(crate) place: Range<usize>,
}

/// A part of an expression, and what it leaves to those that follow without a qualifier.
struct Part {
    fragment: Fragment,
    qualifier: Option<Qualifier>,
}

/// Whether an address or a number may stand without words before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bare {
    Allowed,
    Refused,
}

/// How two parts are joined.
#[derive(Debug, Clone, Copy)]
enum Junction {
    And,
    Or,
}

/// The program of an expression.
pub(crate) fn program(text: &str) -> Result<Program, FilterError> {
    if text.len() > MAX_LENGTH {
        let place = text.len()..text.len();
        let expected = format!("an expression of at most {MAX_LENGTH} bytes");
        let found = format!("{} bytes", text.len());
        return Err(FilterError::new(text, place, expected).found(found));
    }
    let mut parser = Parser::new(text)?;
    if parser.kind().is_none() {
        return Ok(Program {
            steps: Box::default(),
            ops: Box::default(),
        });
    }
    let whole = parser.expression(None)?;
    if parser.kind().is_some() {
        let suggestion = nearest(parser.token_text());
        return Err(parser
            .unexpected("`and`, `or` or the end")
            .suggest(suggestion));
    }
    Ok(parser.coder.asm.finish(&whole.fragment))
}

impl Parser<'_> {
    fn expression(&mut self, inherited: Option<Qualifier>) -> Result<Part, FilterError> {
        let mut whole = self.term(inherited, Bare::Refused)?;
        while let Some(junction) = self.junction() {
            let next = self.term(whole.qualifier, Bare::Allowed)?;
            whole = Part {
                fragment: self.join(junction, whole.fragment, next.fragment),
                qualifier: next.qualifier,
            };
        }
        Ok(whole)
    }

    /// A primitive, a group, or an address that takes its qualifier from before.
    fn term(&mut self, inherited: Option<Qualifier>, bare: Bare) -> Result<Part, FilterError> {
        let is_negated = self.nots();
        let mut part = if self.is_relation(self.position()) {
            self.count()?;
            Part {
                fragment: self.relation()?,
                qualifier: None,
            }
        } else if self.kind() == Some(Kind::Mark(Mark::Open)) {
            self.group(inherited, bare)?
        } else if self.is_operand(self.position()) {
            self.bare(inherited, bare)?
        } else {
            self.primitive()?
        };
        if is_negated {
            part.fragment = part.fragment.negated();
        }
        Ok(part)
    }

    fn group(&mut self, inherited: Option<Qualifier>, bare: Bare) -> Result<Part, FilterError> {
        if self.is_operand_group(self.position()) {
            return self.bare(inherited, bare);
        }
        self.advance();
        let before = inherited.clone();
        let inside = self.nested(|parser| parser.expression(inherited))?;
        self.expect(Mark::Close, "`and`, `or` or `)`")?;
        Ok(Part {
            fragment: inside.fragment,
            qualifier: before,
        })
    }

    fn bare(&mut self, inherited: Option<Qualifier>, bare: Bare) -> Result<Part, FilterError> {
        match inherited {
            Some(qualifier) if bare == Bare::Allowed => {
                let fragment = self.operands(&qualifier)?;
                Ok(Part {
                    fragment,
                    qualifier: Some(qualifier),
                })
            }
            _ => Err(self.no_primitive()),
        }
    }

    /// An address or a number, or several in parentheses: `(80 or 443)`.
    fn operands(&mut self, qualifier: &Qualifier) -> Result<Fragment, FilterError> {
        let is_negated = self.nots();
        let fragment = if self.kind() == Some(Kind::Mark(Mark::Open)) {
            self.advance();
            let inside = self.nested(|parser| {
                let mut whole = parser.operands(qualifier)?;
                while let Some(junction) = parser.junction() {
                    let next = parser.operands(qualifier)?;
                    whole = parser.join(junction, whole, next);
                }
                Ok(whole)
            })?;
            self.expect(Mark::Close, "`and`, `or` or `)`")?;
            inside
        } else {
            self.count()?;
            self.operand_of(qualifier)?
        };
        Ok(if is_negated {
            fragment.negated()
        } else {
            fragment
        })
    }

    /// What begins with a word.
    fn primitive(&mut self) -> Result<Part, FilterError> {
        self.count()?;
        let place = self.place();
        let Some(Kind::Word(word)) = self.kind() else {
            return Err(self.no_primitive());
        };
        let fragment = match word {
            Word::Less => {
                self.advance();
                let length = self.number("a length in bytes")?;
                self.coder.length(Relation::Greater, length).negated()
            }
            Word::Greater => {
                self.advance();
                let length = self.number("a length in bytes")?;
                self.coder.length(Relation::AtLeast, length)
            }
            Word::Vlan => {
                self.advance();
                let id = self.argument(4095, "a VLAN")?;
                self.refusable(place, |coder| coder.layers.vlan(&mut coder.asm, id))?
            }
            Word::Mpls => {
                self.advance();
                let label = self.argument(0xf_ffff, "a label")?;
                self.coder.layers.mpls(&mut self.coder.asm, label)
            }
            Word::Pppoes => {
                self.advance();
                let session = self.argument(0xffff, "a session")?;
                self.refusable(place, |coder| coder.layers.pppoes(&mut coder.asm, session))?
            }
            Word::Pppoed => {
                self.advance();
                let kind = crate::layers::ethertype::PPPOE_DISCOVERY;
                self.refusable(place, |coder| coder.layers.carries(&mut coder.asm, kind))?
            }
            Word::Llc => {
                self.advance();
                self.refusable(place, |coder| coder.layers.llc(&mut coder.asm))?
            }
            Word::Foreign => {
                let expected = "a word that a frame alone can answer";
                return Err(self.unexpected(expected));
            }
            _ => return self.qualified(),
        };
        Ok(Part {
            fragment,
            qualifier: None,
        })
    }

    /// What begins with a protocol, a direction or a subject.
    fn qualified(&mut self) -> Result<Part, FilterError> {
        let start = self.place();
        let mut protocol = None;
        if let Some(Kind::Word(Word::Protocol(word))) = self.kind() {
            self.advance();
            protocol = Some(word);
        }
        let fragment = match (self.kind(), protocol) {
            (Some(Kind::Word(Word::Broadcast)), _) => {
                self.advance();
                self.refusable(start, |coder| coder.broadcast(protocol))?
            }
            (Some(Kind::Word(Word::Multicast)), _) => {
                self.advance();
                self.refusable(start, |coder| coder.multicast(protocol))?
            }
            (Some(Kind::Word(word)), _) if is_qualifier(word) => {
                let qualifier = self.qualifier(start, protocol)?;
                let fragment = self.operands(&qualifier)?;
                return Ok(Part {
                    fragment,
                    qualifier: Some(qualifier),
                });
            }
            (_, Some(word)) => self.refusable(start, |coder| coder.protocol(word))?,
            _ => return Err(self.no_primitive()),
        };
        Ok(Part {
            fragment,
            qualifier: None,
        })
    }

    fn qualifier(
        &mut self,
        start: Range<usize>,
        protocol: Option<Protocol>,
    ) -> Result<Qualifier, FilterError> {
        let mut qualifier = Qualifier {
            protocol,
            direction: Direction::Either,
            subject: Subject::Host,
            place: start,
        };
        if self.kind() == Some(Kind::Word(Word::Proto)) {
            self.advance();
            qualifier.subject = Subject::Proto;
        } else {
            if let Some(direction) = self.direction() {
                qualifier.direction = direction;
            }
            let subject = match self.kind() {
                Some(Kind::Word(Word::Host)) => Some(Subject::Host),
                Some(Kind::Word(Word::Net)) => Some(Subject::Net),
                Some(Kind::Word(Word::Port)) => Some(Subject::Port),
                Some(Kind::Word(Word::PortRange)) => Some(Subject::PortRange),
                _ => None,
            };
            if let Some(subject) = subject {
                self.advance();
                qualifier.subject = subject;
            }
        }
        qualifier.place.end = self.last_place().end;
        Ok(qualifier)
    }

    /// `src`, `dst`, `src or dst`, `src and dst`.
    fn direction(&mut self) -> Option<Direction> {
        let (one, other) = match self.kind() {
            Some(Kind::Word(Word::Source)) => (Direction::Source, Word::Destination),
            Some(Kind::Word(Word::Destination)) => (Direction::Destination, Word::Source),
            _ => return None,
        };
        self.advance();
        let joined = match self.kind() {
            Some(Kind::Word(Word::Or)) => Some(Direction::Either),
            Some(Kind::Word(Word::And)) => Some(Direction::Both),
            _ => None,
        };
        match joined {
            Some(both) if self.kind_at(self.position() + 1) == Some(Kind::Word(other)) => {
                self.advance();
                self.advance();
                Some(both)
            }
            _ => Some(one),
        }
    }

    /// Whether a comparison begins at this token.
    fn is_relation(&self, at: usize) -> bool {
        let is_operator =
            |at: usize| matches!(self.kind_at(at), Some(Kind::Mark(mark)) if is_arithmetic(mark));
        match self.kind_at(at) {
            Some(Kind::Mark(Mark::Minus) | Kind::Word(Word::Length)) => true,
            Some(Kind::Number(_)) => is_operator(at + 1),
            Some(Kind::Word(Word::Protocol(_))) => {
                self.kind_at(at + 1) == Some(Kind::Mark(Mark::OpenBracket))
            }
            Some(Kind::Mark(Mark::Open)) => self
                .close_of(at)
                .is_some_and(|close| is_operator(close + 1)),
            _ => false,
        }
    }

    fn is_operand(&self, at: usize) -> bool {
        matches!(
            self.kind_at(at),
            Some(Kind::Number(_) | Kind::Ip4(_) | Kind::Ip6(_) | Kind::Mac(_) | Kind::Name)
        )
    }

    /// Whether the parenthesis opens a group of addresses and not of primitives.
    fn is_operand_group(&self, open: usize) -> bool {
        let mut at = open;
        while matches!(
            self.kind_at(at),
            Some(Kind::Mark(Mark::Open) | Kind::Word(Word::Not))
        ) && !self.is_relation(at)
        {
            at += 1;
        }
        self.is_operand(at) && !self.is_relation(at)
    }

    /// Whether there is an odd number of `not`.
    fn nots(&mut self) -> bool {
        let mut is_negated = false;
        while self.kind() == Some(Kind::Word(Word::Not)) {
            self.advance();
            is_negated = !is_negated;
        }
        is_negated
    }

    fn junction(&mut self) -> Option<Junction> {
        let junction = match self.kind() {
            Some(Kind::Word(Word::And)) => Junction::And,
            Some(Kind::Word(Word::Or)) => Junction::Or,
            _ => return None,
        };
        self.advance();
        Some(junction)
    }

    fn join(&mut self, junction: Junction, first: Fragment, second: Fragment) -> Fragment {
        match junction {
            Junction::And => self.coder.asm.both(first, second),
            Junction::Or => self.coder.asm.either(first, second),
        }
    }

    fn no_primitive(&self) -> FilterError {
        let expected = match self.kind() {
            Some(Kind::Number(_) | Kind::Ip4(_) | Kind::Ip6(_) | Kind::Mac(_)) => {
                "`host`, `net`, `port` or `proto` before an address or a number"
            }
            _ => "a primitive such as `host 10.0.0.1`, `tcp port 179` or `arp`",
        };
        self.unexpected(expected).suggest(self.nearest_word())
    }

    /// What was probably meant by a name in a place where there are none.
    fn nearest_word(&self) -> Option<&'static str> {
        match self.kind() {
            Some(Kind::Name) => nearest(self.token_text()),
            _ => None,
        }
    }
}

fn is_qualifier(word: Word) -> bool {
    matches!(
        word,
        Word::Source
            | Word::Destination
            | Word::Host
            | Word::Net
            | Word::Port
            | Word::PortRange
            | Word::Proto
    )
}
