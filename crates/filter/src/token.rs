//! Cutting the text of an expression into tokens.

use std::net::Ipv6Addr;
use std::ops::Range;

use crate::error::FilterError;
use crate::word::{self, Word};

/// A mark that is no letter or digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Colon,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Ampersand,
    Bar,
    Caret,
    ShiftLeft,
    ShiftRight,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    NotEqual,
}

/// An IPv4 address, or its first two or three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ip4 {
    /// The numbers, the first of four at the top; those that were not written are zero.
    pub(crate) address: u32,
    /// Ones where numbers were written.
    pub(crate) written: u32,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Word(Word),
    Number(u32),
    Ip4(Ip4),
    Ip6(Ipv6Addr),
    Mac([u8; 6]),
    /// Anything else that is written with letters and digits, or behind a backslash.
    Name,
    Mark(Mark),
}

/// A token and its bytes in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) place: Range<usize>,
}

/// Marks, the longer before those they begin with.
const MARKS: &[(&str, Kind)] = &[
    ("&&", Kind::Word(Word::And)),
    ("||", Kind::Word(Word::Or)),
    ("<<", Kind::Mark(Mark::ShiftLeft)),
    (">>", Kind::Mark(Mark::ShiftRight)),
    ("<=", Kind::Mark(Mark::AtMost)),
    (">=", Kind::Mark(Mark::AtLeast)),
    ("!=", Kind::Mark(Mark::NotEqual)),
    ("==", Kind::Mark(Mark::Equal)),
    ("!", Kind::Word(Word::Not)),
    ("<", Kind::Mark(Mark::Less)),
    (">", Kind::Mark(Mark::Greater)),
    ("=", Kind::Mark(Mark::Equal)),
    ("(", Kind::Mark(Mark::Open)),
    (")", Kind::Mark(Mark::Close)),
    ("[", Kind::Mark(Mark::OpenBracket)),
    ("]", Kind::Mark(Mark::CloseBracket)),
    (":", Kind::Mark(Mark::Colon)),
    ("+", Kind::Mark(Mark::Plus)),
    ("-", Kind::Mark(Mark::Minus)),
    ("*", Kind::Mark(Mark::Star)),
    ("/", Kind::Mark(Mark::Slash)),
    ("%", Kind::Mark(Mark::Percent)),
    ("&", Kind::Mark(Mark::Ampersand)),
    ("|", Kind::Mark(Mark::Bar)),
    ("^", Kind::Mark(Mark::Caret)),
];

/// The tokens of a text.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with([' ', '\t', '\r', '\n']) {
            at += 1;
            continue;
        }
        let (kind, length) = token(text, at, rest)?;
        let place = at..at + length;
        at = place.end;
        found.push(Token { kind, place });
    }
    Ok(found)
}

fn token(text: &str, at: usize, rest: &str) -> Result<(Kind, usize), FilterError> {
    let address = run(rest, |byte| {
        byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
    });
    if address.bytes().filter(|byte| *byte == b':').count() > 1 {
        let kind = colon_address(address).ok_or_else(|| {
            FilterError::new(text, at..at + address.len(), "an IPv6 or Ethernet address")
        })?;
        return Ok((kind, address.len()));
    }
    if let Some(name) = rest.strip_prefix('\\') {
        let name = run(name, |byte| !b" !()\n\t".contains(&byte));
        if name.is_empty() {
            return Err(FilterError::new(text, at..at + 1, "a name after the `\\`"));
        }
        return Ok((Kind::Name, 1 + name.len()));
    }
    if rest.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        let letters = run(rest, |byte| {
            byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
        });
        let letters = letters.trim_end_matches(['-', '_']);
        let place = at..at + letters.len();
        return Ok((letters_kind(text, place, letters)?, letters.len()));
    }
    if let Some((mark, kind)) = MARKS.iter().find(|(mark, _)| rest.starts_with(mark)) {
        return Ok((*kind, mark.len()));
    }
    let length = rest.chars().next().map_or(0, char::len_utf8);
    let expected = "a word, a number, an address or an operator";
    Err(FilterError::new(text, at..at + length, expected))
}

