//! `make bench`: how long everything takes, each against its floor or its aim, in one table.
//!
//! Not a test: nothing here fails because a machine is slow. What is made (a copy of the
//! origin's ring, with ports and bridges of its own) is taken down at the end, and nothing else
//! is touched. See `docs/benches.md`.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod floor;
mod live;
mod measure;
mod pipeline;
mod ring;

use comfy_table::{Table, presets};
use measure::{Error, Times, command_time, shown};
use std::process::Command;
use std::time::Duration;

/// Rounds of what takes milliseconds.
const QUICK_ROUNDS: usize = 21;

/// Below some ticks of the kernel its count of CPU time says nothing.
const LEAST_CPU_TIME: Duration = Duration::from_millis(20);

/// One line of the table.
struct Row {
    what: String,
    median: String,
    best: String,
    against: String,
    ratio: String,
    aim: String,
    is_met: Option<bool>,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [pipeline::ARGUMENT, nodes] =
        arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        println!("{}", pipeline::measure_here(nodes.parse()?)?);
        return Ok(());
    }
    println!("{}", machine());
    let mut rows = start_up()?;
    rows.extend(pipeline_rows()?);
    match live::measure()? {
        live::Outcome::Measured(measured) => rows.extend(live_rows(&measured)),
        live::Outcome::Impossible(reason) => println!("left out, with real VMs: {reason}"),
    }
    println!("{}", table(&rows));
    println!("{}", machine());
    Ok(())
}

/// The command, built like the bench itself.
fn vnflab() -> Command {
    Command::new(env!("CARGO_BIN_EXE_vnflab"))
}

fn start_up() -> Result<Vec<Row>, Error> {
    ["--version", "kinds"]
        .into_iter()
        .map(|argument| {
            let time = command_time(QUICK_ROUNDS, || {
                let mut command = vnflab();
                command.arg(argument);
                command
            })?;
            Ok(Row::of(format!("vnflab {argument}"), time))
        })
        .collect()
}

fn pipeline_rows() -> Result<Vec<Row>, Error> {
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    for nodes in pipeline::SIZES {
        let pipeline::Measured {
            total,
            check,
            on_cpu,
            added_kib,
        } = pipeline::measure(nodes)?;
        let per_node = total.best / u32::try_from(nodes).unwrap_or(u32::MAX);
        let mut row = Row::of(format!("check and plan, {nodes} nodes"), total);
        let on_cpu = match on_cpu > LEAST_CPU_TIME {
            true => format!(", on the CPU {}", shown(on_cpu)),
            false => String::new(),
        };
        row.against = format!(
            "check {}{on_cpu}; a node: {} us, {:.1} KiB",
            shown(check),
            per_node.as_micros(),
            added_kib as f64 / nodes as f64
        );
        if nodes == 1000 {
            row = row.aim(Duration::from_millis(50), total.median);
        }
        rows.push(row);
    }
    for nodes in pipeline::SIZES {
        let file = folder.path().join(format!("{nodes}.lab.yaml"));
        std::fs::write(&file, pipeline::lab_file(nodes)?)?;
        let time = command_time(5, || {
            let mut command = vnflab();
            // No libvirt listens there, so that the files alone are looked at.
            command.args(["--connect", "qemu+unix:///system?socket=/dev/null", "check"]);
            command.arg(&file);
            command
        })?;
        rows.push(Row::of(format!("vnflab check, {nodes} nodes"), time));
    }
    Ok(rows)
}

fn live_rows(measured: &live::Measured) -> Vec<Row> {
    let live::Measured {
        up,
        up_floor,
        up_again,
        down,
        down_floor,
        disk_bytes_per_node,
    } = *measured;
    let kib = disk_bytes_per_node / 1024;
    vec![
        Row::against("up, the ring of four", up, up_floor, 1.15),
        Row::of("up with nothing to do", up_again).aim(Duration::from_millis(150), up_again.median),
        Row::against("down, the ring of four", down, down_floor, 1.0),
        Row {
            what: "disk of a node before it boots".to_owned(),
            median: format!("{kib} KiB"),
            best: String::new(),
            against: String::new(),
            ratio: String::new(),
            aim: "1024 KiB".to_owned(),
            is_met: Some(kib < 1024),
        },
    ]
}

impl Row {
    fn of(what: impl Into<String>, times: Times) -> Self {
        Self {
            what: what.into(),
            median: shown(times.median),
            best: shown(times.best),
            against: String::new(),
            ratio: String::new(),
            aim: String::new(),
            is_met: None,
        }
    }

    fn aim(self, aim: Duration, time: Duration) -> Self {
        Self {
            aim: shown(aim),
            is_met: Some(time < aim),
            ..self
        }
    }

    fn against(what: &str, times: Times, floor: Times, aim: f64) -> Self {
        let ratio = times.median.as_secs_f64() / floor.median.as_secs_f64();
        Self {
            against: format!(
                "bare calls: {}, best {}",
                shown(floor.median),
                shown(floor.best)
            ),
            ratio: format!("{ratio:.2}"),
            aim: format!("{aim:.2} x"),
            is_met: Some(ratio <= aim),
            ..Self::of(what, times)
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN);
    table.set_header(["what", "median", "best", "against", "ratio", "aim", "met"]);
    for row in rows {
        let met = match row.is_met {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        };
        table.add_row([
            &row.what,
            &row.median,
            &row.best,
            &row.against,
            &row.ratio,
            &row.aim,
            met,
        ]);
    }
    table
}

/// What a reader has to know to make sense of the figures.
fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let accelerator = vnflab_engine::host::accelerator().accelerator.word();
    format!(
        "{cpus} CPUs, guests by {accelerator}, load {}",
        load.join(" ")
    )
}
