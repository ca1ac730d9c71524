//! `vnflab extcap`: the links of running labs as interfaces of Wireshark and tshark.
//!
//! Wireshark asks each program of its extcap folder for interfaces, and starts the one whose
//! interface is chosen with a pipe to write to. Ours is a script of a few lines that calls
//! `vnflab extcap run`. libvirt is not asked: whatever wire runs can be captured.

use super::capture::begin;
use super::capture::pump::{End, Limits, StreamSink, Totals, pump};
use crate::cli::capture::{ExtcapCommand, ExtcapFolderArgs, ExtcapRunArgs};
use crate::context;
use crate::error::{CommandError, ErrorKind};
use crate::render::{self, Screen};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use vnflab_wire::control::Client;
use vnflab_wire::control::protocol::CaptureRequest;

/// What the script is called in Wireshark's folder.
const NAME: &str = "vnflab";

/// A line of the script, by which we know it again.
const MARK: &str = "# Written by `vnflab extcap install`; `vnflab extcap uninstall` removes it.";

/// Since this version the personal extcap folder is below `~/.local/lib`; before, it was beside
/// Wireshark's configuration (release notes of Wireshark 4.2).
const LOCAL_SINCE: (u32, u32) = (4, 2);

pub(super) fn run(command: &ExtcapCommand, screen: &Screen) -> Result<(), CommandError> {
    match command {
        ExtcapCommand::Install(arguments) => install(arguments, screen),
        ExtcapCommand::Uninstall(arguments) => uninstall(arguments, screen),
        ExtcapCommand::Run(arguments) => answer(arguments, screen),
    }
}

fn install(arguments: &ExtcapFolderArgs, screen: &Screen) -> Result<(), CommandError> {
    let folder = match &arguments.dir {
        Some(folder) => folder.clone(),
        None => {
            let [local, old] = personal_folders()?;
            match wireshark_version() {
                Some(version) if version < LOCAL_SINCE => old,
                _ => local,
            }
        }
    };
    let path = folder.join(NAME);
    if path.exists() && !is_ours(&path) {
        let message = format!("`{}` is not ours", path.display());
        return Err(CommandError::new(ErrorKind::Failed, message)
            .hint("Move it away, or name another folder with `--dir`."));
    }
    let program = std::env::current_exe()?;
    write(&folder, &path, &script(&program)).map_err(|error| {
        let message = format!("`{}` cannot be written", path.display());
        CommandError::new(ErrorKind::Failed, message).caused_by(&error)
    })?;
    render::extcap::installed(screen, &path)
}

fn write(folder: &Path, path: &Path, script: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // Wireshark may look at any moment: it finds the whole script or none.
    let draft = folder.join(format!(".{NAME}.new"));
    fs::write(&draft, script)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755))?;
    fs::rename(&draft, path)
}

fn script(program: &Path) -> String {
    let quoted = program.display().to_string().replace('\'', r"'\''");
    format!("#!/bin/sh\n{MARK}\nexec '{quoted}' extcap run \"$@\"\n")
}

fn uninstall(arguments: &ExtcapFolderArgs, screen: &Screen) -> Result<(), CommandError> {
    let folders = match &arguments.dir {
        Some(folder) => vec![folder.clone()],
        None => personal_folders()?.to_vec(),
    };
    let paths = folders.iter().map(|folder| folder.join(NAME));
    let ours: Vec<PathBuf> = paths.filter(|path| is_ours(path)).collect();
    if ours.is_empty() {
        let message = "nothing of ours is in Wireshark's folder";
        return Err(CommandError::new(ErrorKind::NotFound, message));
    }
    for path in &ours {
        fs::remove_file(path).map_err(|error| {
            let message = format!("`{}` cannot be removed", path.display());
            CommandError::new(ErrorKind::Failed, message).caused_by(&error)
        })?;
    }
    render::extcap::uninstalled(screen, &ours)
}

fn is_ours(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line == MARK))
}

/// Where Wireshark looks for a user's own programs: now, and in its old versions.
fn personal_folders() -> Result<[PathBuf; 2], CommandError> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = absolute("HOME").ok_or_else(|| {
        CommandError::new(ErrorKind::Host, "HOME does not name a folder")
            .hint("Name Wireshark's folder with `--dir`.")
    })?;
    let config = absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    Ok([
        home.join(".local/lib/wireshark/extcap"),
        config.join("wireshark/extcap"),
    ])
}

/// The version of Wireshark that is installed, if one is.
fn wireshark_version() -> Option<(u32, u32)> {
    ["wireshark", "tshark"].iter().find_map(|program| {
        let output = Command::new(program).arg("--version").output().ok()?;
        version_in(&String::from_utf8_lossy(&output.stdout))
    })
}

