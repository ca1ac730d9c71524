//! Templates of configurations: Jinja's language, as minijinja has it.
//!
//! A variable that is not there is a mistake, never an empty text: a router without an address is
//! found much later than a template that does not render. Nothing can be included and nothing read
//! but the facts that are handed in, and a template that does not end is broken off.
//!
//! `{% %}` on a line of its own leaves no line behind.

use crate::format::shown;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value};
use std::error::Error as _;

/// Most steps of one template: a configuration of a hundred thousand lines takes fewer.
const FUEL: u64 = 5_000_000;

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", self.place())]
pub struct TemplateError {
    /// What it is: its path, or the key of its kind.
    pub origin: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// What stands there.
    pub excerpt: Option<String>,
    /// What is wrong.
    pub message: String,
    /// Whether it names what is not there.
    pub is_undefined: bool,
}

impl TemplateError {
    /// The template and the line, for a message.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("`{}` line {line}", shown(&self.origin)),
            None => format!("`{}`", shown(&self.origin)),
        }
    }
}

fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    environment.set_syntax(syntax.expect("the usual delimiters differ"));
    environment.set_fuel(Some(FUEL));
    environment
}

/// The text of a template with facts filled in.
///
/// # Errors
///
/// When it is malformed, or names what is not there.
pub(super) fn render(origin: &str, text: &str, facts: &Value) -> Result<String, TemplateError> {
    let environment = environment();
    let rendered = environment.render_named_str(origin, text, facts);
    rendered.map_err(|error| told(origin, text, &error))
}

/// What is wrong with the form of a template, if anything is; what it names is not looked at.
pub fn mistake(origin: &str, text: &str) -> Option<TemplateError> {
    let environment = environment();
    let error = environment.template_from_named_str(origin, text).err()?;
    Some(told(origin, text, &error))
}

fn told(origin: &str, text: &str, error: &minijinja::Error) -> TemplateError {
    // The cause is inside where a macro or a filter failed.
    let mut innermost = error;
    while let Some(cause) = innermost.source().and_then(|one| one.downcast_ref()) {
        innermost = cause;
    }
    let expression = innermost.range().and_then(|range| text.get(range));
    let expression = expression.map(|text| shown(text.trim()).to_string());
    let detail = innermost.detail().map(|detail| shown(detail).to_string());
    let message = match (innermost.kind(), expression, detail) {
        (ErrorKind::UndefinedError, Some(expression), _) => {
            format!("`{expression}` is not defined")
        }
        (ErrorKind::OutOfFuel, ..) => "it does not come to an end".to_owned(),
        (kind, _, Some(detail)) => format!("{kind}: {detail}"),
        (kind, Some(expression), None) => format!("{kind} at `{expression}`"),
        (kind, None, None) => kind.to_string(),
    };
    let line = innermost.line();
    let excerpt = line.and_then(|line| text.lines().nth(line.checked_sub(1)?));
    TemplateError {
        origin: origin.to_owned(),
        line,
        excerpt: excerpt.map(|line| shown(line.trim()).to_string()),
        message,
        is_undefined: innermost.kind() == ErrorKind::UndefinedError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    fn failure(text: &str) -> TemplateError {
        render(
            "r1.cfg.j2",
            text,
            &context! { node => context! { name => "r1" } },
        )
        .unwrap_err()
    }

    #[test]
    fn facts_are_filled_in_and_statements_leave_no_lines() {
        let text = "{% for n in range(2) %}\n  {% if n == 1 %}\nhostname {{ node.name }}\n  {% endif %}\n{% endfor %}\nend\n";
        let facts = context! { node => context! { name => "<r1>" } };
        assert_eq!(render("x", text, &facts).unwrap(), "hostname <r1>\nend\n");
    }

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        let error = failure("hostname {{ node.name }}\nrouter {{ node.nam }}\n");
        assert_eq!(
            error.to_string(),
            "`r1.cfg.j2` line 2: `node.nam` is not defined"
        );
        assert_eq!(error.excerpt.as_deref(), Some("router {{ node.nam }}"));
        let error = failure("{{ nobody }}");
        assert_eq!(
            error.to_string(),
            "`r1.cfg.j2` line 1: `nobody` is not defined"
        );
        assert_eq!(failure("\n{% if nobody.name %}{% endif %}").line, Some(2));
    }

    #[test]
    fn malformed_templates_are_told_without_facts() {
        let error = mistake("r1.cfg.j2", "a\n{% if x %}\n").unwrap();
        assert!(
            error.line >= Some(2) && error.message.contains("syntax error"),
            "{error}"
        );
        assert_eq!(mistake("r1.cfg.j2", "{{ nobody }}"), None);
    }

    #[test]
    fn nothing_is_included_and_nothing_runs_for_ever() {
        let error = failure("{% include '/etc/passwd' %}");
        assert!(
            error.message.contains("unknown statement include"),
            "{error}"
        );
        let endless =
            "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}";
        assert_eq!(failure(endless).message, "it does not come to an end");
    }
}
