//! All kinds that are known: those that come with the program and those of the user's folder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::file::KindFile;
use super::mistake::Author;
use super::recipes::RecipesFile;
use super::{Kind, Mistake};

/// Longest chain of parents; more would be a mistake rather than a family.
const PARENT_LIMIT: usize = 8;

/// The kinds that come with the program, one file each.
const EMBEDDED: &[(&str, &str)] = &[
    ("alpine.yaml", include_str!("../../../../kinds/alpine.yaml")),
    ("aoscx.yaml", include_str!("../../../../kinds/aoscx.yaml")),
    ("asav.yaml", include_str!("../../../../kinds/asav.yaml")),
    (
        "base-bsd.yaml",
        include_str!("../../../../kinds/base-bsd.yaml"),
    ),
    (
        "base-ios.yaml",
        include_str!("../../../../kinds/base-ios.yaml"),
    ),
    (
        "base-iosxe.yaml",
        include_str!("../../../../kinds/base-iosxe.yaml"),
    ),
    (
        "base-iosxr.yaml",
        include_str!("../../../../kinds/base-iosxr.yaml"),
    ),
    (
        "base-junos.yaml",
        include_str!("../../../../kinds/base-junos.yaml"),
    ),
    (
        "base-linux.yaml",
        include_str!("../../../../kinds/base-linux.yaml"),
    ),
    (
        "base-vjunos.yaml",
        include_str!("../../../../kinds/base-vjunos.yaml"),
    ),
    ("base.yaml", include_str!("../../../../kinds/base.yaml")),
    ("c8000v.yaml", include_str!("../../../../kinds/c8000v.yaml")),
    ("cat9kv.yaml", include_str!("../../../../kinds/cat9kv.yaml")),
    ("centos.yaml", include_str!("../../../../kinds/centos.yaml")),
    ("chr.yaml", include_str!("../../../../kinds/chr.yaml")),
    (
        "cumulus.yaml",
        include_str!("../../../../kinds/cumulus.yaml"),
    ),
    ("debian.yaml", include_str!("../../../../kinds/debian.yaml")),
    ("eos.yaml", include_str!("../../../../kinds/eos.yaml")),
    ("fedora.yaml", include_str!("../../../../kinds/fedora.yaml")),
    (
        "fortigate.yaml",
        include_str!("../../../../kinds/fortigate.yaml"),
    ),
    (
        "freebsd.yaml",
        include_str!("../../../../kinds/freebsd.yaml"),
    ),
    ("frr.yaml", include_str!("../../../../kinds/frr.yaml")),
    ("ftdv.yaml", include_str!("../../../../kinds/ftdv.yaml")),
    ("ios.yaml", include_str!("../../../../kinds/ios.yaml")),
    ("iosv.yaml", include_str!("../../../../kinds/iosv.yaml")),
    ("iosvl2.yaml", include_str!("../../../../kinds/iosvl2.yaml")),
    ("linux.yaml", include_str!("../../../../kinds/linux.yaml")),
    ("nxos.yaml", include_str!("../../../../kinds/nxos.yaml")),
    (
        "openbsd.yaml",
        include_str!("../../../../kinds/openbsd.yaml"),
    ),
    (
        "openwrt.yaml",
        include_str!("../../../../kinds/openwrt.yaml"),
    ),
    ("os10.yaml", include_str!("../../../../kinds/os10.yaml")),
    ("ovs.yaml", include_str!("../../../../kinds/ovs.yaml")),
    ("panos.yaml", include_str!("../../../../kinds/panos.yaml")),
    ("sonic.yaml", include_str!("../../../../kinds/sonic.yaml")),
    ("sros.yaml", include_str!("../../../../kinds/sros.yaml")),
    ("ubuntu.yaml", include_str!("../../../../kinds/ubuntu.yaml")),
    (
        "vjunos-evolved.yaml",
        include_str!("../../../../kinds/vjunos-evolved.yaml"),
    ),
    (
        "vjunos-router.yaml",
        include_str!("../../../../kinds/vjunos-router.yaml"),
    ),
    (
        "vjunos-switch.yaml",
        include_str!("../../../../kinds/vjunos-switch.yaml"),
    ),
    ("vmx.yaml", include_str!("../../../../kinds/vmx.yaml")),
    ("vqfx.yaml", include_str!("../../../../kinds/vqfx.yaml")),
    ("vsrx.yaml", include_str!("../../../../kinds/vsrx.yaml")),
    ("vyos.yaml", include_str!("../../../../kinds/vyos.yaml")),
    (
        "windows.yaml",
        include_str!("../../../../kinds/windows.yaml"),
    ),
    ("xrv.yaml", include_str!("../../../../kinds/xrv.yaml")),
    ("xrv9k.yaml", include_str!("../../../../kinds/xrv9k.yaml")),
];

