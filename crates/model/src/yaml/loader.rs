//! From the parser's events to a tree.
//!
//! Anchored values are kept and shared, not copied; what an alias would amount to if it were
//! written out is counted, so that a few lines of aliases to aliases ("billion laughs") end in
//! an error rather than in all of the memory.

use super::message::explain;
use super::place::Places;
use super::{
    DEPTH_LIMIT, Entry, FLOW_LIMIT, Node, Scalar, Style, TEXT_LIMIT, VALUE_LIMIT, Value, decode,
};
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::span::{SourceId, Span};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use std::collections::HashMap;
use std::rc::Rc;

/// Mappings up to this size look for duplicate keys one by one; larger ones make an index.
const SMALL_MAPPING: usize = 8;

/// Reads the one document of a text.
///
/// Nothing at all is read as null. Duplicate keys are reported and the first one kept, so that
/// reading can go on.
///
/// # Errors
///
/// In the second part, with what could be read in the first: at the first syntax error or
/// exceeded limit reading ends with nothing.
pub fn load(source: SourceId, path: &str, text: &str) -> (Option<Node>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    if text.len() > TEXT_LIMIT {
        diagnostics.push(decode::too_large(path));
        return (None, diagnostics);
    }
    if let Some(diagnostic) = flow_limit(source, text) {
        diagnostics.push(diagnostic);
        return (None, diagnostics);
    }
    let mut loader = Loader {
        source,
        text,
        places: Places::new(text),
        stack: Vec::new(),
        anchors: HashMap::new(),
        diagnostics,
    };
    let root = match loader.run() {
        Ok(root) => Some(root),
        Err(diagnostic) => {
            loader.diagnostics.push(*diagnostic);
            None
        }
    };
    (root, loader.diagnostics)
}

fn flow_limit(source: SourceId, text: &str) -> Option<Diagnostic> {
    let mut indicators = text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| matches!(byte, b'[' | b']' | b'{' | b'}' | b','));
    let (at, _) = indicators.nth(FLOW_LIMIT)?;
    let start = u32::try_from(at).expect("texts are smaller than 4 GiB");
    let span = Span {
        source,
        start,
        end: start + 1,
    };
    let message = format!("more than {FLOW_LIMIT} brackets, braces and commas");
    Some(Diagnostic::error(code::FILE_LIMIT, message).at(span, "the limit is reached here"))
}

/// A value with what it costs when it is repeated.
#[derive(Clone)]
struct Counted {
    node: Node,
    values: usize,
    height: usize,
}

/// A collection that is still open.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
    values: usize,
    height: usize,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        merges: Vec<Node>,
        key: Option<(Scalar, Span)>,
    },
}

/// The keys of one mapping: looked for one by one as long as they are few.
enum Keys {
    Few,
    Many(HashMap<Rc<str>, Span>),
}

impl Keys {
    fn with_capacity(capacity: usize) -> Self {
        match capacity <= SMALL_MAPPING {
            true => Self::Few,
            false => Self::Many(HashMap::with_capacity(capacity)),
        }
    }

    /// Where the key of `entry` stands already; if nowhere, it is known from now on, and the
    /// caller adds the entry to `entries`.
    fn insert(&mut self, entries: &[Entry], entry: &Entry) -> Option<Span> {
        if matches!(self, Self::Few) && entries.len() > SMALL_MAPPING {
            let known = entries
                .iter()
                .map(|one| (one.key.text.clone(), one.key_span));
            *self = Self::Many(known.collect());
        }
        match self {
            Self::Few => entries
                .iter()
                .find(|one| one.key.text == entry.key.text)
                .map(|one| one.key_span),
            Self::Many(known) => match known.get(&entry.key.text) {
                Some(first) => Some(*first),
                None => {
                    known.insert(entry.key.text.clone(), entry.key_span);
                    None
                }
            },
        }
    }
}

struct Loader<'a> {
    source: SourceId,
    text: &'a str,
    places: Places<'a>,
    stack: Vec<Open>,
    anchors: HashMap<usize, Counted>,
    diagnostics: Diagnostics,
}

type Step<T> = Result<T, Box<Diagnostic>>;

