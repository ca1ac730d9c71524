//! What is asked of links and segments: from profiles and places to one [`Impairment`] a member.

use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::format::{printable, shown};
use crate::lab::{Asked, NamedFile};
use crate::span::{Span, Spanned};
use crate::spec::{AskedSpec, ChangeSpec, LabSpec, MarkovSpec, SettingsSpec, Then};
use std::collections::{BTreeMap, BTreeSet};
use vnflab_impairment::error::{SettingProblem, Severity};
use vnflab_impairment::{
    Action, Change, Impairment, MarkovState, Profiles, Rule, Settings, SpecProblem,
};

/// The profiles that a lab knows, and the files that they name. A profile may stand on another
/// that is written before it.
pub(super) fn profiles(spec: &LabSpec, found: &mut Diagnostics) -> (Profiles, Vec<NamedFile>) {
    let mut profiles = Profiles::default();
    let mut files = Vec::new();
    for (name, settings) in &spec.profiles {
        let mut resolver = Resolver::new(&profiles);
        let settings = resolver.settings(settings, found);
        files.append(&mut resolver.files);
        profiles.add(name.value.trim(), settings);
    }
    (profiles, files)
}

/// What a link or segment asks for. `names` are those that each member goes by, the full one
/// first.
pub(super) fn resolve(
    spec: &AskedSpec,
    names: &[Vec<String>],
    profiles: &Profiles,
    found: &mut Diagnostics,
) -> Asked {
    let mut asked = Asked {
        state: spec.state,
        impairments: vec![Impairment::default(); names.len()],
        files: Vec::new(),
        place: spec.place,
    };
    if spec.place.is_none() {
        return asked;
    }
    let mut resolver = Resolver::new(profiles);
    if let Some(both) = &spec.both {
        let settings = resolver.settings(both, found);
        for impairment in &mut asked.impairments {
            impairment.settings = settings.clone();
        }
    }
    for (who, from) in &spec.from {
        let settings = resolver.settings(from, found);
        for position in members(who, names, found) {
            let lane = &mut asked.impairments[position].settings;
            // A profile is a base: what was said before it is gone.
            match from.profile {
                Some(_) => lane.clone_from(&settings),
                None => lane.overlay(&settings),
            }
        }
    }
    for rule in &spec.rules {
        let mut settings = resolver.settings(&rule.settings, found);
        if rule.drops {
            settings.set("loss", "100%").expect("a good value");
        }
        let senders = match &rule.from {
            Some(who) => members(who, names, found),
            None => (0..names.len()).collect(),
        };
        for position in senders {
            asked.impairments[position].rules.push(Rule {
                matches: rule.matches.clone(),
                settings: settings.clone(),
            });
        }
    }
    if let Some(markov) = &spec.markov {
        let chain = resolver.chain(markov, found);
        for impairment in &mut asked.impairments {
            impairment.markov.clone_from(&chain);
        }
    }
    let schedule = resolver.schedule(&spec.schedule, found);
    for impairment in &mut asked.impairments {
        impairment.schedule.clone_from(&schedule);
        resolver.check(impairment, spec.place, found);
    }
    asked.files = resolver.files;
    asked
}

/// The settings of a step that impairs. They name no files, since those are read when a lab is set
/// up and not in its checks.
pub(super) fn settings_of_step(
    spec: &SettingsSpec,
    profiles: &Profiles,
    found: &mut Diagnostics,
) -> Settings {
    let mut resolver = Resolver::new(profiles);
    let settings = resolver.settings(spec, found);
    let impairment = Impairment {
        settings: settings.clone(),
        ..Impairment::default()
    };
    resolver.check(&impairment, Some(spec.span), found);
    if let Some((key, _)) = settings.files().first() {
        let place = resolver.places.get(key).copied();
        found.push(
            Diagnostic::error(
                code::INVALID_CHECK,
                format!("`{key}` of a step cannot name a file"),
            )
            .at(place.unwrap_or(spec.span), "a file")
            .help("give the link that impairment from the start, and let the step change others"),
        );
    }
    settings
}

/// The members that a name means; all that are of a node of that name.
fn members(who: &Spanned<String>, names: &[Vec<String>], found: &mut Diagnostics) -> Vec<usize> {
    let means = |name: &String| name.eq_ignore_ascii_case(who.trim());
    let meant: Vec<usize> = (0..names.len())
        .filter(|position| names[*position].iter().any(means))
        .collect();
    if meant.is_empty() {
        let diagnostic = Diagnostic::error(
            code::UNKNOWN_MEMBER,
            format!("`{}` is not joined by this", shown(who)),
        )
        .at(who.span, "no such end");
        let known = || names.iter().flatten().map(String::as_str);
        let full = names.iter().filter_map(|names| names.first());
        let full: Vec<String> = full.map(|name| format!("`{name}`")).collect();
        found.push(match nearest(who, known()) {
            Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
            None => diagnostic.help(format!("the ends are {}", full.join(", "))),
        });
    }
    meant
}

/// Resolves settings, and remembers where each key and file is written.
struct Resolver<'a> {
    profiles: &'a Profiles,
    places: BTreeMap<&'static str, Span>,
    files: Vec<NamedFile>,
    told: BTreeSet<String>,
}

