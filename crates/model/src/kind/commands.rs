//! Commands that a kind has for what we want of any device.

use super::mistake::Mistakes;
use serde::{Deserialize, Serialize};
use vnflab_dialogue::Pattern;

/// As it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CommandsFile {
    /// What prints the running configuration.
    pub(super) save: Option<SaveFile>,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SaveFile {
    /// The command.
    run: String,
    /// Lines that are no part of a configuration that can be given again, as patterns.
    #[serde(default)]
    skip: Vec<String>,
    /// A pattern that every configuration has; without it, what came is none.
    expect: Option<String>,
}

/// Commands of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// How the running configuration is fetched.
    pub save: Option<Save>,
}

/// How the running configuration is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Save {
    /// The command that prints it.
    pub run: String,
    /// Lines that are left out.
    pub skip: Vec<Pattern>,
    /// What every configuration has.
    pub expect: Option<Pattern>,
}

impl CommandsFile {
    pub(super) fn inherit(&mut self, parent: &Self) {
        if self.save.is_none() {
            self.save.clone_from(&parent.save);
        }
    }

    /// The section, once everything is inherited. What makes no sense is left out.
    pub(super) fn into_commands(self, mistakes: &mut Mistakes) -> Commands {
        let save = self.save.map(|save| Save {
            skip: mistakes.patterns("commands.save.skip", &save.skip),
            expect: save
                .expect
                .and_then(|text| mistakes.pattern("commands.save.expect", &text)),
            run: save.run,
        });
        Commands { save }
    }
}

impl Save {
    /// The configuration in what the command printed; `None` where there is none.
    pub fn configuration(&self, output: &str) -> Option<String> {
        let is_kept = |line: &&str| !self.skip.iter().any(|skip| skip.matches(line));
        let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
        let is_whole = self
            .expect
            .as_ref()
            .is_none_or(|expect| lines.iter().any(|line| expect.matches(line)));
        let kept: Vec<&str> = lines.into_iter().filter(is_kept).collect();
        let first = kept.iter().position(|line| !line.is_empty())?;
        let last = kept.iter().rposition(|line| !line.is_empty())?;
        is_whole.then(|| kept[first..=last].join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn save() -> Save {
        Save {
            run: "show running-config".to_owned(),
            skip: vec![Pattern::parse("^Building configuration").unwrap()],
            expect: Some(Pattern::parse("^end$").unwrap()),
        }
    }

    #[test]
    fn what_cannot_be_given_again_is_left_out() {
        let output = "\r\nBuilding configuration...\n\nhostname r1  \n!\nend\n\n";
        assert_eq!(
            save().configuration(output),
            Some("hostname r1\n!\nend\n".to_owned())
        );
    }

    #[test]
    fn what_is_no_configuration_is_none() {
        assert_eq!(save().configuration(""), None);
        assert_eq!(save().configuration("Building configuration...\n"), None);
        assert_eq!(
            save().configuration("hostname r1\n% Connection lost\n"),
            None
        );
    }
}