impl Loader<'_> {
    fn run(&mut self) -> Step<Node> {
        let mut parser = Parser::new_from_str(self.text);
        let mut root: Option<Node> = None;
        while let Some(event) = parser.next_event() {
            let (event, place) = event.map_err(|error| Box::new(self.syntax(&error)))?;
            let start = self.places.offset(&place.start);
            let done = match event {
                Event::DocumentStart(_) if root.is_some() => {
                    let span = self.span(start, start + 3);
                    return Err(Box::new(
                        Diagnostic::error(code::SYNTAX, "a second document in one file")
                            .at(span, "a new document begins here")
                            .help("a lab file is one document; remove the `---` or split the file"),
                    ));
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let end = match style {
                        // The parser's end lies behind the spaces and comment that follow.
                        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                            closing_quote(self.text, start)
                        }
                        ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => {
                            self.places.offset(&place.end)
                        }
                    };
                    let tag = self.tag(tag.as_deref(), start)?;
                    let counted = Counted {
                        node: self.scalar(&text, style, tag, start, end),
                        values: 1,
                        height: 0,
                    };
                    Some((counted, anchor))
                }
                Event::SequenceStart(anchor, tag) => {
                    self.tag(tag.as_deref(), start)?;
                    self.open(start, anchor, Content::Sequence(Vec::new()))?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    self.tag(tag.as_deref(), start)?;
                    let content = Content::Mapping {
                        entries: Vec::new(),
                        merges: Vec::new(),
                        key: None,
                    };
                    self.open(start, anchor, content)?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let end = self.places.offset(&place.end);
                    Some(self.close(end))
                }
                Event::Alias(anchor) => {
                    let end = self.places.offset(&place.end);
                    Some((self.alias(anchor, start, end)?, 0))
                }
                Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => None,
            };
            let Some((counted, anchor)) = done else {
                continue;
            };
            if anchor != 0 {
                self.anchors.insert(anchor, counted.clone());
            }
            match self.stack.is_empty() {
                true => root = Some(counted.node),
                false => self.place_in_parent(counted)?,
            }
        }
        Ok(root.unwrap_or_else(|| Node {
            span: Span::start_of(self.source),
            value: Value::Scalar(Scalar {
                text: "".into(),
                style: Style::Plain,
                verbatim: None,
            }),
        }))
    }

    fn open(&mut self, start: usize, anchor: usize, content: Content) -> Step<()> {
        if self.stack.len() >= DEPTH_LIMIT {
            return Err(self.too_deep(start, start + 1));
        }
        self.stack.push(Open {
            start,
            anchor,
            content,
            values: 1,
            height: 0,
        });
        Ok(())
    }

    fn close(&mut self, end: usize) -> (Counted, usize) {
        let open = self.stack.pop().expect("the parser's events are balanced");
        let value = match open.content {
            Content::Sequence(nodes) => Value::Sequence(nodes.into()),
            Content::Mapping {
                entries, merges, ..
            } => Value::Mapping(self.finish_mapping(entries, merges).into()),
        };
        let counted = Counted {
            node: Node {
                span: self.span(open.start, end),
                value,
            },
            values: open.values,
            height: open.height,
        };
        (counted, open.anchor)
    }

    fn alias(&mut self, anchor: usize, start: usize, end: usize) -> Step<Counted> {
        let span = self.span(start, end);
        let Some(target) = self.anchors.get(&anchor) else {
            return Err(Box::new(
                Diagnostic::error(code::SYNTAX, "a value contains itself")
                    .at(span, "this alias lies inside of what it repeats")
                    .help("name another value, or write it out"),
            ));
        };
        if self.stack.len() + target.height > DEPTH_LIMIT {
            return Err(self.too_deep(start, end));
        }
        Ok(target.clone())
    }

    fn place_in_parent(&mut self, counted: Counted) -> Step<()> {
        let Counted {
            node,
            values,
            height,
        } = counted;
        let span = node.span;
        let mut error = None;
        // The values of all that is open are counted in the outermost as it closes; what lies
        // on the stack is therefore added up here.
        let open = self.stack.last_mut().expect("the caller looked");
        open.values = open.values.saturating_add(values);
        open.height = open.height.max(height + 1);
        match &mut open.content {
            Content::Sequence(nodes) => nodes.push(node),
            Content::Mapping {
                entries,
                merges,
                key,
            } => match (key.take(), node.value) {
                (None, Value::Scalar(scalar)) => *key = Some((scalar, span)),
                (None, _) => {
                    error = Some(
                        Diagnostic::error(code::WRONG_TYPE, "a key is not a plain text")
                            .at(span, "a list or mapping cannot be a key")
                            .help("put the key in quotes if the brackets belong to it"),
                    );
                }
                (Some((scalar, key_span)), value) => {
                    let value = Node { span, value };
                    if scalar.style == Style::Plain && &*scalar.text == "<<" {
                        merges.push(value);
                    } else {
                        entries.push(Entry {
                            key: scalar,
                            key_span,
                            value,
                        });
                    }
                }
            },
        }
        if let Some(error) = error {
            return Err(Box::new(error));
        }
        let total = self
            .stack
            .iter()
            .fold(0_usize, |sum, open| sum.saturating_add(open.values));
        if total > VALUE_LIMIT {
            return Err(self.too_many(span));
        }
        Ok(())
    }

    /// Reports duplicate keys, then adds what merge keys (`<<`) bring; a mapping's own keys come
    /// first, then those of the earlier merge. What is merged was counted as the alias was met.
    fn finish_mapping(&mut self, entries: Vec<Entry>, merges: Vec<Node>) -> Vec<Entry> {
        let mut keys = Keys::with_capacity(entries.len());
        let mut unique: Vec<Entry> = Vec::with_capacity(entries.len());
        for entry in entries {
            match keys.insert(&unique, &entry) {
                Some(first) => self.duplicate(first, &entry),
                None => unique.push(entry),
            }
        }
        for node in merges {
            let parts: &[Node] = match &node.value {
                Value::Sequence(nodes) => nodes,
                Value::Mapping(_) | Value::Scalar(_) => std::slice::from_ref(&node),
            };
            for part in parts {
                let Value::Mapping(more) = &part.value else {
                    self.diagnostics.push(
                        Diagnostic::error(code::WRONG_TYPE, "`<<` merges mappings only")
                            .at(part.span, format!("this is {}", part.describe()))
                            .help("write `<<: *name`, where `&name` marks a mapping"),
                    );
                    continue;
                };
                for entry in more.iter() {
                    if keys.insert(&unique, entry).is_none() {
                        unique.push(entry.clone());
                    }
                }
            }
        }
        unique
    }

    fn duplicate(&mut self, first: Span, second: &Entry) {
        let key = &second.key.text;
        self.diagnostics.push(
            Diagnostic::error(code::DUPLICATE_KEY, format!("`{key}` is given twice"))
                .at(second.key_span, "given again here")
                .and_at(first, "first given here")
                .help("remove one of the two"),
        );
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<Style>,
        start: usize,
        end: usize,
    ) -> Node {
        let raw = self.text.get(start..end).unwrap_or("");
        let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
        let offset = start + usize::from(quoted);
        let inside = self.text.get(offset..offset + text.len());
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let verbatim = !block && !text.is_empty() && inside == Some(text) && !raw.contains('\n');
        let own = match style {
            ScalarStyle::Plain => Style::Plain,
            _ => Style::Quoted,
        };
        Node {
            span: self.span(start, end),
            value: Value::Scalar(Scalar {
                text: text.into(),
                style: tag.unwrap_or(own),
                verbatim: verbatim.then(|| offset_u32(offset)),
            }),
        }
    }

    /// What a tag says about the style of a scalar. Only the core schema's tags are known, and
    /// of these only `!!str` makes a difference here.
    fn tag(&self, tag: Option<&Tag>, start: usize) -> Step<Option<Style>> {
        let Some(tag) = tag else {
            return Ok(None);
        };
        if tag.is_yaml_core_schema() {
            match tag.suffix.as_str() {
                "str" => return Ok(Some(Style::Quoted)),
                "int" | "bool" | "null" | "float" | "map" | "seq" => return Ok(None),
                _ => {}
            }
        }
        Err(Box::new(
            Diagnostic::error(
                code::WRONG_TYPE,
                format!("the YAML tag `{tag}` is not known here"),
            )
            .at(self.span(start, start + 1), "tagged value")
            .help("lab files need no tags; put the text in quotes if the `!` belongs to it"),
        ))
    }

    /// The span from `start` to `end`, cut at the end of its first line.
    fn span(&self, start: usize, end: usize) -> Span {
        let end = end.min(self.text.len());
        let text = self.text.get(start..end).unwrap_or("");
        let line = text.split(['\n', '\r']).next().unwrap_or("").trim_end();
        Span {
            source: self.source,
            start: offset_u32(start.min(self.text.len())),
            end: offset_u32((start + line.len()).min(self.text.len())),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Diagnostic {
        // The parser has a limit of its own where it must look far ahead.
        if error.info().contains("recursion limit") {
            let at = self.places.offset(error.marker());
            return *self.too_deep(at, at + 1);
        }
        let (message, help) = explain(error.info());
        let mark: &Marker = error.marker();
        let at = self.places.offset(mark);
        let length = self.text[at..].chars().next().map_or(0, char::len_utf8);
        let diagnostic = Diagnostic::error(code::SYNTAX, message)
            .at(self.span(at, at + length), "here")
            .help(help);
        let opened = self.stack.last().map(|open| open.start);
        match opened.filter(|start| matches!(self.text.as_bytes().get(*start), Some(b'[' | b'{'))) {
            Some(start) => diagnostic.and_at(self.span(start, start + 1), "opened here"),
            None => diagnostic,
        }
    }

    fn too_deep(&self, start: usize, end: usize) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::error(
                code::FILE_LIMIT,
                format!("more than {DEPTH_LIMIT} levels of nesting"),
            )
            .at(self.span(start, end), "too deep here")
            .help("a lab needs no more than seven levels"),
        )
    }

    fn too_many(&self, span: Span) -> Box<Diagnostic> {
        Box::new(
            Diagnostic::error(
                code::FILE_LIMIT,
                format!("more than {VALUE_LIMIT} values, aliases written out"),
            )
            .at(span, "the limit is reached here")
            .help("split the lab, or repeat less by aliases"),
        )
    }
}

