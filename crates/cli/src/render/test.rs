//! How the checks of a lab went: a table, JSON, and JUnit's XML for CI.

use super::paint::Paint;
use super::table::{Cell, Table};
use super::{Format, Screen, clean, counted, time};
use crate::error::{CommandError, ErrorKind};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;
use vnflab_engine::lab_check::{CheckOutcome, StepOutcome};
use vnflab_model::lab_check::Verdict;

/// What came out.
pub(crate) struct Tested<'a> {
    /// The lab.
    pub(crate) lab: &'a str,
    /// Each check, in the order of the file.
    pub(crate) outcomes: Vec<CheckOutcome>,
    /// How long all of it took.
    pub(crate) elapsed: Duration,
    /// Whether it was broken off.
    pub(crate) interrupted: bool,
}

/// The word for people and programs.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Holds(_) => "pass",
        Verdict::Not(_) => "fail",
        Verdict::Unknown(_) => "error",
    }
}

impl Tested<'_> {
    fn count(&self, wanted: &str) -> usize {
        let outcomes = self.outcomes.iter();
        outcomes
            .filter(|outcome| word(&outcome.verdict) == wanted)
            .count()
    }
}

/// Shows all of them, and fails unless all hold.
pub(crate) fn report(screen: &Screen, tested: &Tested<'_>) -> Result<(), CommandError> {
    match screen.format() {
        Format::Json => screen.json("test", TestJson::new(tested))?,
        Format::Text => screen.write(&table(screen.out, tested))?,
    }
    let (all, passed) = (tested.outcomes.len(), tested.count("pass"));
    let lab = tested.lab;
    if tested.interrupted {
        let message = format!("interrupted; {passed} of {} hold", counted(all, "check"));
        return Err(CommandError::new(ErrorKind::Interrupted, message));
    }
    if passed < all {
        let verb = if all - passed == 1 { "does" } else { "do" };
        let message = format!(
            "{} of {} of `{lab}` {verb} not hold",
            all - passed,
            counted(all, "check")
        );
        return Err(CommandError::new(ErrorKind::ChecksFailed, message));
    }
    let elapsed = time::fine(tested.elapsed);
    screen.say(&format!(
        "`{lab}`: {} in {elapsed}, all hold.",
        counted(all, "check")
    ));
    Ok(())
}

fn table(paint: Paint, tested: &Tested<'_>) -> String {
    let mut table = Table::new(paint, &["CHECK", "RESULT", "TIME", "SEEN"]).right(2);
    for outcome in &tested.outcomes {
        let word = word(&outcome.verdict);
        table.row([
            Cell::plain(&outcome.name),
            Cell::painted(match outcome.verdict.holds() {
                true => paint.good(word),
                false => paint.error(word),
            }),
            Cell::plain(time::fine(outcome.elapsed)),
            Cell::plain(outcome.verdict.text()),
        ]);
    }
    table.text()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TestJson<'a> {
    lab: &'a str,
    passed: usize,
    failed: usize,
    errors: usize,
    interrupted: bool,
    elapsed_seconds: f64,
    checks: Vec<CheckJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CheckJson<'a> {
    check: &'a str,
    result: &'static str,
    seen: &'a str,
    elapsed_seconds: f64,
    steps: Vec<StepJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct StepJson<'a> {
    what: &'a str,
    result: &'static str,
    seen: &'a str,
    elapsed_seconds: f64,
    tries: u32,
}

impl<'a> TestJson<'a> {
    fn new(tested: &'a Tested<'a>) -> Self {
        Self {
            lab: tested.lab,
            passed: tested.count("pass"),
            failed: tested.count("fail"),
            errors: tested.count("error"),
            interrupted: tested.interrupted,
            elapsed_seconds: tested.elapsed.as_secs_f64(),
            checks: tested.outcomes.iter().map(CheckJson::new).collect(),
        }
    }
}

impl<'a> CheckJson<'a> {
    fn new(outcome: &'a CheckOutcome) -> Self {
        Self {
            check: &outcome.name,
            result: word(&outcome.verdict),
            seen: outcome.verdict.text(),
            elapsed_seconds: outcome.elapsed.as_secs_f64(),
            steps: outcome.steps.iter().map(StepJson::new).collect(),
        }
    }
}

impl<'a> StepJson<'a> {
    fn new(step: &'a StepOutcome) -> Self {
        Self {
            what: &step.what,
            result: word(&step.verdict),
            seen: step.verdict.text(),
            elapsed_seconds: step.elapsed.as_secs_f64(),
            tries: step.tries,
        }
    }
}

/// All of it as JUnit has it: a suite with a case for each check, and its steps as the case's
/// output.
pub(crate) fn junit(tested: &Tested<'_>) -> Vec<u8> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    let written = write_junit(&mut writer, tested);
    written.expect("memory takes what is written");
    let mut text = writer.into_inner();
    text.push(b'\n');
    text
}