/// A kind's file, and who wrote it.
struct Written {
    file: String,
    author: Author,
    kind: KindFile,
}

/// The files of all kinds, by the kinds' names.
type Files = BTreeMap<String, Written>;

/// Kinds by name and by alias.
#[derive(Debug, Clone)]
pub struct Catalogue {
    kinds: BTreeMap<String, Arc<Kind>>,
    aliases: BTreeMap<String, String>,
}

/// What is wrong with a catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// A file is not in the form of a kind.
    #[error("{file}: {reason}")]
    Form {
        /// The file.
        file: String,
        /// What its reader said, with the line.
        reason: String,
    },
    /// A parent does not exist.
    #[error("{file}: the parent `{parent}` is not known")]
    Parent {
        /// The file.
        file: String,
        /// The name that it gives.
        parent: String,
    },
    /// A kind is its own ancestor, or its ancestors are too many.
    #[error("{file}: more than {PARENT_LIMIT} parents, or a circle of them")]
    Ancestry {
        /// The file.
        file: String,
    },
    /// A value makes no sense.
    #[error("{file}: {mistake}")]
    Value {
        /// The file.
        file: String,
        /// What is wrong with it.
        mistake: Mistake,
    },
    /// Two kinds answer to one name.
    #[error("`{name}` names both `{first}` and `{second}`")]
    Name {
        /// The name or alias.
        name: String,
        /// The kind that has it already.
        first: String,
        /// The kind that wants it too.
        second: String,
    },
}

impl Catalogue {
    /// The kinds that come with the program.
    ///
    /// # Panics
    ///
    /// Never: the embedded files are checked by this module's tests.
    pub fn embedded() -> Self {
        // Read once: forty files and their patterns take a while.
        static EMBEDDED_KINDS: LazyLock<Catalogue> = LazyLock::new(|| {
            Catalogue::with_overlay(&[]).expect("the embedded kinds are valid, a test says so")
        });
        EMBEDDED_KINDS.clone()
    }

    /// The kinds that come with the program, overlaid by files of the user: a kind of the same
    /// name takes the place of ours.
    ///
    /// # Errors
    ///
    /// Every file that is not a kind, every parent that is missing, and every name that two
    /// kinds claim: all at once.
    pub fn with_overlay(overlay: &[(String, String)]) -> Result<Self, Vec<CatalogueError>> {
        let mut errors = Vec::new();
        let mut files = Files::new();
        let ours = EMBEDDED.iter().copied();
        let ours = ours.map(|(file, text)| (Author::Project, file, text));
        let theirs = overlay.iter();
        let theirs = theirs.map(|(file, text)| (Author::User, file.as_str(), text.as_str()));
        for (author, file, text) in ours.chain(theirs) {
            let file = file.to_owned();
            match serde_saphyr::from_str::<KindFile>(text) {
                Ok(kind) => {
                    let name = kind.name.clone();
                    files.insert(name, Written { file, author, kind });
                }
                Err(error) => errors.push(CatalogueError::Form {
                    file,
                    reason: error.to_string(),
                }),
            }
        }
        let mut kinds = BTreeMap::new();
        for (name, Written { file, kind, .. }) in &files {
            if kind.is_abstract {
                continue;
            }
            match complete(file, kind, &files) {
                Ok(kind) => {
                    kinds.insert(name.clone(), Arc::new(kind));
                }
                Err(found) => errors.extend(found),
            }
        }
        let aliases = aliases(&kinds, &mut errors);
        if errors.is_empty() {
            Ok(Self { kinds, aliases })
        } else {
            Err(errors)
        }
    }