/// The offset behind the quote that closes the one at `start`.
fn closing_quote(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes.get(start).copied();
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match *byte {
            b'\\' if quote == Some(b'"') => at += 2,
            byte if Some(byte) == quote => {
                // Two single quotes are one, and do not close.
                if byte == b'\'' && bytes.get(at + 1) == Some(&b'\'') {
                    at += 2;
                } else {
                    return at + 1;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

fn offset_u32(offset: usize) -> u32 {
    u32::try_from(offset).expect("texts are smaller than TEXT_LIMIT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Sources;

    fn read(text: &str) -> (Option<Node>, Vec<&'static str>) {
        let source = Sources::default().add("t", text);
        let (node, found) = load(source, "t", text);
        (node, found.iter().map(|one| one.code.id).collect())
    }

    /// All scalars with the text that their spans cover, keys first.
    fn covered(text: &str) -> Vec<(String, String)> {
        fn walk(node: &Node, text: &str, all: &mut Vec<(String, String)>) {
            let cover = |span: Span| text[span.start as usize..span.end as usize].to_owned();
            match &node.value {
                Value::Scalar(scalar) => all.push((scalar.text.to_string(), cover(node.span))),
                Value::Sequence(nodes) => nodes.iter().for_each(|node| walk(node, text, all)),
                Value::Mapping(entries) => {
                    for entry in entries.iter() {
                        all.push((entry.key.text.to_string(), cover(entry.key_span)));
                        walk(&entry.value, text, all);
                    }
                }
            }
        }
        let mut all = Vec::new();
        walk(&read(text).0.unwrap(), text, &mut all);
        all
    }

    #[test]
    fn spans_cover_what_was_written_whatever_the_letters() {
        let text = "# köm: ä\nä: ö # ü\n'b': \"ß\" # 漢字\nlist: [x, '漢', {k: v}]\r\n\tz: 1\n"
            .replace("\tz", "z");
        let pair = |value: &str, cover: &str| (value.to_owned(), cover.to_owned());
        assert_eq!(
            covered(&text),
            [
                pair("ä", "ä"),
                pair("ö", "ö"),
                pair("b", "'b'"),
                pair("ß", "\"ß\""),
                pair("list", "list"),
                pair("x", "x"),
                pair("漢", "'漢'"),
                pair("k", "k"),
                pair("v", "v"),
                pair("z", "z"),
                pair("1", "1"),
            ]
        );
    }

    #[test]
    fn spans_of_what_takes_several_lines_cover_the_first() {
        let all = covered("a: |\n  one\n  two\nb: \"x\n  y\"\n");
        assert_eq!(all[1], ("one\ntwo\n".to_owned(), "one".to_owned()));
        assert_eq!(all[3], ("x y".to_owned(), "\"x".to_owned()));
    }

    #[test]
    fn a_part_of_a_text_has_its_own_span() {
        let text = "- r1:eth1\n- \"r2:eth2\"\n- 'it''s'\n";
        let (node, _) = read(text);
        let Some(Node {
            value: Value::Sequence(nodes),
            ..
        }) = node
        else {
            panic!("a list");
        };
        let cover = |node: &Node, start, end| {
            let span = node.part(start, end);
            &text[span.start as usize..span.end as usize]
        };
        assert_eq!(cover(&nodes[0], 3, 7), "eth1");
        assert_eq!(cover(&nodes[1], 0, 2), "r2");
        assert_eq!(cover(&nodes[2], 0, 2), "'it''s'");
    }

    #[test]
    fn aliases_and_merge_keys_are_expanded() {
        let (node, codes) =
            read("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: *a\nd: {<<: [{x: 9}, *a]}\n");
        assert_eq!(codes, [""; 0]);
        let text = format!("{:?}", covered_of(&node.unwrap()));
        assert_eq!(
            text,
            r#"["a", "x", "1", "y", "2", "b", "x", "3", "y", "2", "c", "x", "1", "y", "2", "d", "x", "9", "y", "2"]"#
        );
    }

    fn covered_of(node: &Node) -> Vec<String> {
        match &node.value {
            Value::Scalar(scalar) => vec![scalar.text.to_string()],
            Value::Sequence(nodes) => nodes.iter().flat_map(covered_of).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .flat_map(|entry| {
                    std::iter::once(entry.key.text.to_string()).chain(covered_of(&entry.value))
                })
                .collect(),
        }
    }

    #[test]
    fn what_would_exhaust_the_machine_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..40 {
            let repeat = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{repeat}]\n");
        }
        assert_eq!(read(&bomb).1, ["L0106"]);
        assert_eq!(read(&"[".repeat(100_000)).1, ["L0106"]);
        assert_eq!(read(&"- ".repeat(100_000)).1, ["L0106"]);
        assert_eq!(read(&"{a: ".repeat(1000)).1, ["L0106"]);
        assert_eq!(
            read(&format!("[[{}]]", "a,".repeat(FLOW_LIMIT))).1,
            ["L0106"]
        );
        assert_eq!(read(&"- a\n".repeat(VALUE_LIMIT + 1)).1, ["L0106"]);
        assert_eq!(read(&" ".repeat(TEXT_LIMIT + 1)).1, ["L0106"]);
        let chain: String = (1..200)
            .map(|level| format!("- &b{level} [*b{}]\n", level - 1))
            .collect();
        assert_eq!(read(&format!("- &b0 x\n{chain}")).1, ["L0106"]);
    }

    #[test]
    fn mistakes_have_their_codes() {
        for (text, expected) in [
            ("a: [1, 2\nb: 3\n", "L0101"),
            ("a: \"x\n", "L0101"),
            ("a: 1\n\tb: 2\n", "L0101"),
            ("a: b: c\n", "L0101"),
            ("a: *x\n", "L0101"),
            ("a: &a [*a]\n", "L0101"),
            ("a: 1\n---\nb: 2\n", "L0101"),
            ("a: 1\n...\nb: 2\n", "L0101"),
            ("a: !x y\n", "L0103"),
            ("? [a]\n: b\n", "L0103"),
            ("<<: 5\n", "L0103"),
            ("a: 1\nb: 2\na: 3\n", "L0105"),
        ] {
            assert_eq!(read(text).1, [expected], "{text}");
        }
        for text in [
            "",
            "---\n",
            "# only words\n",
            "---\na: 1\n...\n",
            "a: !!str 5\n",
        ] {
            assert_eq!(read(text).1, [""; 0], "{text}");
        }
    }

    #[test]
    fn duplicates_are_found_in_mappings_of_any_size() {
        let many: String = (0..100).map(|at| format!("k{at}: 1\n")).collect();
        let (node, codes) = read(&format!("{many}k7: 2\nk99: 2\n"));
        assert_eq!(codes, ["L0105", "L0105"]);
        let Some(Node {
            value: Value::Mapping(entries),
            ..
        }) = node
        else {
            panic!("a mapping");
        };
        assert_eq!(entries.len(), 100);
    }
}
