//! From bytes to text.

use super::TEXT_LIMIT;
use crate::code;
use crate::diagnostic::Diagnostic;
use crate::span::{SourceId, Sources, Span};

/// Takes the bytes of a file in as text, without the byte order mark that some editors write.
///
/// # Errors
///
/// When there are more than [`TEXT_LIMIT`] bytes, or they are not UTF-8, or a NUL is among them.
/// The offending byte is shown where it stands.
pub fn decode(
    sources: &mut Sources,
    path: &str,
    bytes: &[u8],
) -> Result<SourceId, Box<Diagnostic>> {
    if bytes.len() > TEXT_LIMIT {
        return Err(Box::new(too_large(path)));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bad = error.valid_up_to();
            let byte = bytes[bad];
            let message = format!("`{path}` is not UTF-8");
            return Err(Box::new(encoding(sources, path, bytes, bad, message).help(
                format!("byte 0x{byte:02x} is not part of any character; save the file as UTF-8"),
            )));
        }
    };
    match text.bytes().position(|byte| byte == 0) {
        None => Ok(sources.add(path, text)),
        Some(bad) => {
            let message = format!("`{path}` has a NUL byte in it");
            let mistake = encoding(sources, path, bytes, bad, message);
            Err(Box::new(mistake.help(
                "this is no text file; name a lab file, or remove the byte",
            )))
        }
    }
}

/// The error for a text that is larger than [`TEXT_LIMIT`]; whoever reads files can tell from
/// the size alone and need not read them.
pub fn too_large(path: &str) -> Diagnostic {
    let mib = TEXT_LIMIT / (1024 * 1024);
    Diagnostic::error(
        code::FILE_LIMIT,
        format!("`{path}` is larger than {mib} MiB"),
    )
    .help("a lab of 10,000 nodes takes about 2 MiB; keep long configurations in files of their own")
}

/// Keeps the text up to the end of the line with the bad byte, so that it can be shown.
fn encoding(
    sources: &mut Sources,
    path: &str,
    bytes: &[u8],
    bad: usize,
    message: String,
) -> Diagnostic {
    let line_end = bytes[bad..]
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |length| bad + length);
    // The first part is valid UTF-8, so its length does not change and the offset stays right.
    let text = String::from_utf8_lossy(&bytes[..line_end]).replace('\0', "\u{fffd}");
    let source = sources.add(path, text);
    let start = u32::try_from(bad).expect("texts are smaller than 4 GiB");
    let end = start + u32::try_from('\u{fffd}'.len_utf8()).expect("3");
    Diagnostic::error(code::ENCODING, message).at(Span { source, start, end }, "here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_utf8_is_taken_in() {
        let mut sources = Sources::default();
        let id = decode(&mut sources, "a", b"\xef\xbb\xbfname: \xc3\xb6").unwrap();
        assert_eq!(sources.source(id).text, "name: ö");
        for (bytes, column) in [(&b"n\xff: 1\n"[..], 2), (b"\n\xc3\xb6a: \0", 5)] {
            let error = decode(&mut sources, "b", bytes).unwrap_err();
            assert_eq!(error.code, code::ENCODING);
            let span = error.primary.unwrap().span;
            assert_eq!(sources.position(span).column, column);
        }
        let large = vec![b'a'; TEXT_LIMIT + 1];
        assert_eq!(
            decode(&mut sources, "c", &large).unwrap_err().code,
            code::FILE_LIMIT
        );
    }
}
