//! Colours by meaning, or none.

use anstyle::{AnsiColor, Style};

/// Paints texts, or leaves them as they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// With colours.
    pub(crate) fn colored() -> Self {
        Self { on: true }
    }

    /// Without.
    pub(crate) fn plain() -> Self {
        Self { on: false }
    }

    /// Whether there are colours.
    pub(crate) fn is_colored(self) -> bool {
        self.on
    }

    /// What went wrong.
    pub(crate) fn error(self, text: &str) -> String {
        self.styled(text, AnsiColor::Red.on_default().bold())
    }

    /// What deserves a look.
    pub(crate) fn warning(self, text: &str) -> String {
        self.styled(text, AnsiColor::Yellow.on_default().bold())
    }

    /// What is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.styled(text, AnsiColor::Green.on_default())
    }

    /// What helps.
    pub(crate) fn note(self, text: &str) -> String {
        self.styled(text, AnsiColor::Cyan.on_default().bold())
    }

    /// What heads others.
    pub(crate) fn head(self, text: &str) -> String {
        self.styled(text, Style::new().bold())
    }

    /// What matters less.
    pub(crate) fn faint(self, text: &str) -> String {
        self.styled(text, Style::new().dimmed())
    }

    fn styled(self, text: &str, style: Style) -> String {
        if self.on {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}