    /// Names of all that comes with the program, families too.
    pub(super) fn embedded_names() -> impl Iterator<Item = &'static str> {
        let files = EMBEDDED.iter();
        files.filter_map(|(file, _)| file.strip_suffix(".yaml"))
    }

    /// The kind behind a name or an alias; upper and lower case are the same.
    pub fn find(&self, name: &str) -> Option<&Arc<Kind>> {
        let lower = name.to_lowercase();
        let own = self.aliases.get(&lower).unwrap_or(&lower);
        self.kinds.get(own)
    }

    /// All kinds, by name.
    pub fn kinds(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.kinds.values()
    }

    /// All names and aliases, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kinds
            .keys()
            .chain(self.aliases.keys())
            .map(String::as_str)
    }
}

fn complete(file: &str, kind: &KindFile, files: &Files) -> Result<Kind, Vec<CatalogueError>> {
    let mut whole = kind.clone();
    let mut parent = kind.parent.as_deref();
    for _ in 0..PARENT_LIMIT {
        let Some(name) = parent else {
            whole.recipes = recipes(kind, files, PARENT_LIMIT).map_err(|mistake| {
                let file = file.to_owned();
                vec![CatalogueError::Value { file, mistake }]
            })?;
            return whole
                .into_kind(author(kind, files, PARENT_LIMIT))
                .map_err(|found| {
                    let error = |mistake| CatalogueError::Value {
                        file: file.to_owned(),
                        mistake,
                    };
                    found.into_iter().map(error).collect()
                });
        };
        let Some(Written { kind: ancestor, .. }) = files.get(name) else {
            return Err(vec![CatalogueError::Parent {
                file: file.to_owned(),
                parent: name.to_owned(),
            }]);
        };
        whole.inherit(ancestor);
        parent = ancestor.parent.as_deref();
    }
    Err(vec![CatalogueError::Ancestry {
        file: file.to_owned(),
    }])
}

/// Whether somebody else wrote a kind, or one that it takes something over from.
fn author(kind: &KindFile, files: &Files, depth: usize) -> Author {
    let Some(depth) = depth.checked_sub(1) else {
        return Author::User;
    };
    let others = [
        Some(&kind.name),
        kind.parent.as_ref(),
        kind.recipes.like.as_ref(),
    ];
    let mut others = others
        .into_iter()
        .flatten()
        .filter_map(|name| files.get(name));
    let is_theirs = others.any(|other| {
        other.author == Author::User
            || (other.kind.name != kind.name && author(&other.kind, files, depth) == Author::User)
    });
    if is_theirs {
        Author::User
    } else {
        Author::Project
    }
}

/// A kind's own recipes, with those of the kind that it is like and those of its parent where it
/// has none.
fn recipes(kind: &KindFile, files: &Files, depth: usize) -> Result<RecipesFile, Mistake> {
    let mistake = |reason: &str| Mistake {
        path: vec!["recipes".to_owned(), "like".to_owned()],
        reason: reason.to_owned(),
        help: None,
    };
    let mut whole = kind.recipes.clone();
    for name in [&kind.recipes.like, &kind.parent].into_iter().flatten() {
        if depth == 0 {
            return Err(mistake("leads in a circle, or through too many kinds"));
        }
        let other = files.get(name);
        let other = other.ok_or_else(|| mistake(&format!("there is no kind `{name}`")))?;
        whole.inherit(&recipes(&other.kind, files, depth - 1)?);
    }
    Ok(whole)
}

