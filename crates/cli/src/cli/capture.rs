//! What can be captured, and where it goes.

use super::parse_time;
use super::wire::LinkLabArgs;
use crate::complete;
use clap::{Args, Subcommand, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

/// What a capture is of, and how long it is.
#[derive(Debug, Args)]
#[command(after_help = "\
vnflab capture r1:eth1--r2:eth1
vnflab capture r1:eth1 --filter 'ip proto 89' --count 10
vnflab capture lan -w lan.pcapng --rotate-size 10MB --files 5
vnflab capture r1:eth1 -w - | wireshark -k -i -

A link or segment shows what each of its ends sends; an end shows what it sends and what it gets.
Frames that got no further say why. Times are UTC.")]
pub(crate) struct CaptureArgs {
    /// A link (`r1:eth1--r2:eth1`), a segment, or one end (`r1:eth1`)
    #[arg(value_name = "LINK|NODE:IF|SEGMENT", add = ArgValueCompleter::new(complete::captured))]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) lab: LinkLabArgs,
    /// Only frames that match this pcap filter expression, such as `arp` or `tcp port 179`
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) filter: Option<String>,
    /// Keep so many bytes of each frame; 0 keeps all
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) snaplen: u32,
    /// End after so many frames
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<NonZeroU64>,
    /// End after this time, such as `5s`, `500ms` or `2m`
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) duration: Option<Duration>,
    /// Write pcapng to a file, or to stdout if it is `-`, in place of a line a frame
    #[arg(long = "write", short = 'w', id = "write", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
    /// Begin another file (FILE-00002 and so on) before one is larger than this, such as `10MB`
    #[arg(long, value_name = "SIZE", requires = "write", value_parser = parse_size)]
    pub(crate) rotate_size: Option<u64>,
    /// Begin another file after this time
    #[arg(long, value_name = "TIME", requires = "write", conflicts_with = "rotate_size", value_parser = parse_time)]
    pub(crate) rotate_time: Option<Duration>,
    /// Keep only so many files, the newest [default: all]
    #[arg(long, value_name = "N", requires = "write")]
    pub(crate) files: Option<NonZeroUsize>,
}

/// The links of running labs in Wireshark.
#[derive(Debug, Subcommand)]
pub(crate) enum ExtcapCommand {
    /// Let the links of running labs appear among Wireshark's and tshark's interfaces
    Install(ExtcapFolderArgs),
    /// Undo `install`
    Uninstall(ExtcapFolderArgs),
    /// Answer Wireshark
    #[command(hide = true)]
    Run(ExtcapRunArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ExtcapFolderArgs {
    /// Wireshark's folder for extcap programs [default: the personal one]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

/// Wireshark's own words; see its manual page extcap(4).
#[derive(Debug, Args)]
pub(crate) struct ExtcapRunArgs {
    /// List interfaces
    #[arg(long)]
    pub(crate) extcap_interfaces: bool,
    /// The version of Wireshark
    #[arg(long, value_name = "VERSION", num_args = 0..=1)]
    pub(crate) extcap_version: Option<Option<String>>,
    /// List an interface's link types
    #[arg(long)]
    pub(crate) extcap_dlts: bool,
    /// List an interface's options
    #[arg(long)]
    pub(crate) extcap_config: bool,
    /// The interface
    #[arg(long, value_name = "NAME")]
    pub(crate) extcap_interface: Option<String>,
    /// Only frames that match this
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) extcap_capture_filter: Option<String>,
    /// Capture
    #[arg(long)]
    pub(crate) capture: bool,
    /// Where to write what is captured
    #[arg(long, value_name = "FILE")]
    pub(crate) fifo: Option<PathBuf>,
    /// Only frames that match this, too
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) filter: Option<String>,
    /// Keep so many bytes of each frame; 0 keeps all
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) snaplen: u32,
}

/// Reads `4096`, `10MB`, `1GiB`. Nothing below 1 is a size.
fn parse_size(text: &str) -> Result<u64, String> {
    let form = || "expected a size such as `500kB`, `10MB` or `1GiB`".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| form())?;
    let bytes: u64 = match unit {
        "" | "B" => 1,
        "k" | "kB" => 1000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(form()),
    };
    match number.checked_mul(bytes) {
        Some(0) | None => Err(form()),
        Some(size) => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_are_something() {
        for (text, size) in [("4096", 4096), ("10MB", 10_000_000), ("1GiB", 1 << 30)] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        for bad in ["", "MB", "0", "-1", "10TB", "99999999999GiB", "1.5MB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
