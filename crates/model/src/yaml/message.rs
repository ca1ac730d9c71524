//! What went wrong in the YAML, in words that say what to look for.

/// A part of the parser's message, our message, and what to do.
const MESSAGES: &[(&str, &str, &str)] = &[
    (
        "tab",
        "a tab where spaces are expected",
        "YAML is indented with spaces only",
    ),
    (
        "found unknown anchor",
        "an alias to an anchor that is not defined above",
        "write `&name` at the value to be repeated, before `*name`",
    ),
    (
        "quoted scalar, found unexpected end of stream",
        "a quote is never closed",
        "add the closing quote",
    ),
    (
        "quoted scalar, found unexpected document indicator",
        "a quote is never closed",
        "add the closing quote",
    ),
    (
        "trailing content after double-quoted",
        "text behind a closing quote",
        "put the whole value in quotes, or escape the inner quote",
    ),
    (
        "unknown escape",
        "an unknown escape in a double-quoted text",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    (
        "hexadecimal number",
        "an incomplete `\\x`, `\\u` or `\\U` escape",
        "give 2, 4 or 8 hex digits",
    ),
    (
        "Unicode character escape",
        "an escape that is no character",
        "give the number of a Unicode character",
    ),
    (
        "flow sequence, expected",
        "a list in brackets is not closed here",
        "a comma or `]` is missing",
    ),
    (
        "flow mapping, did not find",
        "a mapping in braces is not closed here",
        "a comma or `}` is missing",
    ),
    (
        "misplaced bracket",
        "a closing bracket without an opening one",
        "remove it, or add the opening one",
    ),
    (
        "simple key expect",
        "this line is neither a key nor a value",
        "write `key: value`; the colon is followed by a space",
    ),
    (
        "simple key expected",
        "this line is neither a key nor a value",
        "write `key: value`; the colon is followed by a space",
    ),
    (
        "block mapping, did not find expected key",
        "this does not line up with the keys above",
        "keys of one mapping begin in the same column",
    ),
    (
        "block collection, did not find expected '-'",
        "this does not line up with the list above",
        "the hyphens of one list stand in the same column",
    ),
    (
        "mapping values are not allowed",
        "a colon that cannot stand here",
        "put the text in quotes if the colon is part of it; otherwise check the indentation of this line and the one above",
    ),
    (
        "illegal placement of ':'",
        "a colon that cannot stand here",
        "put the text in quotes if the colon is part of it",
    ),
    (
        "mapping keys are not allowed",
        "a key that cannot stand here",
        "check the indentation of this line and the one above",
    ),
    (
        "block sequence entries are not allowed",
        "a list that cannot begin here",
        "begin the list on a line of its own",
    ),
    (
        "only valid inside a block",
        "a list that cannot begin here",
        "inside brackets, entries are separated by commas",
    ),
    (
        "unexpected character",
        "a value cannot begin with this character",
        "put the text in quotes",
    ),
    (
        "byte order mark",
        "a byte order mark in the middle of the text",
        "remove it",
    ),
    (
        "unprintable",
        "a character that YAML does not allow",
        "remove it, or write it as an escape in double quotes",
    ),
    (
        "invalid indentation",
        "the indentation does not fit",
        "line it up with its neighbours, with spaces",
    ),
    (
        "wrongly indented line in block",
        "a line of a text block stands too far left",
        "indent the whole block more than its key",
    ),
    (
        "indentation",
        "the indentation does not fit",
        "line it up with its neighbours, with spaces",
    ),
    (
        "block scalar",
        "`|` or `>` is followed by something unexpected",
        "begin the text on the next line, indented",
    ),
    (
        "comment intercepting",
        "a comment inside a text of several lines",
        "put the text in quotes, or use a `|` block",
    ),
    (
        "duplicated anchor",
        "an anchor is defined twice",
        "give each anchor a name of its own",
    ),
    (
        "anchor or alias",
        "`&` and `*` begin an anchor or an alias, but no name follows",
        "put the text in quotes",
    ),
    (
        "directive",
        "a line that begins with `%` is a YAML directive, and this one is malformed",
        "lab files need none",
    ),
    (
        "tag",
        "`!` begins a YAML tag, and this one is malformed",
        "put the text in quotes",
    ),
    (
        "handle wasn't declared",
        "`!` begins a YAML tag, and this one is not known",
        "put the text in quotes",
    ),
    (
        "document",
        "a document marker that cannot stand here",
        "a lab file is one document; remove `---` and `...`",
    ),
    (
        "node content",
        "a value is expected here",
        "write the value, or remove the key",
    ),
    (
        "unexpected eof",
        "the file ends too early",
        "a bracket, brace or quote is not closed",
    ),
    (
        "valid YAML whitespace",
        "a space is missing behind `-` or `:`",
        "put a space there, or put the text in quotes",
    ),
];

/// Our words for the parser's.
pub(super) fn explain(info: &str) -> (&'static str, &'static str) {
    MESSAGES
        .iter()
        .find(|(part, _, _)| info.contains(part))
        .map_or(
            (
                "this is not understood",
                "look at this line and the one above it: indentation, quotes, colons",
            ),
            |(_, message, help)| (message, help),
        )
}
