//! Kinds of several VMs: what each VM beside the main one is, and how the two are joined.
//!
//! The main VM is what the kind says at its top: it has the management interface, the console of
//! the node and its first configuration. A part has hardware, an image and a console of its own,
//! and inherits nothing from the main VM. NICs come in one order everywhere: the first one
//! (management; of a part one that nothing uses), the internal one, dummies, data interfaces.

use super::file::{HardwareFile, ReadyFile};
use super::hardware as rules;
use super::mistake::Mistakes;
use super::{Hardware, Kind, Ready};
use serde::{Deserialize, Serialize};

/// Longest name of a part: it becomes a part of names of domains and files.
const NAME_LIMIT: usize = 16;

/// Most parts beside the main VM. Each has consoles and ports of its own.
const PART_LIMIT: usize = 8;

/// A VM beside the main one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in lab files and on the command line, such as `vfp`.
    pub name: String,
    /// Its name for people, such as `forwarding plane`.
    pub title: String,
    /// The machine that it expects.
    pub hardware: Hardware,
    /// The link to the main VM.
    pub internal: Internal,
    /// NICs behind the internal one that the guest keeps for itself.
    pub dummies: u32,
    /// How one sees on its console that it is up; without patterns it is up once it was started.
    pub ready: Ready,
    /// File names that its images usually have.
    pub image_patterns: Vec<String>,
    /// SHA-256 checksums, in hex, of images that are known to be its.
    pub image_checksums: Vec<String>,
    /// The image of the store that is used when the lab names none.
    pub default_image: String,
}

/// The names of the two NICs of a link between the main VM and a part, as their guests have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Internal {
    /// Of the main VM.
    pub main: String,
    /// Of the part.
    pub part: String,
}

impl Kind {
    /// The position of a part, by name; upper and lower case are the same.
    pub fn part(&self, name: &str) -> Option<usize> {
        let mut parts = self.parts.iter();
        parts.position(|part| part.name.eq_ignore_ascii_case(name))
    }

    /// The part whose NICs the data interfaces are; `None` for the main VM.
    pub fn data_part(&self) -> Option<usize> {
        self.part(self.interfaces.part.as_deref()?)
    }

    /// The names of all its VMs, the main one first; empty where it is one VM.
    pub fn part_names(&self) -> impl Iterator<Item = &str> {
        let others = self.parts.iter().map(|part| part.name.as_str());
        self.main_part.as_deref().into_iter().chain(others)
    }
}

/// A part as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PartFile {
    /// Its name in lab files and on the command line: lower-case letters and digits.
    name: String,
    title: Option<String>,
    #[serde(default)]
    hardware: HardwareFile,
    /// The NICs that join it with the main VM; each is the second of its VM.
    internal: Option<Internal>,
    /// NICs behind the internal one that the guest keeps for itself.
    dummies: Option<u32>,
    /// Without patterns it is up once it was started.
    #[serde(default)]
    ready: ReadyFile,
    image_patterns: Option<Vec<String>>,
    /// SHA-256 in hex.
    image_checksums: Option<Vec<String>>,
    /// The image of the store that is used when the lab names none.
    default_image: Option<String>,
}

impl PartFile {
    fn into_part(self, kind: &str, path: &str, mistakes: &mut Mistakes) -> Part {
        if !is_name(&self.name) {
            mistakes.add(
                &format!("{path}.name"),
                format!(
                    "`{}` is not the name of a part: up to {NAME_LIMIT} lower-case letters and digits",
                    self.name
                ),
            );
        }
        let internal = self.internal.unwrap_or_else(|| {
            mistakes.advise(
                path,
                format!("nothing joins the part `{}` with the main VM", self.name),
                "write `internal: {main: NIC, part: NIC}`",
            );
            Internal {
                main: String::new(),
                part: String::new(),
            }
        });
        let hardware_path = format!("{path}.hardware");
        let hardware = self.hardware.into_hardware(&hardware_path, mistakes);
        rules::machine(&hardware, &hardware_path, mistakes);
        Part {
            title: self.title.unwrap_or_else(|| self.name.clone()),
            hardware,
            internal,
            dummies: self.dummies.unwrap_or(0).min(rules::DUMMY_LIMIT),
            ready: self
                .ready
                .into_ready(&format!("{path}.ready"), &[], mistakes),
            image_patterns: self.image_patterns.unwrap_or_default(),
            image_checksums: rules::checksums(self.image_checksums, path, mistakes),
            default_image: self
                .default_image
                .unwrap_or_else(|| format!("{kind}-{}", self.name)),
            name: self.name,
        }
    }
}

/// The parts of a kind, with everything that is wrong with them and their names.
pub(super) fn parts(
    files: Option<Vec<PartFile>>,
    kind: &str,
    main: Option<&str>,
    data: Option<&str>,
    mistakes: &mut Mistakes,
) -> Vec<Part> {
    let files = files.unwrap_or_default();
    if files.len() > PART_LIMIT {
        mistakes.add("parts", format!("more than {PART_LIMIT} parts"));
    }
    let parts: Vec<Part> = files
        .into_iter()
        .take(PART_LIMIT)
        .enumerate()
        .map(|(index, file)| file.into_part(kind, &format!("parts.{index}"), mistakes))
        .collect();
    match main {
        None if !parts.is_empty() => mistakes.advise(
            "parts",
            "the main VM has no name beside its parts",
            "write `part: NAME` at the top",
        ),
        Some(_) if parts.is_empty() => {
            mistakes.add("part", "names the main VM, yet there are no `parts`");
        }
        Some(name) if !is_name(name) => mistakes.add(
            "part",
            format!("`{name}` is not the name of a part: up to {NAME_LIMIT} lower-case letters and digits"),
        ),
        Some(_) | None => {}
    }
    for (index, part) in parts.iter().enumerate() {
        let before = parts[..index].iter().map(|part| part.name.as_str());
        if before.chain(main).any(|name| name == part.name) {
            mistakes.add(
                &format!("parts.{index}.name"),
                format!("two parts are named `{}`", part.name),
            );
        }
    }
    if let Some(data) = data
        && main != Some(data)
        && !parts.iter().any(|part| part.name == data)
    {
        let names = main
            .into_iter()
            .chain(parts.iter().map(|part| part.name.as_str()));
        let names: Vec<&str> = names.collect();
        mistakes.advise(
            "interfaces.part",
            format!("there is no part `{data}`"),
            match names.is_empty() {
                true => "the kind is one VM; leave it out".to_owned(),
                false => format!("the parts are {}", names.join(", ")),
            },
        );
    }
    parts
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    !text.is_empty() && text.len() <= NAME_LIMIT && text.bytes().all(plain)
}
