//! A file tree in memory, as it will stand in the guest: paths, modes, owners, contents.
//!
//! It does no I/O. The invariants: every entry's parents are in the tree as folders, paths carry
//! no leading slash, and the tree is "usr-merged" (`bin`, `sbin`, `lib`, `lib64` are links into
//! `usr`), because Debian 12 packages still mix both spellings.

use std::collections::BTreeMap;

/// What one path is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Directory,
    File(Vec<u8>),
    Symlink(String),
}

/// Owner of an entry, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// The superuser and its group.
pub(crate) const ROOT: Owner = Owner { uid: 0, gid: 0 };

/// One path of the tree. `mode` holds the twelve permission bits only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) owner: Owner,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FileTree {
    entries: BTreeMap<String, Entry>,
}

/// Top-level folders that Debian merges into `/usr`.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// The path as the tree spells it: no leading `/` or `./`, merged into `usr`.
pub(crate) fn canonical(path: &str) -> String {
    let path = path
        .trim_start_matches("./")
        .trim_start_matches('/')
        .trim_end_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) && path != first {
        format!("usr/{path}")
    } else {
        path.to_owned()
    }
}

impl FileTree {
    /// An empty tree that has the merged-`/usr` links.
    pub(crate) fn merged() -> FileTree {
        let mut tree = FileTree::default();
        for name in MERGED {
            tree.add_directory(&format!("usr/{name}"), 0o755);
            tree.insert(
                name.to_owned(),
                0o777,
                Content::Symlink(format!("usr/{name}")),
            );
        }
        tree
    }

    pub(crate) fn add_directory(&mut self, path: &str, mode: u32) {
        self.insert(canonical(path), mode, Content::Directory);
    }

    pub(crate) fn add_file(&mut self, path: &str, mode: u32, bytes: Vec<u8>) {
        self.insert(canonical(path), mode, Content::File(bytes));
    }

    pub(crate) fn add_symlink(&mut self, path: &str, target: &str) {
        self.insert(canonical(path), 0o777, Content::Symlink(target.to_owned()));
    }

    /// Gives an entry another owner. Nothing happens when the path is not in the tree.
    pub(crate) fn set_owner(&mut self, path: &str, owner: Owner) {
        if let Some(entry) = self.entries.get_mut(&canonical(path)) {
            entry.owner = owner;
        }
    }

    pub(crate) fn holds(&self, path: &str) -> bool {
        self.entries.contains_key(&canonical(path))
    }

    /// Takes one entry over from another tree. Nothing happens when it is not there.
    pub(crate) fn copy_from(&mut self, other: &FileTree, path: &str) {
        let path = canonical(path);
        if let Some(entry) = other.entries.get(&path).cloned() {
            self.insert(path, entry.mode, entry.content);
        }
    }

    /// Entries in byte order of their paths; parents come before children.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_str(), entry))
    }

    fn insert(&mut self, path: String, mode: u32, content: Content) {
        let mut end = 0;
        while let Some(slash) = path[end..].find('/') {
            end += slash;
            self.entries.entry(path[..end].to_owned()).or_insert(Entry {
                mode: 0o755,
                owner: ROOT,
                content: Content::Directory,
            });
            end += 1;
        }
        self.entries.insert(
            path,
            Entry {
                mode,
                owner: ROOT,
                content,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_merged_into_usr() {
        assert_eq!(canonical("./bin/busybox"), "usr/bin/busybox");
        assert_eq!(canonical("/usr/bin/vtysh"), "usr/bin/vtysh");
        assert_eq!(canonical("lib"), "lib");
        assert_eq!(canonical("/etc/frr/"), "etc/frr");
    }

    #[test]
    fn parents_stand_before_their_children() {
        let mut tree = FileTree::merged();
        tree.add_file("/etc/frr/frr.conf", 0o640, b"x".to_vec());
        let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
        let place = |wanted: &str| paths.iter().position(|path| *path == wanted).unwrap();
        assert!(place("etc") < place("etc/frr") && place("etc/frr") < place("etc/frr/frr.conf"));
    }
}
