//! What is being done, while it is: a line a node on a terminal, a line a step elsewhere.
//!
//! On a terminal only nodes that something is done to have a line, so that a lab of a thousand
//! does not fill the screen more than one of eight. All of it is talk, on stderr.

use super::{Screen, clean, time};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the elapsed times on a terminal move on.
const REDRAW: Duration = Duration::from_millis(100);

/// Lines of progress, one for each subject.
pub(crate) struct Progress {
    form: Form,
    paint: super::paint::Paint,
}

enum Form {
    /// A terminal: lines that change.
    Terminal {
        all: MultiProgress,
        lines: BTreeMap<String, ProgressBar>,
    },
    /// A file or a pipe: lines that stay.
    Plain,
    /// Nothing.
    Quiet,
}

impl Progress {
    /// As the screen wants it.
    pub(crate) fn new(screen: &Screen) -> Self {
        let form = if !screen.talks() {
            Form::Quiet
        } else if screen.talks_to_terminal() {
            Form::Terminal {
                all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
                lines: BTreeMap::new(),
            }
        } else {
            Form::Plain
        };
        Self {
            form,
            paint: screen.err,
        }
    }

    /// Something begins for a subject.
    pub(crate) fn begin(&mut self, subject: &str, what: &str) {
        if let Form::Terminal { all, lines } = &mut self.form {
            let line = lines.entry(subject.to_owned()).or_insert_with(|| {
                let line = all.add(ProgressBar::new_spinner().with_style(style()));
                line.set_prefix(clean(subject));
                line.enable_steady_tick(REDRAW);
                line
            });
            line.set_message(clean(what));
        }
    }

    /// As [`Progress::begin`], for long stages: elsewhere than on a terminal, their beginning has
    /// a line of its own.
    pub(crate) fn stage(&mut self, subject: &str, what: &str) {
        match self.form {
            Form::Plain => self.line(&format!("{subject}: {what}")),
            Form::Terminal { .. } | Form::Quiet => self.begin(subject, what),
        }
    }

    /// It is done.
    pub(crate) fn done(&mut self, subject: &str, what: &str, elapsed: Duration) {
        match &mut self.form {
            Form::Terminal { .. } | Form::Quiet => {}
            Form::Plain => self.line(&format!("{subject}: {what} ({})", time::fine(elapsed))),
        }
    }

    /// A node is up. That stays on a terminal too: with many nodes it tells how far one is.
    pub(crate) fn ready(&mut self, subject: &str, after: Duration) {
        let subject = clean(subject);
        self.line(&format!("{subject}: ready after {}", time::fine(after)));
    }

    /// It failed. The reason comes with all others at the end.
    pub(crate) fn failed(&mut self, subject: &str, what: &str) {
        let mark = self.paint.error("failed");
        self.line(&format!("{}: {what} {mark}", clean(subject)));
        self.end(subject);
    }

    /// Nothing more is done to a subject.
    pub(crate) fn end(&mut self, subject: &str) {
        if let Form::Terminal { all, lines } = &mut self.form
            && let Some(line) = lines.remove(subject)
        {
            take_away(all, &line);
        }
    }

    /// Says something that stays.
    pub(crate) fn line(&mut self, text: &str) {
        match &self.form {
            // A terminal that is gone has nobody to tell.
            Form::Terminal { all, .. } => drop(all.println(text)),
            Form::Plain => super::stderr_line(text),
            Form::Quiet => {}
        }
    }

    /// Removes all lines that change.
    pub(crate) fn clear(&mut self) {
        if let Form::Terminal { all, lines } = &mut self.form {
            for line in std::mem::take(lines).into_values() {
                take_away(all, &line);
            }
            drop(all.clear());
        }
    }
}

/// Clears a line and forgets it: one that is kept would be drawn again with the others.
fn take_away(all: &MultiProgress, line: &ProgressBar) {
    line.finish_and_clear();
    all.remove(line);
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {prefix:<16} {msg} {elapsed}")
        .expect("the template is valid, every run shows it")
}
