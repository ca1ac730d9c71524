//! Nodes and their state.

use super::table::{Cell, Table};
use super::{Format, Screen, time};
use crate::error::CommandError;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};
use vnflab_engine::workspace::NodeStatus;
use vnflab_model::observed::DomainState;

/// All of them.
pub(crate) fn list(screen: &Screen, rows: &[NodeStatus]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let nodes = rows.iter().map(NodeJson::new).collect();
        return screen.json("ps", PsJson { nodes });
    }
    if rows.is_empty() {
        screen.say("There are no nodes; `vnflab up` makes a lab run.");
        return Ok(());
    }
    let heads = [
        "LAB", "NODE", "KIND", "STATE", "ACCEL", "CONSOLE", "ADDRESS", "UPTIME", "MEMORY",
    ];
    let mut table = Table::new(screen.out, &heads).right(7).right(8);
    for row in rows {
        let blueprint = &row.blueprint;
        let word = row.state.word();
        let state = match row.state {
            DomainState::Running => screen.out.good(word),
            DomainState::Paused => screen.out.warning(word),
            DomainState::Off => screen.out.faint(word),
            DomainState::Crashed => screen.out.error(word),
        };
        let kind = match blueprint.guest == blueprint.kind {
            true => blueprint.kind.clone(),
            false => format!("{} (by {})", blueprint.kind, blueprint.guest),
        };
        let address = blueprint.access.as_ref().map(|access| access.address);
        let given = blueprint.machine.memory_mib;
        let memory = match row.resident_mib {
            Some(resident) => format!("{resident}/{given} MiB"),
            None => format!("{given} MiB"),
        };
        table.row([
            Cell::plain(&blueprint.lab),
            Cell::plain(&blueprint.node),
            Cell::plain(kind),
            Cell::painted(state),
            Cell::plain(blueprint.accelerator.word()),
            Cell::plain(blueprint.console.listen.to_string()),
            Cell::plain(address.map_or_else(|| "-".to_owned(), |address| address.to_string())),
            Cell::plain(row.uptime.map_or_else(|| "-".to_owned(), time::coarse)),
            Cell::plain(memory),
        ]);
    }
    screen.write(&table.text())
}

#[derive(Serialize)]
struct PsJson<'a> {
    nodes: Vec<NodeJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NodeJson<'a> {
    lab: &'a str,
    node: &'a str,
    domain: String,
    kind: &'a str,
    guest: &'a str,
    state: &'static str,
    accelerator: &'static str,
    console: SocketAddr,
    console_log: &'a str,
    address: Option<IpAddr>,
    ssh: Option<SocketAddr>,
    uptime_seconds: Option<u64>,
    cpus: u32,
    memory_mib: u64,
    resident_mib: Option<u64>,
    source: &'a str,
}

impl<'a> NodeJson<'a> {
    fn new(row: &'a NodeStatus) -> Self {
        let blueprint = &row.blueprint;
        let access = blueprint.access.as_ref();
        Self {
            lab: &blueprint.lab,
            node: &blueprint.node,
            domain: blueprint.domain(),
            kind: &blueprint.kind,
            guest: &blueprint.guest,
            state: row.state.word(),
            accelerator: blueprint.accelerator.word(),
            console: blueprint.console.listen,
            console_log: &blueprint.console.log_path,
            address: access.map(|access| access.address),
            ssh: access.map(|access| access.ssh),
            uptime_seconds: row.uptime.map(|uptime| uptime.as_secs()),
            cpus: blueprint.machine.cpus,
            memory_mib: blueprint.machine.memory_mib,
            resident_mib: row.resident_mib,
            source: &row.source,
        }
    }
}