/// Reads `TShark (Wireshark) 4.0.17 (Git ...)`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    let mut words = text.lines().next()?.split_whitespace();
    words.find_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
            _ => None,
        }
    })
}

fn answer(arguments: &ExtcapRunArgs, screen: &Screen) -> Result<(), CommandError> {
    let request = |what: String| CaptureRequest {
        what,
        filter: both(&arguments.extcap_capture_filter, &arguments.filter),
        snap_length: arguments.snaplen,
    };
    if arguments.capture {
        let fifo = arguments.fifo.as_deref().ok_or_else(|| missing("--fifo"))?;
        let (client, what) = interface(arguments)?;
        return capture(client, request(what), fifo, screen);
    }
    if arguments.extcap_interfaces {
        let interfaces = context::running_wires()
            .into_iter()
            .filter_map(|(lab, mut client)| Some((lab, client.config().ok()?)));
        return render::extcap::interfaces(screen, &interfaces.collect::<Vec<_>>());
    }
    if arguments.extcap_dlts {
        return render::extcap::link_types(screen);
    }
    if arguments.extcap_config {
        return render::extcap::options(screen);
    }
    if arguments.extcap_capture_filter.is_some() {
        // Wireshark wants to know whether it is good: any word on stdout means that it is not.
        let (client, what) = interface(arguments)?;
        return match begin(client, request(what)) {
            Ok(_) => Ok(()),
            Err(error) => screen.write(&format!("{}\n", error.message)),
        };
    }
    Err(missing("--extcap-interfaces"))
}

fn missing(option: &str) -> CommandError {
    CommandError::new(ErrorKind::Usage, format!("`{option}` is missing"))
        .hint("Wireshark calls this; `vnflab extcap install` tells it to.")
}

/// Frames that pass both of Wireshark's filters: its own and the one among our options.
fn both(first: &Option<String>, second: &Option<String>) -> Option<String> {
    let given = [first, second].map(|filter| filter.as_deref().filter(|text| !text.is_empty()));
    match given {
        [Some(first), Some(second)] => Some(format!("({first}) and ({second})")),
        [first, second] => first.or(second).map(str::to_owned),
    }
}

/// The wire of an interface `LAB.NAME`, and the name.
fn interface(arguments: &ExtcapRunArgs) -> Result<(Client, String), CommandError> {
    let option = || missing("--extcap-interface");
    let wanted = arguments.extcap_interface.as_deref().ok_or_else(option)?;
    let found = context::running_wires()
        .into_iter()
        .find_map(|(lab, mut client)| {
            let what = wanted.strip_prefix(&lab)?.strip_prefix('.')?;
            let config = client.config().ok()?;
            let is_there = config.ends.contains_key(what) || config.junctions.contains_key(what);
            is_there.then(|| (client, what.to_owned()))
        });
    found.ok_or_else(|| {
        let message = format!("no running lab has `{wanted}`");
        CommandError::new(ErrorKind::NotFound, message)
    })
}

fn capture(
    client: Client,
    request: CaptureRequest,
    fifo: &Path,
    screen: &Screen,
) -> Result<(), CommandError> {
    let limits = Limits::listen(None, None)?;
    let mut stream = begin(client, request)?;
    let opened = OpenOptions::new().write(true).open(fifo);
    let opened = opened.map_err(|error| {
        let message = format!("`{}` cannot be written", fifo.display());
        CommandError::new(ErrorKind::Failed, message).caused_by(&error)
    })?;
    let mut sink = StreamSink::new(opened);
    let mut totals = Totals::default();
    match pump(&mut stream, &limits, &mut sink, &mut totals)? {
        End::Asked => Ok(()),
        End::WireStopped | End::WireBroke => {
            screen.say("The lab's wire has ended.");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_where_wireshark_writes_them() {
        let found = |text| version_in(text);
        assert_eq!(
            found("TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0)."),
            Some((4, 0))
        );
        assert_eq!(found("Wireshark 4.4.7.\nCopyright 1998"), Some((4, 4)));
        assert_eq!(found("no version"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn a_program_with_any_name_is_quoted() {
        let script = script(Path::new("/opt/it's here/vnflab"));
        assert!(script.ends_with("exec '/opt/it'\\''s here/vnflab' extcap run \"$@\"\n"));
    }

    #[test]
    fn both_filters_hold() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(both(&None, &None), None);
        assert_eq!(both(&some(""), &some("arp")), some("arp"));
        assert_eq!(both(&some("arp"), &None), some("arp"));
        let expected = some("(ip or arp) and (vlan)");
        assert_eq!(both(&some("ip or arp"), &some("vlan")), expected);
    }
}
