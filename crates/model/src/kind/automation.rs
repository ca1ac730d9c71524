//! How programs log in to a kind and what they call it: `automation:` in a kind's file.
//!
//! What is left out is not known to the tool in question, and inventories leave it out, too.

use super::mistake::Mistakes;
use serde::{Deserialize, Serialize};

/// Stands for the command, quoted as one word of a POSIX shell, in [`Cli::through`].
const QUOTED: &str = "{command}";

/// Stands for the command as it is in [`Cli::through`].
const PLAIN: &str = "{words}";

words! {
    /// What opens a kind's SSH server.
    SshLogin {
        /// Our key, which day-0 lets in.
        Key = "key",
        /// The password of the kind's login.
        Password = "password",
        /// Nothing: it has none, or none that is of use.
        None = "none",
    }
}

words! {
    /// Which algorithms a kind's SSH server knows.
    Algorithms {
        /// Those that today's clients offer by themselves.
        Modern = "modern",
        /// Only such as clients must be told to offer: SHA-1, CBC, RSA host keys.
        Legacy = "legacy",
    }
}

/// How programs log in to a kind and what they call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automation {
    /// What opens its SSH server.
    pub ssh: SshLogin,
    /// Which algorithms its SSH server knows.
    pub algorithms: Algorithms,
    /// Where commands for the router have a shell before them.
    pub cli: Option<Cli>,
    /// Ansible's `ansible_network_os`.
    pub ansible_network_os: Option<String>,
    /// Ansible's `ansible_connection`; `ssh` where the kind does not say.
    pub ansible_connection: String,
    /// Ansible's `ansible_become_method`, for kinds whose users have to ask for rights.
    pub ansible_become: Option<String>,
    /// Netmiko's device type.
    pub netmiko: Option<String>,
    /// NAPALM's driver.
    pub napalm: Option<String>,
    /// Scrapli's platform.
    pub scrapli: Option<String>,
    /// Unicon's `os`, for pyATS.
    pub pyats: Option<String>,
    /// containerlab's name of the kind.
    pub containerlab: Option<String>,
}

/// Where a login ends in a shell, and the router's own commands go through a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cli {
    /// First words of commands for the router; all others are for the shell.
    pub words: Vec<String>,
    /// What the shell is given for them: `{command}` is the command as one quoted word, `{words}`
    /// the command as it is.
    pub through: String,
}

impl Automation {
    /// What is sent for a command.
    pub fn command_line(&self, command: &str) -> String {
        let first = command.split_whitespace().next().unwrap_or_default();
        match &self.cli {
            Some(cli) if cli.words.iter().any(|word| word == first) => cli
                .through
                .replace(QUOTED, &quoted(command))
                .replace(PLAIN, command),
            _ => command.to_owned(),
        }
    }
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The section as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AutomationFile {
    /// What opens its SSH server: our `key`, which day-0 lets in, the `password` of `login`, or
    /// `none`.
    ssh: Option<SshLogin>,
    /// Whether its SSH server knows only algorithms that clients no longer offer by themselves.
    algorithms: Option<Algorithms>,
    /// Where commands for the router have a shell before them.
    cli: Option<CliFile>,
    /// Ansible's `ansible_network_os`.
    ansible_network_os: Option<String>,
    /// Ansible's `ansible_connection`; `ssh` where nothing is said.
    ansible_connection: Option<String>,
    /// Ansible's `ansible_become_method`.
    ansible_become: Option<String>,
    /// Netmiko's device type.
    netmiko: Option<String>,
    /// NAPALM's driver.
    napalm: Option<String>,
    /// Scrapli's platform.
    scrapli: Option<String>,
    /// Unicon's `os`, for pyATS.
    pyats: Option<String>,
    /// containerlab's name of the kind.
    containerlab: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CliFile {
    /// First words of commands for the router.
    words: Vec<String>,
    /// What the shell is given for them: `{command}` is the command as one quoted word, `{words}`
    /// the command as it is.
    through: String,
}

impl CliFile {
    fn check(&self, mistakes: &mut Mistakes) {
        if ![QUOTED, PLAIN]
            .iter()
            .any(|place| self.through.contains(place))
        {
            mistakes.advise(
                "automation.cli.through",
                "the command stands nowhere in it",
                format!("write `{QUOTED}` where it goes as one word, or `{PLAIN}` where it goes as it is"),
            );
        }
        let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        for (index, word) in self
            .words
            .iter()
            .enumerate()
            .filter(|(_, word)| !is_word(word))
        {
            mistakes.add(
                &format!("automation.cli.words.{index}"),
                format!("`{word}` is not one word, the first of a command"),
            );
        }
    }
}

impl AutomationFile {
    /// Fills in what this section leaves to a parent's.
    pub(super) fn inherit(&mut self, parent: &Self) {
        macro_rules! inherit {
            ($($field:ident),* $(,)?) => {
                $( if self.$field.is_none() { self.$field.clone_from(&parent.$field); } )*
            };
        }
        inherit!(
            ssh,
            algorithms,
            cli,
            ansible_network_os,
            ansible_connection,
            ansible_become,
            netmiko,
            napalm,
            scrapli,
            pyats,
            containerlab,
        );
    }

    /// The section, once everything is inherited.
    pub(super) fn into_automation(self, mistakes: &mut Mistakes) -> Automation {
        if let Some(cli) = &self.cli {
            cli.check(mistakes);
        }
        Automation {
            ssh: self.ssh.unwrap_or(SshLogin::Password),
            algorithms: self.algorithms.unwrap_or(Algorithms::Modern),
            cli: self.cli.map(|cli| Cli {
                words: cli.words,
                through: cli.through,
            }),
            ansible_network_os: self.ansible_network_os,
            ansible_connection: self.ansible_connection.unwrap_or_else(|| "ssh".to_owned()),
            ansible_become: self.ansible_become,
            netmiko: self.netmiko,
            napalm: self.napalm,
            scrapli: self.scrapli,
            pyats: self.pyats,
            containerlab: self.containerlab,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_for_the_router_go_through_its_program_and_others_do_not() {
        let mut automation = AutomationFile::default().into_automation(&mut Mistakes::default());
        assert_eq!(automation.command_line("show version"), "show version");
        automation.cli = Some(Cli {
            words: vec!["show".to_owned()],
            through: "vtysh -c {command}".to_owned(),
        });
        assert_eq!(
            automation.command_line("show ip bgp 'x'"),
            r"vtysh -c 'show ip bgp '\''x'\'''"
        );
        assert_eq!(automation.command_line("showdown"), "showdown");
        assert_eq!(automation.command_line("ip link"), "ip link");
        assert_eq!(automation.command_line(""), "");
        automation.cli.as_mut().unwrap().through = "op {words}".to_owned();
        assert_eq!(automation.command_line("show version"), "op show version");
    }
}
