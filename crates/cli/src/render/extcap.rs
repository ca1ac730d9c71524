//! What Wireshark reads: its extcap language, one sentence in braces a line.

use super::{Format, Screen};
use crate::error::CommandError;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use vnflab_wire::{Config, JunctionKind};

/// An interface for each link, each segment and each end of each lab.
pub(crate) fn interfaces(screen: &Screen, labs: &[(String, Config)]) -> Result<(), CommandError> {
    let mut text = format!(
        "extcap {{version={}}}{{display=vnflab}}\n",
        env!("CARGO_PKG_VERSION")
    );
    for (lab, config) in labs {
        let junctions = config.junctions.iter().map(|(name, junction)| {
            let noun = match junction.kind {
                JunctionKind::Link => "link",
                JunctionKind::Switch { .. } | JunctionKind::Hub => "segment",
            };
            (name, noun)
        });
        let ends = config.ends.keys().map(|name| (name, "end"));
        for (name, noun) in junctions.chain(ends) {
            // A name that the language has no way to write.
            if name.contains(['{', '}']) || lab.contains(['{', '}']) {
                continue;
            }
            writeln!(
                text,
                "interface {{value={lab}.{name}}}{{display={noun} {name} of lab {lab}}}"
            )
            .expect("a string takes it");
        }
    }
    screen.write(&text)
}

/// All frames are Ethernet's.
pub(crate) fn link_types(screen: &Screen) -> Result<(), CommandError> {
    screen.write("dlt {number=1}{name=EN10MB}{display=Ethernet}\n")
}

/// What can be set for a capture.
pub(crate) fn options(screen: &Screen) -> Result<(), CommandError> {
    screen.write(
        "arg {number=0}{call=--filter}{display=Filter}{type=string}\
         {tooltip=Only frames that match this pcap filter expression}{required=false}\n\
         arg {number=1}{call=--snaplen}{display=Bytes kept of each frame}{type=unsigned}\
         {default=0}{tooltip=0 keeps all}{required=false}\n",
    )
}

/// Where Wireshark finds us from now on.
pub(crate) fn installed(screen: &Screen, path: &Path) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        return screen.json("extcap-install", serde_json::json!({ "path": path }));
    }
    screen.write(&format!("{}\n", path.display()))?;
    screen.say("Wireshark and tshark list the links of running labs from now on.");
    Ok(())
}

/// What is gone.
pub(crate) fn uninstalled(screen: &Screen, paths: &[PathBuf]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        return screen.json("extcap-uninstall", serde_json::json!({ "paths": paths }));
    }
    for path in paths {
        screen.say(&format!("Removed `{}`.", path.display()));
    }
    Ok(())
}
