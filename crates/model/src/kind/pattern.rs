//! Names of interfaces, counted: `Ethernet{n}`, `GigabitEthernet{n+1}`, `Gi{n/4}/{n%4}`,
//! `Ethernet{(n-1)*4}`.

use std::fmt;

/// Highest interface number that a name is looked up for; no kind has more NICs.
const SEARCH_LIMIT: u32 = 1024;

/// A range that holds no number: first, last and step.
const NO_NUMBERS: (u32, u32, u32) = (1, 0, 1);

/// A name with the interface's number (`n`, from 1) in it, possibly after one operation with a
/// constant: `{n}`, `{n+1}`, `{n-1}`, `{n*4}`, `{n/4}`, `{n%4}`. Where numbers are counted from
/// elsewhere first, that stands in parentheses: `{(n-1)*4}`, `{(n+3)/4}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Number(Number),
}

/// How a number in a name is made: first the shift, then the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    shift: Operation,
    operation: Operation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operation {
    operator: Operator,
    constant: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    const TABLE: [(char, Self); 5] = [
        ('+', Self::Add),
        ('-', Self::Subtract),
        ('*', Self::Multiply),
        ('/', Self::Divide),
        ('%', Self::Remainder),
    ];

    fn apply(self, number: u32, constant: u32) -> u32 {
        match self {
            Self::Add => number.saturating_add(constant),
            Self::Subtract => number.saturating_sub(constant),
            Self::Multiply => number.saturating_mul(constant),
            Self::Divide => number / constant,
            Self::Remainder => number % constant,
        }
    }

    /// The numbers up to `limit` from which this makes `value`: one where the constant is added
    /// or taken away, as many as the constant says where it divides.
    fn numbers_with(self, constant: u32, value: u32, limit: u32) -> impl Iterator<Item = u32> {
        let is_highest = value == u32::MAX;
        let (first, last, step) = match self {
            Self::Add if is_highest => (u32::MAX - constant, limit, 1),
            Self::Add => match value.checked_sub(constant) {
                Some(number) => (number, number, 1),
                None => NO_NUMBERS,
            },
            Self::Subtract if value == 0 => (0, constant, 1),
            Self::Subtract => match value.checked_add(constant) {
                Some(number) => (number, number, 1),
                None => NO_NUMBERS,
            },
            Self::Multiply if constant == 0 && value == 0 => (0, limit, 1),
            Self::Multiply if constant == 0 => NO_NUMBERS,
            Self::Multiply if is_highest => (value.div_ceil(constant), limit, 1),
            Self::Multiply => (value.div_ceil(constant), value / constant, 1),
            Self::Divide => {
                let first = value.saturating_mul(constant);
                (first, first.saturating_add(constant - 1), 1)
            }
            // The smallest number with this remainder is the remainder itself.
            Self::Remainder if value < constant => (value, limit, constant),
            Self::Remainder => NO_NUMBERS,
        };
        let step = usize::try_from(step).unwrap_or(usize::MAX);
        (first..=last.min(limit)).step_by(step)
    }
}

impl Operation {
    /// The one that changes nothing.
    const NONE: Self = Self {
        operator: Operator::Add,
        constant: 0,
    };

    /// Reads a sign and a constant.
    fn parse(text: &str) -> Option<Self> {
        let sign = text.chars().next()?;
        let (_, operator) = Operator::TABLE
            .into_iter()
            .find(|(known, _)| *known == sign)?;
        let constant: u32 = text[sign.len_utf8()..].parse().ok()?;
        let divides = matches!(operator, Operator::Divide | Operator::Remainder);
        (!divides || constant > 0).then_some(Self { operator, constant })
    }

    fn apply(self, number: u32) -> u32 {
        self.operator.apply(number, self.constant)
    }

    fn numbers_with(self, value: u32, limit: u32) -> impl Iterator<Item = u32> {
        self.operator.numbers_with(self.constant, value, limit)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return Ok(());
        }
        let sign = Operator::TABLE
            .iter()
            .find(|(_, known)| *known == self.operator)
            .map_or('?', |(sign, _)| *sign);
        write!(formatter, "{sign}{}", self.constant)
    }
}

impl Number {
    /// Reads what stands between braces.
    fn parse(text: &str) -> Option<Self> {
        let operation = |text: &str| match text {
            "" => Some(Operation::NONE),
            _ => Operation::parse(text),
        };
        if let Some(plain) = text.strip_prefix('n') {
            return Some(Self {
                shift: Operation::NONE,
                operation: operation(plain)?,
            });
        }
        let (shift, rest) = text.strip_prefix("(n")?.split_once(')')?;
        let shift = Operation::parse(shift)?;
        let shifts = matches!(shift.operator, Operator::Add | Operator::Subtract);
        (shifts && shift.constant <= SEARCH_LIMIT).then_some(Self {
            shift,
            operation: operation(rest)?,
        })
    }

    fn apply(self, number: u32) -> u32 {
        self.operation.apply(self.shift.apply(number))
    }