fn write_junit(writer: &mut Writer<Vec<u8>>, tested: &Tested<'_>) -> std::io::Result<()> {
    let numbers = [
        ("tests", tested.outcomes.len().to_string()),
        ("failures", tested.count("fail").to_string()),
        ("errors", tested.count("error").to_string()),
        ("time", seconds(tested.elapsed)),
    ];
    let summed = |name: &'static str, value: &str| {
        let mut start = BytesStart::new(name);
        start.push_attribute(("name", value));
        for (name, value) in &numbers {
            start.push_attribute((*name, value.as_str()));
        }
        start
    };
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.write_event(Event::Start(summed("testsuites", "vnflab")))?;
    writer.write_event(Event::Start(summed("testsuite", tested.lab)))?;
    for outcome in &tested.outcomes {
        let mut case = BytesStart::new("testcase");
        case.push_attribute(("classname", tested.lab));
        case.push_attribute(("name", clean(&outcome.name).as_str()));
        case.push_attribute(("time", seconds(outcome.elapsed).as_str()));
        writer.write_event(Event::Start(case))?;
        let element = match outcome.verdict {
            Verdict::Holds(_) => None,
            Verdict::Not(_) => Some("failure"),
            Verdict::Unknown(_) => Some("error"),
        };
        let seen = clean(outcome.verdict.text());
        if let Some(element) = element {
            let mut start = BytesStart::new(element);
            start.push_attribute(("message", seen.as_str()));
            start.push_attribute(("type", element));
            text_element(writer, start, &seen)?;
        }
        text_element(writer, BytesStart::new("system-out"), &steps(outcome))?;
        writer.write_event(Event::End(BytesEnd::new("testcase")))?;
    }
    writer.write_event(Event::End(BytesEnd::new("testsuite")))?;
    writer.write_event(Event::End(BytesEnd::new("testsuites")))
}

fn text_element(
    writer: &mut Writer<Vec<u8>>,
    start: BytesStart<'_>,
    text: &str,
) -> std::io::Result<()> {
    let end = start.to_end().into_owned();
    writer.write_event(Event::Start(start.borrow()))?;
    writer.write_event(Event::Text(BytesText::new(text)))?;
    writer.write_event(Event::End(end))
}

fn steps(outcome: &CheckOutcome) -> String {
    let mut text = String::new();
    for step in &outcome.steps {
        let line = format!(
            "{} ({}, tries: {}): {}: {}",
            step.what,
            time::fine(step.elapsed),
            step.tries,
            word(&step.verdict),
            step.verdict.text()
        );
        let _ = writeln!(text, "{}", clean(&line).replace('\n', " "));
    }
    text
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested() -> Tested<'static> {
        let step = |what: &str, verdict: Verdict, tries| StepOutcome {
            what: what.to_owned(),
            verdict,
            elapsed: Duration::from_millis(1200),
            tries,
        };
        let done = || Verdict::Holds("done".to_owned());
        let lost =
            || Verdict::Not("r1 → r3: 0 of 1 came back (<unreachable> \u{1b}[31m)".to_owned());
        let outcome = |name: &str, verdict: Verdict, steps: Vec<StepOutcome>| CheckOutcome {
            name: name.to_owned(),
            verdict,
            elapsed: Duration::from_millis(2500),
            steps,
        };
        let seen = || Verdict::Holds("ospf of r1: r2, r4".to_owned());
        let unknown = || Verdict::Unknown("r9: its SSH port 127.0.0.1:2222 is closed".to_owned());
        Tested {
            lab: "ring",
            outcomes: vec![
                outcome("ospf", seen(), vec![step("ospf of all", seen(), 3)]),
                outcome(
                    "failover",
                    lost(),
                    vec![
                        step("cut r1:eth1--r2:eth2", done(), 1),
                        step("ping r1 → r3", lost(), 4),
                    ],
                ),
                outcome("r9", unknown(), vec![step("ping r9 → r1", unknown(), 1)]),
            ],
            elapsed: Duration::from_secs(4),
            interrupted: false,
        }
    }

    #[test]
    fn checks_as_a_table_json_and_junit() {
        insta::assert_snapshot!("test-table", table(Paint::plain(), &tested()));
        insta::assert_json_snapshot!("test-json", TestJson::new(&tested()));
        let junit = String::from_utf8(junit(&tested())).unwrap();
        insta::assert_snapshot!("test-junit", junit);
        let document = roxmltree::Document::parse(&junit).unwrap();
        let suite = document.root_element().first_element_child().unwrap();
        assert_eq!(suite.attribute("tests"), Some("3"));
        assert_eq!(suite.attribute("failures"), Some("1"));
        assert_eq!(suite.attribute("errors"), Some("1"));
        let cases = suite
            .children()
            .filter(|child| child.has_tag_name("testcase"));
        assert_eq!(cases.count(), 3);
    }
}