/// What the text begins with, as long as its bytes are so.
fn run(text: &str, is_part: impl Fn(u8) -> bool) -> &str {
    let end = text.bytes().position(|byte| !is_part(byte));
    // A byte that is no part begins a character: parts are ASCII, or everything but some ASCII.
    &text[..end.unwrap_or(text.len())]
}

fn colon_address(text: &str) -> Option<Kind> {
    if let Ok(address) = text.parse() {
        return Some(Kind::Ip6(address));
    }
    mac_of(text.split(':')).map(Kind::Mac)
}

fn letters_kind(text: &str, place: Range<usize>, letters: &str) -> Result<Kind, FilterError> {
    if let Some(mac) = mac(letters) {
        return Ok(Kind::Mac(mac));
    }
    let bytes = letters.as_bytes();
    if bytes.iter().all(u8::is_ascii_digit) {
        let (digits, radix) = match letters.strip_prefix('0') {
            None | Some("") => (letters, 10),
            Some(digits) => (digits, 8),
        };
        return number(text, place, digits, radix);
    }
    let hexadecimal = letters
        .strip_prefix("0x")
        .or_else(|| letters.strip_prefix("0X"));
    if let Some(digits) = hexadecimal.filter(|digits| is_hexadecimal(digits)) {
        return number(text, place, digits, 16);
    }
    if bytes
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        return ip4(text, place, letters);
    }
    if let Some(number) = word::number(letters) {
        return Ok(Kind::Number(number));
    }
    Ok(word::word(letters).map_or(Kind::Name, Kind::Word))
}

fn is_hexadecimal(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn number(text: &str, place: Range<usize>, digits: &str, radix: u32) -> Result<Kind, FilterError> {
    u32::from_str_radix(digits, radix)
        .map(Kind::Number)
        .map_err(|_| {
            let expected = if radix == 8 && digits.contains(['8', '9']) {
                "a number whose digits are octal, as it begins with `0`"
            } else {
                "a number below 4294967296"
            };
            FilterError::new(text, place, expected)
        })
}

/// An IPv4 address of two to four decimal numbers. A name may begin with digits, but not like
/// this.
fn ip4(text: &str, place: Range<usize>, letters: &str) -> Result<Kind, FilterError> {
    let numbers: Option<Vec<u8>> = letters.split('.').map(|part| part.parse().ok()).collect();
    let numbers = numbers
        .filter(|numbers| (2..=4).contains(&numbers.len()))
        .ok_or_else(|| {
            let expected = "an IPv4 address, or its first two or three numbers, of 0 to 255 each";
            FilterError::new(text, place, expected)
        })?;
    let mut address = [0; 4];
    let mut written = [0; 4];
    for (index, number) in numbers.into_iter().enumerate() {
        address[index] = number;
        written[index] = 0xff;
    }
    Ok(Kind::Ip4(Ip4 {
        address: u32::from_be_bytes(address),
        written: u32::from_be_bytes(written),
    }))
}

/// An Ethernet address without colons: `0-1-2-a-b-c`, `0.1.2.a.b.c`, `0001.0203.0a0b`,
/// `000102030a0b`.
fn mac(letters: &str) -> Option<[u8; 6]> {
    if letters.contains('-') {
        return mac_of(letters.split('-'));
    }
    let groups: Vec<&str> = letters.split('.').collect();
    match *groups {
        [one] if one.len() == 12 => mac_of_digits(one),
        [_, _, _] if groups.iter().all(|group| group.len() == 4) => mac_of_digits(&groups.concat()),
        _ => mac_of(groups.into_iter()),
    }
}

fn mac_of<'a>(parts: impl Iterator<Item = &'a str>) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> = parts
        .map(|part| {
            let is_byte = part.len() <= 2 && is_hexadecimal(part);
            is_byte.then(|| u8::from_str_radix(part, 16).ok())?
        })
        .collect();
    bytes?.try_into().ok()
}

fn mac_of_digits(digits: &str) -> Option<[u8; 6]> {
    if !is_hexadecimal(digits) {
        return None;
    }
    let value = u64::from_str_radix(digits, 16).ok()?;
    value.to_be_bytes().last_chunk().copied()
}