    /// The numbers of interfaces for which this is `value`.
    fn numbers_with(self, value: u32) -> impl Iterator<Item = u32> {
        let shifted = self.operation.numbers_with(value, 2 * SEARCH_LIMIT);
        shifted
            .flat_map(move |shifted| self.shift.numbers_with(shifted, SEARCH_LIMIT))
            .filter(|number| *number > 0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shift == Operation::NONE {
            write!(formatter, "n{}", self.operation)
        } else {
            write!(formatter, "(n{}){}", self.shift, self.operation)
        }
    }
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A brace without its partner.
    #[error("a brace is not closed in `{0}`")]
    Brace(String),
    /// What stands between the braces is not understood.
    #[error("`{{{0}}}` is neither `n` with one of + - * / % and a number, nor such as `(n-1)*4`")]
    Expression(String),
    /// No number at all: every interface would have the same name.
    #[error("`{0}` does not contain `{{n}}`")]
    Constant(String),
}

impl InterfacePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// When braces or what they hold are malformed, or when there are none.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, behind) = after
                .split_once('}')
                .ok_or_else(|| PatternError::Brace(text.to_owned()))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let number = Number::parse(inside);
            let number = number.ok_or_else(|| PatternError::Expression(inside.to_owned()))?;
            parts.push(Part::Number(number));
            rest = behind;
        }
        if parts.is_empty() {
            return Err(PatternError::Constant(text.to_owned()));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The name of interface `number` (from 1).
    pub fn name(&self, number: u32) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Number(rule) => rule.apply(number).to_string(),
            })
            .collect()
    }

    /// The number behind a name, from 1; upper and lower case are the same.
    pub fn index(&self, name: &str) -> Option<u32> {
        let (head, rule) = self.first_number()?;
        let (begin, rest) = name.split_at_checked(head.len())?;
        if !begin.eq_ignore_ascii_case(head) {
            return None;
        }
        // Further digits may belong to what follows, so each beginning of them is a candidate.
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let values = (1..=digits).map_while(|count| rest[..count].parse().ok());
        values
            .flat_map(|value| rule.numbers_with(value))
            .filter(|number| self.name(*number).eq_ignore_ascii_case(name))
            .min()
    }

    /// The text before the first number, and how that number is made. The texts of a pattern are
    /// never next to each other.
    fn first_number(&self) -> Option<(&str, Number)> {
        match self.parts[..] {
            [Part::Number(rule), ..] => Some(("", rule)),
            [Part::Text(ref head), Part::Number(rule), ..] => Some((head, rule)),
            _ => None,
        }
    }
}

impl fmt::Display for InterfacePattern {
    /// Writes the pattern as it is read.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => write!(formatter, "{text}")?,
                Part::Number(rule) => write!(formatter, "{{{rule}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> InterfacePattern {
        InterfacePattern::parse(text).unwrap()
    }

    #[test]
    fn names_are_counted_as_the_vendors_do() {
        assert_eq!(pattern("Ethernet{n}").name(1), "Ethernet1");
        assert_eq!(pattern("GigabitEthernet{n+1}").name(1), "GigabitEthernet2");
        assert_eq!(pattern("ge-0/0/{n-1}").name(1), "ge-0/0/0");
        assert_eq!(pattern("Gi{n/4}/{n%4}").name(5), "Gi1/1");
        assert_eq!(pattern("Ethernet{(n-1)*4}").name(3), "Ethernet8");
    }

    #[test]
    fn a_name_leads_back_to_its_number() {
        for text in [
            "Ethernet{n}",
            "Gi{n+1}",
            "ge-0/0/{n-1}",
            "Gi{n/4}/{n%4}",
            "swp{n}",
            "Ethernet{(n-1)*4}",
            "e{(n+3)/4}/{(n-1)%4}",
        ] {
            let pattern = pattern(text);
            assert_eq!(pattern.to_string(), text);
            for number in [1, 2, 9, 40] {
                assert_eq!(
                    pattern.index(&pattern.name(number)),
                    Some(number),
                    "{text} {number}"
                );
            }
        }
        assert_eq!(pattern("Gi{n+1}").index("gi2"), Some(1));
        assert_eq!(pattern("Gi{n+1}").index("Gi1"), None);
        assert_eq!(pattern("Gi{n+1}").index("Gi02"), None);
        assert_eq!(pattern("Gi{n+1}").index("ä"), None);
    }

    proptest::proptest! {
        /// Looking for the number of a name finds what trying all of them would find first.
        #[test]
        fn a_name_leads_back_to_the_first_number_that_makes_it(
            head in "[a-z]{0,2}[0-9]?",
            first in "n|n[+*-][0-9]{1,2}|n[/%][1-9][0-9]?|n[+-]429496729[0-5]|\\(n[+-][1-9]\\)([*][0-9]|[/%][1-9])?",
            between in "/?",
            second in "n|n[+*-][0-9]|n[/%][1-9]|\\(n[+-][1-9]\\)[*/%][1-9]",
            number in 1_u32..200,
        ) {
            let pattern = pattern(&format!("{head}{{{first}}}{between}{{{second}}}"));
            let name = pattern.name(number);
            let expected = (1..=SEARCH_LIMIT).find(|number| pattern.name(*number) == name);
            proptest::prop_assert_eq!(pattern.index(&name), expected);
        }
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for text in [
            "",
            "eth",
            "eth{n",
            "eth{m}",
            "eth{n^2}",
            "eth{n/0}",
            "eth{n+}",
            "eth{nä1}",
            "eth{(n-1}",
            "eth{(n*2)+1}",
            "eth{(n-1)(n-1)}",
            "eth{(n-2000)/4}",
        ] {
            assert!(InterfacePattern::parse(text).is_err(), "{text}");
        }
    }
}
