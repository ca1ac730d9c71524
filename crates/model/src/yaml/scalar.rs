//! What a plain scalar means: YAML 1.2's core schema, and YAML 1.1's where a format needs it.

use super::{Scalar, Style};

/// Which YAML a format was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// YAML 1.2, core schema: `true` and `false` only, `0o17` and `0x1f`, decimal `017`.
    Core,
    /// YAML 1.1: `yes`, `no`, `on`, `off`, `y`, `n` too, octal `017`, binary `0b11`, and `_`
    /// between digits.
    Yaml11,
}

/// Whether the scalar is nothing.
pub fn is_null(scalar: &Scalar) -> bool {
    scalar.style == Style::Plain && matches!(&*scalar.text, "" | "~" | "null" | "Null" | "NULL")
}

/// The boolean that a scalar means.
pub fn boolean(scalar: &Scalar, schema: Schema) -> Option<bool> {
    if scalar.style == Style::Quoted {
        return None;
    }
    match (&*scalar.text, schema) {
        ("true" | "True" | "TRUE", _) => Some(true),
        ("false" | "False" | "FALSE", _) => Some(false),
        (text, Schema::Yaml11) => match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "on" => Some(true),
            "no" | "n" | "off" => Some(false),
            _ => None,
        },
        (_, Schema::Core) => None,
    }
}

/// The whole number that a scalar means; `None` also for what does not fit.
pub fn integer(scalar: &Scalar, schema: Schema) -> Option<i64> {
    if scalar.style == Style::Quoted {
        return None;
    }
    integer_text(&scalar.text, schema)
}

fn integer_text(text: &str, schema: Schema) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let joined;
    let digits = match schema {
        Schema::Yaml11 if digits.contains('_') && !digits.starts_with('_') => {
            joined = digits.replace('_', "");
            joined.as_str()
        }
        _ => digits,
    };
    let (radix, digits) = match (schema, digits) {
        (_, digits) if digits.starts_with("0x") => (16, &digits[2..]),
        (Schema::Core, digits) if digits.starts_with("0o") => (8, &digits[2..]),
        (Schema::Yaml11, digits) if digits.starts_with("0b") => (2, &digits[2..]),
        (Schema::Yaml11, digits) if digits.len() > 1 && digits.starts_with('0') => {
            (8, &digits[1..])
        }
        (_, digits) => (10, digits),
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let value = i64::from_str_radix(digits, radix).ok().filter(|_| plain)?;
    Some(if negative { -value } else { value })
}

/// What a scalar is, in words for messages.
pub(super) fn describe(scalar: &Scalar) -> &'static str {
    match scalar.style {
        Style::Quoted => "a text",
        Style::Plain if boolean(scalar, Schema::Core).is_some() => "a boolean",
        Style::Plain if integer(scalar, Schema::Core).is_some() => "a number",
        Style::Plain => "a text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar {
            text: text.into(),
            style: Style::Plain,
            verbatim: None,
        }
    }

    #[test]
    fn yaml_1_1_has_more_booleans() {
        for (text, meaning) in [
            ("yes", true),
            ("No", false),
            ("ON", true),
            ("off", false),
            ("y", true),
            ("N", false),
        ] {
            assert_eq!(boolean(&plain(text), Schema::Yaml11), Some(meaning));
            assert_eq!(boolean(&plain(text), Schema::Core), None);
        }
        assert_eq!(boolean(&plain("True"), Schema::Core), Some(true));
        assert_eq!(boolean(&plain("tRUE"), Schema::Core), None);
    }

    #[test]
    fn integers_follow_their_schema() {
        let core = |text| integer(&plain(text), Schema::Core);
        let old = |text| integer(&plain(text), Schema::Yaml11);
        assert_eq!((core("017"), old("017")), (Some(17), Some(15)));
        assert_eq!((core("0o17"), old("0o17")), (Some(15), None));
        assert_eq!((core("1_000"), old("1_000")), (None, Some(1000)));
        assert_eq!((core("0x1F"), old("-0b11")), (Some(31), Some(-3)));
        for text in [
            "",
            "-",
            "+",
            "0x",
            "1.5",
            "--1",
            "+-1",
            "ä",
            "9999999999999999999",
        ] {
            assert_eq!((core(text), old(text)), (None, None), "{text}");
        }
    }
}
