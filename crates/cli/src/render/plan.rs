//! What would be done, and why.

use super::table::{Cell, Table};
use super::{Format, Screen};
use crate::error::CommandError;
use serde::Serialize;
use vnflab_model::plan::{Plan, Step, Subject};

/// A plan for a lab.
pub(crate) fn plan(screen: &Screen, lab: &str, plan: &Plan) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let steps = plan.steps.iter().map(StepJson::new).collect();
        return screen.json("plan", PlanJson { lab, steps });
    }
    if plan.is_empty() {
        screen.say(&format!("Nothing to do: `{lab}` is as its file says."));
        return Ok(());
    }
    let heads = ["STEP", "SUBJECT", "ACTION", "WHY", "AFTER"];
    let mut table = Table::new(screen.out, &heads).right(0);
    for (number, step) in plan.steps.iter().enumerate() {
        // In parentheses what must be over alone, however it ended.
        let behind = step.behind.iter().map(|id| format!("({})", id + 1));
        let after = step.after.iter().map(|id| (id + 1).to_string());
        let after: Vec<String> = after.chain(behind).collect();
        table.row([
            Cell::plain((number + 1).to_string()),
            Cell::plain(super::subject(&step.subject)),
            Cell::plain(step.action.describe()),
            Cell::plain(&step.reason),
            Cell::plain(after.join(", ")),
        ]);
    }
    screen.write(&table.text())
}

#[derive(Serialize)]
struct PlanJson<'a> {
    lab: &'a str,
    steps: Vec<StepJson<'a>>,
}

/// A step, as it is in all JSON shapes. Steps are counted from 0.
#[derive(Serialize)]
pub(super) struct StepJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wire: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    action: &'static str,
    reason: &'a str,
    after: &'a [usize],
    #[serde(skip_serializing_if = "<[usize]>::is_empty")]
    behind: &'a [usize],
}

impl<'a> StepJson<'a> {
    pub(super) fn new(step: &'a Step) -> Self {
        let mut json = Self {
            node: None,
            network: None,
            wire: None,
            link: None,
            action: step.action.word(),
            reason: &step.reason,
            after: &step.after,
            behind: &step.behind,
        };
        let (place, name) = match &step.subject {
            Subject::Node(name) | Subject::Part(name) => (&mut json.node, name),
            Subject::Network(name) => (&mut json.network, name),
            Subject::Wire(lab) => (&mut json.wire, lab),
            Subject::Link(name) => (&mut json.link, name),
        };
        *place = Some(name.as_str());
        json
    }
}
