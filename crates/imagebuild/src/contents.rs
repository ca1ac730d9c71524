//! Reads the two lists that say what goes into an image: packages with their paths, and modules.
//!
//! The lists are the crate's own files, embedded at build time; a unit test reads them, so an
//! error in them cannot reach a user.

use crate::BuildError;

/// A path taken from a package, and its place in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TakenPath {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// A package and what is taken from it. Without paths it gives shared libraries only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageContents {
    pub(crate) package: String,
    pub(crate) paths: Vec<TakenPath>,
}

/// Reads a package list: `PACKAGE [PATH | FROM=>TO]...` a line, `#` begins a comment.
pub(crate) fn packages(text: &str) -> Vec<PackageContents> {
    significant(text)
        .map(|line| {
            let mut words = line.split_whitespace();
            let package = words.next().unwrap_or_default().to_owned();
            let paths = words
                .map(|word| {
                    let (from, to) = word.split_once("=>").unwrap_or((word, word));
                    TakenPath {
                        from: from.to_owned(),
                        to: to.to_owned(),
                    }
                })
                .collect();
            PackageContents { package, paths }
        })
        .collect()
}

/// Kernel modules by the place where they are needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ModuleLists {
    pub(crate) boot: Vec<String>,
    pub(crate) system: Vec<String>,
}

/// Reads a module list with its `[boot]` and `[system]` parts.
pub(crate) fn modules(text: &str) -> Result<ModuleLists, BuildError> {
    let mut lists = ModuleLists::default();
    let mut current: Option<&mut Vec<String>> = None;
    for line in significant(text) {
        match (line, &mut current) {
            ("[boot]", _) => current = Some(&mut lists.boot),
            ("[system]", _) => current = Some(&mut lists.system),
            (name, Some(list)) => list.push(name.to_owned()),
            (name, None) => {
                return Err(BuildError::ModuleList {
                    line: name.to_owned(),
                });
            }
        }
    }
    Ok(lists)
}

fn significant(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_lists_can_be_read() {
        let packages = packages(crate::guest::CONTENTS);
        assert!(
            packages
                .iter()
                .any(|entry| entry.package == "frr" && entry.paths.len() > 10)
        );
        let modules = modules(crate::guest::MODULES).unwrap();
        assert!(modules.boot.contains(&"ext4".to_owned()));
        assert!(modules.system.contains(&"e1000".to_owned()));
    }

    #[test]
    fn no_package_is_named_twice() {
        let mut names: Vec<String> = packages(crate::guest::CONTENTS)
            .into_iter()
            .map(|entry| entry.package)
            .collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_renamed_path_keeps_both_names() {
        let list = packages("traceroute /usr/bin/traceroute.db=>/usr/bin/traceroute # why\n");
        assert_eq!(list[0].paths[0].from, "/usr/bin/traceroute.db");
        assert_eq!(list[0].paths[0].to, "/usr/bin/traceroute");
    }
}
