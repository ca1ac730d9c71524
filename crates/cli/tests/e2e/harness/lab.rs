//! A lab of a test: a folder of its own with a lab file, a name that nobody else has, and a guard
//! that takes it down.

use super::program::{Program, Ran};
use super::wait::{BOOT_PATIENCE, until};
use super::witness;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// Exit code of `up --wait` when nodes were not ready in time.
const NOT_READY: i32 = 6;

/// Exit code of commands that are given a name that nothing has.
const NOT_FOUND: i32 = 5;

/// Memory of routers that start only what they are configured for.
pub(crate) const SMALL_MIB: u32 = 160;

/// A lab that is gone when this value is.
pub(crate) struct Lab {
    program: Program,
    name: String,
    folder: PathBuf,
    arguments: Vec<String>,
    // Removed last.
    _root: TempDir,
}

impl Lab {
    /// A lab in the native format: the text of a lab file without its `name`.
    pub(crate) fn native(tag: &str, text: &str) -> Self {
        let lab = Self::empty(Program::new(), &std::env::temp_dir(), tag);
        lab.write(text);
        lab
    }

    /// A copy of one of `examples/`, under a name of its own.
    pub(crate) fn example(tag: &str, example: &str) -> Self {
        Self::example_of(Program::new(), &std::env::temp_dir(), tag, example)
    }

    /// The same with routers of little memory, which start only the daemons that are configured:
    /// a third less to do for the processors.
    pub(crate) fn small_example(tag: &str, example: &str) -> Self {
        let lab = Self::example(tag, example);
        let file = lab.folder.join("lab.yaml");
        let text = fs::read_to_string(&file).unwrap();
        let small = text
            .replace("{kind: frr", &format!("{{kind: frr, memory: {SMALL_MIB}"))
            .replace(
                "  kind: frr\n",
                &format!("  kind: frr\n  memory: {SMALL_MIB}\n"),
            );
        assert_ne!(small, text, "{example} has routers");
        fs::write(&file, small).unwrap();
        lab
    }

    /// The same for a program of another user, below a folder that this user can read.
    pub(crate) fn example_of(program: Program, above: &Path, tag: &str, example: &str) -> Self {
        let lab = Self::empty(program, above, tag);
        copy_folder(&examples().join(example), &lab.folder);
        let file = lab.folder.join("lab.yaml");
        // The origin's labs have no lab file: their folder is their name.
        if let Ok(text) = fs::read_to_string(&file) {
            let named = format!("name: {example}");
            assert!(text.contains(&named), "{example} has its folder's name");
            fs::write(&file, text.replace(&named, &format!("name: {}", lab.name))).unwrap();
        }
        lab
    }

    fn empty(program: Program, above: &Path, tag: &str) -> Self {
        let root = tempfile::Builder::new()
            .prefix("vnf-")
            .tempdir_in(above)
            .unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let name = format!("t{}-{tag}", std::process::id());
        // As the command records it: without symbolic links.
        let folder = fs::canonicalize(root.path()).unwrap().join(&name);
        fs::create_dir(&folder).unwrap();
        Self {
            program,
            name,
            folder,
            arguments: Vec::new(),
            _root: root,
        }
    }

    /// With arguments that every `plan` and `up` of it gets, such as a stand-in.
    pub(crate) fn with_arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// The program that it is worked on with.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the lab file anew: the text without its `name`.
    pub(crate) fn write(&self, text: &str) {
        let text = format!("name: {}\n{text}", self.name);
        fs::write(self.folder.join("lab.yaml"), text).unwrap();
    }

    /// Gives the origin's ring other ports than its own, which may be in use beside this.
    pub(crate) fn move_ports_of_the_origin(&self) {
        for entry in fs::read_dir(self.folder.join("nodes")).unwrap().flatten() {
            let text = fs::read_to_string(entry.path()).unwrap();
            let moved = text
                .replace("port: 10", "port: 30")
                .replace("port: 30000", "port: 10000")
                .replace("console_port: 20", "console_port: 32");
            fs::write(entry.path(), moved).unwrap();
        }
    }

    /// The name of a node's domain, by which commands know it, too.
    pub(crate) fn domain(&self, node: &str) -> String {
        format!("{}.{node}", self.name)
    }

    /// Runs `vnflab VERB FOLDER ARGUMENTS... MORE...`.
    pub(crate) fn run(&self, verb: &str, more: &[&str]) -> Ran {
        let mut line = vec![verb, self.folder.to_str().unwrap()];
        line.extend(self.arguments.iter().map(String::as_str));
        line.extend(more);
        self.program.run(&line)
    }

    /// `vnflab up` that has to succeed; guests are not waited for.
    #[track_caller]
    pub(crate) fn up(&self) -> Ran {
        self.run("up", &[]).expect_success()
    }

    /// `vnflab up --wait` that has to succeed; on a busy machine the time of a kind may not do, so
    /// that it is waited again.
    #[track_caller]
    pub(crate) fn up_and_wait(&self, more: &[&str]) -> Ran {
        let more = [&["--wait"], more].concat();
        let end = Instant::now() + BOOT_PATIENCE;
        loop {
            let ran = self.run("up", &more);
            if ran.code != Some(NOT_READY) || Instant::now() >= end {
                return ran.expect_success();
            }
        }
    }

    /// The steps that `up` would take.
    #[track_caller]
    pub(crate) fn plan(&self) -> Vec<Value> {
        let plan = self.run("plan", &["--json"]).json("plan");
        plan["steps"].as_array().unwrap().clone()
    }

    /// Its nodes, as `ps` shows them.
    #[track_caller]
    pub(crate) fn ps(&self) -> Vec<Value> {
        let ps = self.program.run(&["ps", "--json", "--lab", &self.name]);
        ps.json("ps")["nodes"].as_array().unwrap().clone()
    }

    /// Its links, as `links` shows them.
    #[track_caller]
    pub(crate) fn links(&self) -> Vec<Value> {
        let links = self.program.run(&["links", "--json", "--lab", &self.name]);
        links.json("links")["links"].as_array().unwrap().clone()
    }

    /// The processes of its VMs, by domain name.
    pub(crate) fn processes(&self) -> std::collections::BTreeMap<String, u32> {
        let found = witness::qemu_processes(&format!("{}.", self.name));
        found.into_iter().map(|(pid, name)| (name, pid)).collect()
    }

    /// Takes it down by its name, be its file still there or not, and looks that nothing is left.
    #[track_caller]
    pub(crate) fn down_without_a_trace(&self) {
        let down = self.program.run(&["down", "--purge", "--lab", &self.name]);
        down.expect_success();
        until("nothing is left", super::wait::PATIENCE, || {
            let traces = witness::traces_of(&self.name);
            match traces.is_empty() {
                true => Ok(()),
                false => Err(format!("{traces:?}")),
            }
        });
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let down = self.program.run(&["down", "--purge", "--lab", &self.name]);
        // Where the proof has taken it down already there is no lab of that name.
        if !matches!(down.code, Some(0 | NOT_FOUND)) {
            eprintln!("`{}` could not be taken down:\n{}", self.name, down.told());
        }
    }
}

/// The folder of examples.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// The names of all examples.
pub(crate) fn all_examples() -> Vec<String> {
    let entries = fs::read_dir(examples()).unwrap().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}
