//! Mistakes in lab files: the line, carets under what is wrong, and what to do.
//!
//! Of a file only the lines around the labels are handed to the renderer, so that a mistake in a
//! large file costs no more than one in a small file.

#[cfg(test)]
mod cases;

use super::paint::Paint;
use super::{Screen, clean};
use annotate_snippets::level::Level;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Origin, Renderer, Snippet};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::Range;
use vnflab_model::diagnostic::{Diagnostic, Diagnostics, Label, Severity};
use vnflab_model::span::{SourceId, Sources};

/// Most mistakes that are shown as text; JSON has all. Who has more mends these first.
const SHOWN_LIMIT: usize = 200;

/// Labels of one mistake that are further apart than this many lines get excerpts of their own.
const GAP_LIMIT: usize = 40;

/// Longest line that is shown, in bytes; of longer ones only the place is told.
const LINE_LIMIT: usize = 2000;

/// Says all mistakes on stderr and counts them; warnings alone are left out where it shall be
/// quiet.
pub(crate) fn show(screen: &Screen, sources: &Sources, found: &Diagnostics) {
    let text = text(sources, found, screen.err);
    match (text.is_empty(), found.has_errors()) {
        (true, _) => {}
        (false, true) => super::stderr_line(text.trim_end()),
        (false, false) => screen.say(text.trim_end()),
    }
}

/// All mistakes as text, with the line that counts them; nothing if there are none.
pub(crate) fn text(sources: &Sources, found: &Diagnostics, paint: Paint) -> String {
    let renderer = match paint.is_colored() {
        true => Renderer::styled().hyperlink(false),
        false => Renderer::plain(),
    };
    let mut excerpts = Excerpts::new(sources);
    let mut text = String::new();
    for diagnostic in found.iter().take(SHOWN_LIMIT) {
        text.push_str(&one(&renderer, &mut excerpts, diagnostic));
        text.push_str("\n\n");
    }
    let total = found.count(Severity::Error) + found.count(Severity::Warning);
    if total > SHOWN_LIMIT {
        text.push_str(&format!("... and {} more\n\n", total - SHOWN_LIMIT));
    }
    if total > 0 {
        text.push_str(&summary(found));
        text.push('\n');
    }
    text
}

/// `2 errors, 1 warning`.
pub(crate) fn summary(found: &Diagnostics) -> String {
    let count = |severity, word: &str| {
        let number = found.count(severity);
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {word}{plural}")
    };
    let errors = count(Severity::Error, "error");
    let warnings = count(Severity::Warning, "warning");
    format!("{errors}, {warnings}")
}

fn one<'a>(renderer: &Renderer, excerpts: &mut Excerpts<'a>, diagnostic: &'a Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(clean(&diagnostic.message))
        .id(diagnostic.code.id);
    let mut group = Group::with_title(title);
    for element in excerpts.elements(diagnostic) {
        group = group.element(element);
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    renderer.render(&[group])
}

/// Cuts excerpts out of sources.
struct Excerpts<'a> {
    sources: &'a Sources,
    /// Where the lines of each source begin, for those that were needed.
    lines: BTreeMap<SourceId, Vec<usize>>,
}

impl<'a> Excerpts<'a> {
    fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            lines: BTreeMap::new(),
        }
    }

    /// The line (from 0) that an offset lies on, and the bytes of the line.
    fn line(&mut self, source: SourceId, offset: usize) -> (usize, Range<usize>) {
        let text = &self.sources.source(source).text;
        let starts = self.lines.entry(source).or_insert_with(|| {
            let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0)
                .chain(breaks.map(|(at, _)| at + 1))
                .collect()
        });
        let line = starts.partition_point(|start| *start <= offset) - 1;
        let end = starts.get(line + 1).map_or(text.len(), |next| next - 1);
        (line, starts[line]..end)
    }

    /// The excerpts of one mistake: the primary label's first.
    fn elements(&mut self, diagnostic: &'a Diagnostic) -> Vec<Element<'a>> {
        let primary = diagnostic
            .primary
            .iter()
            .map(|label| (AnnotationKind::Primary, label));
        let secondary = diagnostic
            .secondary
            .iter()
            .map(|label| (AnnotationKind::Context, label));
        let mut windows: Vec<Window<'a>> = Vec::new();
        for (kind, label) in primary.chain(secondary) {
            let (line, bytes) = self.line(label.span.source, label.span.start as usize);
            let near = windows.iter_mut().find(|window| {
                window.source == label.span.source
                    && line + GAP_LIMIT >= window.first
                    && line <= window.last + GAP_LIMIT
            });
            match near {
                Some(window) => window.add(line, bytes, kind, label),
                None => windows.push(Window {
                    source: label.span.source,
                    first: line,
                    last: line,
                    bytes,
                    labels: vec![(kind, label)],
                }),
            }
        }
        windows
            .iter()
            .map(|window| window.element(self.sources))
            .collect()
    }
}

