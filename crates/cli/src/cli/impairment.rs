//! One flag for each thing that a link can be asked to do, made from the table of settings.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use vnflab_impairment::{KEYS, Settings};

/// What is asked of frames.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImpairmentArgs {
    /// The settings, with what their files hold still to be attached.
    pub(crate) settings: Settings,
}

impl FromArgMatches for ImpairmentArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Settings::default();
        for key in KEYS {
            let Some(value) = matches.get_one::<String>(key.name) else {
                continue;
            };
            settings.set(key.name, value).map_err(|error| {
                let message = format!("{error}\n");
                clap::Error::raw(clap::error::ErrorKind::ValueValidation, message)
            })?;
        }
        Ok(Self { settings })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.settings
            .overlay(&Self::from_arg_matches(matches)?.settings);
        Ok(())
    }
}

impl Args for ImpairmentArgs {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command, |command, key| {
            let help = format!(
                "{} [such as: {}]",
                key.doc.trim_end_matches('.'),
                key.example
            );
            command.arg(
                Arg::new(key.name)
                    .long(key.name)
                    .value_name(key.form)
                    .help(help)
                    .help_heading("Impairment")
                    .allow_hyphen_values(true),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
