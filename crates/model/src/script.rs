//! Scripts for a node's console: what its kind says, with the node's own words filled in.
//!
//! A script is complete: nothing is left to be decided while it is followed.

use crate::kind::{Console, Kind, Provision, Said, StepText, Text};
use std::time::Duration;
use vnflab_dialogue::{Answer, Reply, Script, Sending, Step, Timing};

/// How long one step's place may take to show, where nothing is said.
const PATIENCE: Duration = Duration::from_secs(10);

/// What texts of a kind may have in braces.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// The lab's name.
    pub lab: &'a str,
    /// The node's name.
    pub node: &'a str,
    /// Its host name.
    pub hostname: &'a str,
}

impl Words<'_> {
    fn fill(&self, kind: &Kind, text: &str) -> String {
        let login = kind.login.as_ref();
        let password = login.and_then(|login| login.password.as_deref());
        let new_password = kind.provision.as_ref().and_then(|p| p.password.as_deref());
        let words = [
            ("{user}", login.map_or("", |login| login.user.as_str())),
            ("{password}", password.unwrap_or_default()),
            (
                "{new-password}",
                new_password.or(password).unwrap_or_default(),
            ),
            ("{hostname}", self.hostname),
            ("{node}", self.node),
            ("{lab}", self.lab),
        ];
        words.iter().fold(text.to_owned(), |text, (word, value)| {
            text.replace(word, value)
        })
    }

    fn reply(&self, kind: &Kind, text: &Text) -> Reply {
        match text {
            Text::Line(line) => Reply::Line(self.fill(kind, line)),
            Text::Secret(secret) => Reply::Secret(self.fill(kind, secret)),
            Text::Keys(keys) => Reply::Keys(keys.clone().into_bytes()),
        }
    }
}

/// The script that runs a command and takes its output. `None` where the kind does not say how its
/// prompt looks.
pub fn command(kind: &Kind, words: Words<'_>, line: &str, limit: Duration) -> Option<Script> {
    let console = &kind.console;
    if console.prompts.is_empty() {
        return None;
    }
    let mut steps = Vec::new();
    if !console.prepare.is_empty() {
        steps.push(at_prompt(
            console,
            "prepare the console",
            Sending::Lines(console.prepare.clone()),
        ));
    }
    steps.push(Step {
        is_captured: true,
        ..at_prompt(console, "run the command", lines(line))
    });
    Some(script(kind, words, steps, &[], limit))
}

/// The script that tells the status of the command before it. `None` where the kind has no such
/// command.
pub fn status(kind: &Kind, words: Words<'_>, limit: Duration) -> Option<Script> {
    let line = kind.console.status.as_ref()?;
    let step = Step {
        is_captured: true,
        ..at_prompt(&kind.console, "ask for the status", lines(line))
    };
    Some(script(kind, words, vec![step], &[], limit))
}

/// The script that logs out; it is over when the line is sent off.
pub fn leave(kind: &Kind, words: Words<'_>, limit: Duration) -> Option<Script> {
    let line = kind.console.leave.as_ref()?;
    let reply = Sending::Reply(Reply::Line(words.fill(kind, line)));
    let mut script = script(
        kind,
        words,
        vec![at_prompt(&kind.console, "log out", reply)],
        &[],
        limit,
    );
    // Where somebody has to log in, nobody is to be logged out.
    script.answers.clear();
    Some(script)
}

/// The script that types a configuration. `None` where a medium brings it.
pub fn provision(
    kind: &Kind,
    words: Words<'_>,
    configuration: &str,
    limit: Duration,
) -> Option<Script> {
    let provision = kind.provision.as_ref()?;
    let steps = provision.steps.iter().map(|step| Step {
        name: step.name.clone(),
        at: step.at.clone(),
        send: match &step.send {
            StepText::Nothing => Sending::Nothing,
            StepText::Text(text) => Sending::Reply(words.reply(kind, text)),
            StepText::Configuration => Sending::Lines(typed_lines(provision, configuration)),
        },
        patience: step.patience,
        is_optional: step.is_optional,
        is_captured: false,
        is_last: step.is_last,
    });
    Some(script(
        kind,
        words,
        steps.collect(),
        &provision.answers,
        limit,
    ))
}

/// The lines of a configuration that are typed: tabs would complete words, and what is blank or
/// skipped says nothing.
pub fn typed_lines(provision: &Provision, configuration: &str) -> Vec<String> {
    configuration
        .lines()
        .map(|line| line.trim_end().replace('\t', "    "))
        .filter(|line| !line.is_empty())
        .filter(|line| !provision.skip.iter().any(|skip| skip.matches(line)))
        .collect()
}

fn lines(line: &str) -> Sending {
    Sending::Lines(vec![line.to_owned()])
}

fn at_prompt(console: &Console, name: &str, send: Sending) -> Step {
    Step {
        name: name.to_owned(),
        at: console.prompts.clone(),
        send,
        patience: PATIENCE,
        is_optional: false,
        is_captured: false,
        is_last: false,
    }
}

fn script(
    kind: &Kind,
    words: Words<'_>,
    steps: Vec<Step>,
    first: &[Said],
    limit: Duration,
) -> Script {
    let console = &kind.console;
    let said = first.iter().chain(&console.answers).map(|said| Answer {
        see: said.see.clone(),
        send: words.reply(kind, &said.text),
        begins: said.begins,
    });
    let passwords = console.password.iter().map(|see| Answer {
        see: see.clone(),
        send: Reply::Password(passwords(kind)),
        begins: false,
    });
    let user = words.fill(kind, "{user}");
    let logins = console.login.iter().filter(|_| !user.is_empty());
    let logins = logins.map(|see| Answer {
        see: see.clone(),
        send: Reply::Line(user.clone()),
        begins: true,
    });
    Script {
        answers: said.chain(passwords).chain(logins).collect(),
        steps,
        prompts: console.prompts.clone(),
        refusals: console.refusals.clone(),
        errors: console.errors.clone(),
        erase: console.erase.clone().into_bytes(),
        timing: Timing {
            limit,
            ..Timing::default()
        },
    }
}

/// The passwords that a device of the kind may have: as delivered, or set by our script.
fn passwords(kind: &Kind) -> Vec<String> {
    let delivered = kind.login.as_ref().map(|login| login.password.clone());
    let mut passwords = vec![delivered.flatten().unwrap_or_default()];
    let changed = kind.provision.as_ref().and_then(|p| p.password.clone());
    passwords.extend(changed.filter(|changed| !passwords.contains(changed)));
    passwords
}