/// Neighbouring lines of a source with the labels on them.
struct Window<'a> {
    source: SourceId,
    first: usize,
    last: usize,
    bytes: Range<usize>,
    labels: Vec<(AnnotationKind, &'a Label)>,
}

impl<'a> Window<'a> {
    fn add(&mut self, line: usize, bytes: Range<usize>, kind: AnnotationKind, label: &'a Label) {
        self.first = self.first.min(line);
        self.last = self.last.max(line);
        self.bytes = self.bytes.start.min(bytes.start)..self.bytes.end.max(bytes.end);
        self.labels.push((kind, label));
    }

    fn element(&self, sources: &'a Sources) -> Element<'a> {
        let source = sources.source(self.source);
        let text = source.text.get(self.bytes.clone()).unwrap_or("");
        if text.lines().any(|line| line.len() > LINE_LIMIT) {
            let position = sources.position(self.labels[0].1.span);
            return Origin::path(clean(&source.path))
                .line(position.line)
                .char_column(position.column)
                .into();
        }
        let annotations = self.labels.iter().map(|(kind, label)| {
            let place = |offset: u32| (offset as usize).clamp(self.bytes.start, self.bytes.end);
            let (start, end) = (place(label.span.start), place(label.span.end));
            let range = start - self.bytes.start..end - self.bytes.start;
            let annotation: Annotation<'_> = kind.span(range);
            match label.text.is_empty() {
                true => annotation,
                false => annotation.label(clean(&label.text)),
            }
        });
        Snippet::source(text)
            .path(clean(&source.path))
            .line_start(self.first + 1)
            .annotations(annotations)
            .into()
    }
}

/// A mistake for programs.
#[derive(Debug, Serialize)]
pub(crate) struct DiagnosticJson<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: Option<PlaceJson<'a>>,
    labels: Vec<LabelJson<'a>>,
    help: &'a [String],
}

/// Lines and columns count from 1, columns in characters; the end lies behind the last one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct PlaceJson<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Debug, Serialize)]
struct LabelJson<'a> {
    text: &'a str,
    #[serde(flatten)]
    place: PlaceJson<'a>,
}

/// All mistakes for programs; those without a place concern no line of a file.
pub(crate) fn to_json<'a>(sources: &'a Sources, found: &'a Diagnostics) -> Vec<DiagnosticJson<'a>> {
    let mut excerpts = Excerpts::new(sources);
    found
        .iter()
        .map(|diagnostic| {
            let labels = diagnostic.primary.iter().chain(&diagnostic.secondary);
            DiagnosticJson {
                code: diagnostic.code.id,
                severity: match diagnostic.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                message: &diagnostic.message,
                place: diagnostic
                    .primary
                    .as_ref()
                    .map(|label| place(&mut excerpts, label)),
                labels: labels
                    .map(|label| LabelJson {
                        text: &label.text,
                        place: place(&mut excerpts, label),
                    })
                    .collect(),
                help: &diagnostic.help,
            }
        })
        .collect()
}

fn place<'a>(excerpts: &mut Excerpts<'a>, label: &Label) -> PlaceJson<'a> {
    let span = label.span;
    let source = excerpts.sources.source(span.source);
    let mut position = |offset: u32| {
        let offset = offset as usize;
        let (line, bytes) = excerpts.line(span.source, offset);
        let before = source.text.get(bytes.start..offset).unwrap_or("");
        (line + 1, before.chars().count() + 1)
    };
    let ((line, column), (end_line, end_column)) = (position(span.start), position(span.end));
    PlaceJson {
        path: &source.path,
        line,
        column,
        end_line,
        end_column,
    }
}
