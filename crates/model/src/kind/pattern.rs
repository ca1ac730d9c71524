//! Names of interfaces, counted: `Ethernet{n}`, `GigabitEthernet{n+1}`, `Gi{n/4}/{n%4}`.

use std::fmt;

/// Highest interface number that a name is looked up for; no kind has more NICs.
const SEARCH_LIMIT: u32 = 1024;

/// A name with the interface's number (`n`, from 1) in it, possibly after one operation with a
/// constant: `{n}`, `{n+1}`, `{n-1}`, `{n*4}`, `{n/4}`, `{n%4}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacePattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Number(Operator, u32),
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
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A brace without its partner.
    #[error("a brace is not closed in `{0}`")]
    Brace(String),
    /// What stands between the braces is not understood.
    #[error("`{{{0}}}` is not `n` with one of + - * / % and a number")]
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
            parts.push(Self::number(inside)?);
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

    fn number(inside: &str) -> Result<Part, PatternError> {
        let bad = || PatternError::Expression(inside.to_owned());
        let operation = inside.strip_prefix('n').ok_or_else(bad)?;
        let Some(sign) = operation.chars().next() else {
            return Ok(Part::Number(Operator::Add, 0));
        };
        let (_, operator) = Operator::TABLE
            .into_iter()
            .find(|(known, _)| *known == sign)
            .ok_or_else(bad)?;
        let constant: u32 = operation[sign.len_utf8()..].parse().map_err(|_| bad())?;
        let divides = matches!(operator, Operator::Divide | Operator::Remainder);
        if divides && constant == 0 {
            return Err(bad());
        }
        Ok(Part::Number(operator, constant))
    }

    /// The name of interface `number` (from 1).
    pub fn name(&self, number: u32) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Number(operator, constant) => operator.apply(number, *constant).to_string(),
            })
            .collect()
    }

    /// The number behind a name, from 1; upper and lower case are the same.
    pub fn index(&self, name: &str) -> Option<u32> {
        // The text before the first number rules most names out before any is made.
        if let Some(Part::Text(text)) = self.parts.first() {
            let head = name.get(..text.len())?;
            if !head.eq_ignore_ascii_case(text) {
                return None;
            }
        }
        (1..=SEARCH_LIMIT).find(|number| self.name(*number).eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for InterfacePattern {
    /// Writes the pattern as it is read.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => write!(formatter, "{text}")?,
                Part::Number(Operator::Add, 0) => write!(formatter, "{{n}}")?,
                Part::Number(operator, constant) => {
                    let sign = Operator::TABLE
                        .iter()
                        .find(|(_, known)| known == operator)
                        .map_or('?', |(sign, _)| *sign);
                    write!(formatter, "{{n{sign}{constant}}}")?;
                }
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
    }

    #[test]
    fn a_name_leads_back_to_its_number() {
        for text in [
            "Ethernet{n}",
            "Gi{n+1}",
            "ge-0/0/{n-1}",
            "Gi{n/4}/{n%4}",
            "swp{n}",
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
        ] {
            assert!(InterfacePattern::parse(text).is_err(), "{text}");
        }
    }
}
