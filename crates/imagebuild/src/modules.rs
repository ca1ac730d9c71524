//! Picks kernel modules and all that they depend on, and indexes them for `modprobe`.
//!
//! The kernel package ships no dependency index (it is made at installation), so dependencies are
//! read from the modules themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::tools::Run;
use crate::tree::FileTree;
use crate::{BuildError, elf, io_error};

/// The modules of one kernel, unpacked below a folder.
pub(crate) struct KernelModules<'a> {
    folder: &'a Path,
    version: &'a str,
    /// Canonical path below the folder by module name (`-` written as `_`).
    paths: BTreeMap<String, String>,
}

/// Index files made by `depmod` that busybox's and kmod's `modprobe` read.
const INDEX_FILES: [&str; 4] = [
    "modules.dep",
    "modules.alias",
    "modules.symbols",
    "modules.softdep",
];

/// Files of the kernel package that tell what is built in.
const BUILTIN_FILES: [&str; 3] = [
    "modules.builtin",
    "modules.builtin.modinfo",
    "modules.order",
];

impl<'a> KernelModules<'a> {
    pub(crate) fn new(folder: &'a Path, version: &'a str, unpacked: &[String]) -> Self {
        let paths = unpacked
            .iter()
            .filter_map(|path| {
                let file = path.rsplit('/').next()?;
                Some((file.strip_suffix(".ko")?.replace('-', "_"), path.clone()))
            })
            .collect();
        KernelModules {
            folder,
            version,
            paths,
        }
    }

    /// Paths of the named modules and of everything they depend on.
    pub(crate) fn closure(&self, names: &[String]) -> Result<BTreeSet<String>, BuildError> {
        let mut todo = Vec::new();
        for name in names {
            let wanted = name.replace('-', "_");
            let matching: Vec<&String> = match wanted.strip_suffix('*') {
                Some(prefix) => self
                    .paths
                    .keys()
                    .filter(|key| key.starts_with(prefix))
                    .collect(),
                None => self.paths.keys().filter(|key| **key == wanted).collect(),
            };
            // A driver that is built into this kernel is as good as a module.
            if matching.is_empty() && !self.is_built_in(&wanted)? {
                return Err(BuildError::ModuleUnknown {
                    module: name.clone(),
                });
            }
            todo.extend(matching.into_iter().cloned());
        }
        let mut taken = BTreeSet::new();
        while let Some(name) = todo.pop() {
            let Some(path) = self.paths.get(&name) else {
                continue;
            };
            if !taken.insert(path.clone()) {
                continue;
            }
            let file = self.folder.join(path);
            let bytes = fs::read(&file).map_err(io_error(&file))?;
            for (key, value) in elf::module_facts(&bytes) {
                if key == "depends" {
                    let names = value.split(',').filter(|name| !name.is_empty());
                    todo.extend(names.map(|name| name.replace('-', "_")));
                }
            }
        }
        Ok(taken)
    }

    /// Puts the modules and an index of just these into the tree.
    pub(crate) fn install(
        &self,
        paths: &BTreeSet<String>,
        work: &Path,
        tree: &mut FileTree,
    ) -> Result<(), BuildError> {
        let root = tempfile::Builder::new()
            .prefix("modules-")
            .tempdir_in(work)
            .map_err(io_error(work))?;
        // depmod of a usr-merged host looks below /lib, which may be a link there but not here.
        let base = format!("lib/modules/{}", self.version);
        let copy = |path: &str| -> Result<(), BuildError> {
            let place = root.path().join(path.trim_start_matches("usr/"));
            let parent = place.parent().unwrap_or(root.path());
            fs::create_dir_all(parent).map_err(io_error(parent))?;
            fs::copy(self.folder.join(path), &place).map_err(io_error(&place))?;
            Ok(())
        };
        for path in paths {
            copy(path)?;
            let file = self.folder.join(path);
            tree.add_file(path, 0o644, fs::read(&file).map_err(io_error(&file))?);
        }
        for name in BUILTIN_FILES {
            copy(&format!("usr/{base}/{name}"))?;
        }
        Run::new("depmod")
            .arg("-b")
            .arg(root.path())
            .arg(self.version)
            .output()?;
        for name in INDEX_FILES {
            let file = root.path().join(&base).join(name);
            tree.add_file(
                &format!("usr/{base}/{name}"),
                0o644,
                fs::read(&file).map_err(io_error(&file))?,
            );
        }
        Ok(())
    }

    fn is_built_in(&self, name: &str) -> Result<bool, BuildError> {
        let file = self
            .folder
            .join(format!("usr/lib/modules/{}/modules.builtin", self.version));
        let text = fs::read_to_string(&file).map_err(io_error(&file))?;
        Ok(text.lines().any(|line| {
            let base = line.rsplit('/').next().unwrap_or(line);
            base.trim_end_matches(".ko").replace('-', "_") == name
        }))
    }
}