fn aliases(
    kinds: &BTreeMap<String, Arc<Kind>>,
    errors: &mut Vec<CatalogueError>,
) -> BTreeMap<String, String> {
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
    for kind in kinds.values() {
        for alias in kind.aliases.iter().map(|alias| alias.to_lowercase()) {
            let holder = if kinds.contains_key(&alias) {
                Some(&alias)
            } else {
                aliases.get(&alias)
            };
            match holder {
                Some(first) if seen.insert((alias.clone(), kind.name.clone())) => {
                    errors.push(CatalogueError::Name {
                        first: first.clone(),
                        second: kind.name.clone(),
                        name: alias,
                    });
                }
                Some(_) => {}
                None => {
                    aliases.insert(alias, kind.name.clone());
                }
            }
        }
    }
    aliases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_kinds_are_valid_and_found_by_alias() {
        // As if a user had written them, so that every pattern is tried.
        let theirs = EMBEDDED.iter();
        let theirs = theirs.map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        let catalogue = Catalogue::with_overlay(&theirs.collect::<Vec<_>>()).unwrap();
        let names: Vec<_> = catalogue.kinds().map(|kind| kind.name.as_str()).collect();
        let files = EMBEDDED
            .iter()
            .filter_map(|(file, _)| file.strip_suffix(".yaml"));
        let own: Vec<_> = files.filter(|name| !name.starts_with("base")).collect();
        assert_eq!(names, own, "a file is named as its kind");
        assert_eq!(catalogue.find("Cisco_CSR1000v").unwrap().name, "ios");
    }

    #[test]
    fn an_overlay_replaces_a_kind_and_may_inherit_from_ours() {
        let mine = "name: mine\nparent: eos\nhardware: {memory-mib: 2048}\n";
        let catalogue =
            Catalogue::with_overlay(&[("mine.yaml".to_owned(), mine.to_owned())]).unwrap();
        let (mine, eos) = (
            catalogue.find("mine").unwrap(),
            catalogue.find("eos").unwrap(),
        );
        assert_eq!(mine.hardware.memory_mib, 2048);
        assert_eq!(mine.hardware.nic_model, eos.hardware.nic_model);
        assert!(mine.aliases.is_empty());
    }

    #[test]
    fn a_pattern_that_a_kind_of_ours_takes_over_from_a_user_is_tried() {
        let family =
            "name: base-ios\nparent: base\nabstract: true\nconsole: {prompts: [\"a(b\"]}\n";
        let errors = Catalogue::with_overlay(&[("mine.yaml".to_owned(), family.to_owned())]);
        let errors = errors.unwrap_err();
        let told = "`console.prompts.0`: `a(b` is not a pattern: unclosed group";
        assert!(errors[0].to_string().contains(told), "{errors:?}");
    }

    #[test]
    fn recipes_are_those_of_the_kind_that_it_is_like() {
        let overlay =
            |text: &str| Catalogue::with_overlay(&[("mine.yaml".to_owned(), text.to_owned())]);
        let catalogue = overlay("name: mine\nparent: eos\nrecipes: {like: frr}\n").unwrap();
        let recipes = |kind: &str| catalogue.find(kind).unwrap().recipes.clone();
        assert_eq!(recipes("mine"), recipes("frr"));
        let unknown = overlay("name: mine\nrecipes: {like: nobody}\n").unwrap_err();
        let told = "mine.yaml: `recipes.like`: there is no kind `nobody`";
        assert_eq!(unknown[0].to_string(), told);
        let circle = overlay("name: mine\nrecipes: {like: mine}\n").unwrap_err();
        assert!(circle[0].to_string().contains("circle"), "{circle:?}");
    }

    #[test]
    fn all_mistakes_of_an_overlay_are_told_at_once() {
        let overlay = [
            ("a.yaml", "name: a\ncolour: red\n"),
            ("b.yaml", "name: b\nparent: nobody\n"),
            ("c.yaml", "name: c\nparent: d\n"),
            ("d.yaml", "name: d\nparent: c\nabstract: true\n"),
            ("e.yaml", "name: e\ninterfaces: {names: [eth]}\n"),
            ("f.yaml", "name: f\naliases: [veos]\n"),
        ]
        .map(|(file, text)| (file.to_owned(), text.to_owned()));
        let errors = Catalogue::with_overlay(&overlay).unwrap_err();
        // The unreadable file stops nothing else from being told, but the alias check sees
        // only kinds that are complete.
        assert_eq!(errors.len(), 5, "{errors:#?}");
    }
}