impl<'a> Resolver<'a> {
    fn new(profiles: &'a Profiles) -> Self {
        Self {
            profiles,
            places: BTreeMap::new(),
            files: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    fn settings(&mut self, spec: &SettingsSpec, found: &mut Diagnostics) -> Settings {
        let settings = match &spec.profile {
            None => spec.own.clone(),
            Some(name) => match self.profiles.base(name) {
                Ok(mut base) => {
                    base.overlay(&spec.own);
                    base
                }
                Err(_) => {
                    found.push(self.unknown_profile(name));
                    spec.own.clone()
                }
            },
        };
        self.places.extend(spec.places.iter().copied());
        for (key, path) in spec.own.files() {
            let mut places = spec.places.iter();
            let place = places.find(|(name, _)| *name == key);
            let mut entries = spec.own.entries().into_iter();
            let value = entries.find(|(name, _)| *name == key);
            self.files.push(NamedFile {
                key,
                value: value.map_or_else(String::new, |(_, value)| value),
                path: path.to_owned(),
                span: place.map_or(spec.span, |(_, span)| *span),
            });
        }
        settings
    }

    fn unknown_profile(&self, name: &Spanned<String>) -> Diagnostic {
        let diagnostic = Diagnostic::error(
            code::INVALID_SETTING,
            format!("there is no profile `{}`", shown(name)),
        )
        .at(name.span, "not known");
        match nearest(name, self.profiles.names()) {
            Some(known) => diagnostic.help(format!("did you mean `{}`?", shown(known))),
            None => diagnostic.help(
                "`profiles` of the lab adds some of your own; one that another stands on comes first",
            ),
        }
    }

    fn chain(
        &mut self,
        spec: &MarkovSpec,
        found: &mut Diagnostics,
    ) -> Option<vnflab_impairment::MarkovSpec> {
        let mut states = Vec::with_capacity(spec.states.len());
        for (name, settings) in &spec.states {
            let next = spec.transitions.iter();
            let next = next.filter(|(from, ..)| from.value == name.value);
            states.push(MarkovState {
                name: name.value.clone(),
                settings: self.settings(settings, found),
                next: next
                    .map(|(_, to, chance)| (to.value.clone(), *chance))
                    .collect(),
            });
        }
        for (from, ..) in &spec.transitions {
            if !spec.states.iter().any(|(name, _)| name.value == from.value) {
                found.push(
                    Diagnostic::error(
                        code::INVALID_STATES,
                        format!("`{}` is no state", shown(from)),
                    )
                    .at(from.span, "not among `states`")
                    .help("add it to `states`, or remove it here"),
                );
            }
        }
        let chain = vnflab_impairment::MarkovSpec {
            every: spec.every,
            states,
        };
        let problems = chain.check();
        for problem in &problems {
            let place = match problem {
                SpecProblem::Unknown { from, to, .. } => spec
                    .transitions
                    .iter()
                    .find(|(one, other, _)| (&one.value, &other.value) == (from, to))
                    .map(|(_, to, _)| to.span),
                SpecProblem::Sum(state) | SpecProblem::Twice(state) => spec
                    .states
                    .iter()
                    .find(|(name, _)| name.value == *state)
                    .map(|(name, _)| name.span),
                _ => None,
            };
            let text = printable(&problem.to_string());
            found.push(
                Diagnostic::error(code::INVALID_STATES, "the states cannot follow each other")
                    .at(place.unwrap_or(spec.span), text)
                    .help("each state has a name, and goes to others with 100% in all at most"),
            );
        }
        problems.is_empty().then_some(chain)
    }

    fn schedule(&mut self, spec: &[ChangeSpec], found: &mut Diagnostics) -> Vec<Change> {
        let mut schedule = Vec::with_capacity(spec.len());
        for change in spec {
            let action = match &change.then {
                Then::Down => Action::Down,
                Then::Up => Action::Up,
                Then::Reset => Action::Reset,
                Then::Set(settings) => {
                    // A profile is a base: what holds until then ends with it.
                    if settings.profile.is_some() {
                        schedule.push(Change {
                            at: change.at,
                            action: Action::Reset,
                        });
                    }
                    Action::Set(Box::new(self.settings(settings, found)))
                }
            };
            let at = change.at;
            schedule.push(Change { at, action });
        }
        schedule
    }

    /// Tells what has no effect, or cannot be had together, in any of the settings that a frame
    /// can meet.
    fn check(&mut self, impairment: &Impairment, place: Option<Span>, found: &mut Diagnostics) {
        let lane = &impairment.settings;
        let over = |settings: &Settings| {
            let mut whole = lane.clone();
            whole.overlay(settings);
            whole
        };
        let rules = impairment.rules.iter().map(|rule| rule.settings.clone());
        let states = impairment.markov.iter().flat_map(|chain| &chain.states);
        let states = states.map(|state| over(&state.settings));
        let changes = impairment
            .schedule
            .iter()
            .filter_map(|change| match &change.action {
                Action::Set(settings) => Some(over(settings)),
                _ => None,
            });
        let all = std::iter::once(lane.clone())
            .chain(rules)
            .chain(states)
            .chain(changes);
        // Files are attached later; that they are not yet is no mistake.
        let unread = |settings: &Settings, problem: &SettingProblem| {
            let files = settings.files();
            problem.severity == Severity::Impossible
                && files.iter().any(|(key, _)| *key == problem.key)
        };
        let problems = all.flat_map(|settings| {
            let mut problems = settings.check();
            problems.retain(|problem| !unread(&settings, problem));
            problems
        });
        for problem in problems {
            if !self.told.insert(problem.text.clone()) {
                continue;
            }
            let Some(span) = self.places.get(problem.key).copied().or(place) else {
                continue;
            };
            let text = printable(&problem.text);
            found.push(match problem.severity {
                Severity::NoEffect => {
                    Diagnostic::warning(code::IGNORED, format!("`{}` has no effect", problem.key))
                        .at(span, text)
                        .help("remove it, or write what it needs")
                }
                Severity::Impossible => Diagnostic::error(
                    code::SETTING_CONFLICT,
                    format!("`{}` cannot be had beside the others", problem.key),
                )
                .at(span, text)
                .help("change one of the two"),
            });
        }
    }
}
