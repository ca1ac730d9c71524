//! Nodes and their state.

use super::table::{Cell, Table};
use super::{Format, Screen, time};
use crate::context::Listed;
use crate::error::CommandError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use vnflab_engine::provision::State;
use vnflab_engine::workspace::{NodeStatus, VmStatus};
use vnflab_model::blueprint::NodeBlueprint;
use vnflab_model::observed::DomainState;

/// All of them.
pub(crate) fn list(
    screen: &Screen,
    listed: &Listed,
    rows: &[NodeStatus],
    provisioned: &BTreeMap<String, State>,
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let nodes = rows
            .iter()
            .map(|row| NodeJson::new(row, provisioned.get(&row.blueprint.domain())))
            .collect();
        return screen.json("ps", PsJson { nodes });
    }
    if rows.is_empty() {
        super::nothing_listed(screen, listed, "nodes");
        return Ok(());
    }
    let mut heads = vec![
        "LAB", "NODE", "KIND", "STATE", "ACCEL", "CONSOLE", "ADDRESS", "UPTIME", "MEMORY",
    ];
    // Few labs have nodes whose configuration is typed.
    if !provisioned.is_empty() {
        heads.push("CONFIGURED");
    }
    let mut table = Table::new(screen.out, &heads).right(7).right(8);
    for row in rows {
        let blueprint = &row.blueprint;
        let word = state_words(row);
        let state = match row.state {
            DomainState::Running => screen.out.good(&word),
            DomainState::Paused => screen.out.warning(&word),
            DomainState::Off => screen.out.faint(&word),
            DomainState::Crashed => screen.out.error(&word),
        };
        let kind = match blueprint.guest == blueprint.kind {
            true => blueprint.kind.clone(),
            false => format!("{} (by {})", blueprint.kind, blueprint.guest),
        };
        let given = row.memory_mib();
        let memory = match row.resident_mib() {
            Some(resident) => format!("{resident}/{given} MiB"),
            None => format!("{given} MiB"),
        };
        let mut cells = vec![
            Cell::plain(&blueprint.lab),
            Cell::plain(&blueprint.node),
            Cell::plain(kind),
            Cell::painted(state),
            Cell::plain(blueprint.accelerator.word()),
            Cell::plain(blueprint.console.listen.to_string()),
            Cell::plain(address(blueprint)),
            Cell::plain(row.uptime().map_or_else(|| "-".to_owned(), time::coarse)),
            Cell::plain(memory),
        ];
        if !provisioned.is_empty() {
            let state = provisioned.get(&blueprint.domain());
            cells.push(Cell::painted(configured(screen, state)));
        }
        table.row(cells);
    }
    screen.write(&table.text())
}

/// How a node is; where some of its VMs are otherwise, which.
fn state_words(row: &NodeStatus) -> String {
    let word = row.state.word();
    let others = row.vms.iter().filter(|vm| vm.state != row.state);
    if row.state == DomainState::Running || others.count() == 0 {
        return word.to_owned();
    }
    let such = row.vms.iter().filter(|vm| vm.state == row.state);
    let names = such.map(|vm| vm.blueprint.part.as_deref().unwrap_or("main"));
    let names: Vec<&str> = names.collect();
    match names.is_empty() {
        true => word.to_owned(),
        false => format!("{word} ({})", names.join(", ")),
    }
}

/// How far the typing is.
fn configured(screen: &Screen, state: Option<&State>) -> String {
    match state {
        None => screen.out.faint("-"),
        Some(state @ State::Done { .. }) => screen.out.good(state.word()),
        Some(state @ State::Failed { .. }) => screen.out.error(state.word()),
        Some(state) => screen.out.warning(state.word()),
    }
}

/// Where the host reaches the node: its management address, or a forwarded port of the host.
fn address(blueprint: &NodeBlueprint) -> String {
    match &blueprint.access {
        None => "-".to_owned(),
        Some(access) if access.ssh.ip() == access.address => {
            let ipv6 = access.ipv6.map(IpAddr::V6);
            let all = [access.address].into_iter().chain(ipv6);
            let all: Vec<String> = all.map(|address| address.to_string()).collect();
            all.join(", ")
        }
        Some(access) => access.ssh.to_string(),
    }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    ipv6: Option<Ipv6Addr>,
    ssh: Option<SocketAddr>,
    loopback: Option<Ipv4Addr>,
    uptime_seconds: Option<u64>,
    cpus: u32,
    cpu_limit_percent: Option<u32>,
    memory_mib: u64,
    resident_mib: Option<u64>,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    configured: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vms: Vec<VmJson<'a>>,
}

/// A VM of a node that is several.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct VmJson<'a> {
    part: Option<&'a str>,
    domain: String,
    state: &'static str,
    console: SocketAddr,
    console_log: &'a str,
    uptime_seconds: Option<u64>,
    cpus: u32,
    memory_mib: u64,
    resident_mib: Option<u64>,
}

impl<'a> VmJson<'a> {
    fn new(vm: &'a VmStatus) -> Self {
        let blueprint = &vm.blueprint;
        Self {
            part: blueprint.part.as_deref(),
            domain: blueprint.domain(),
            state: vm.state.word(),
            console: blueprint.console.listen,
            console_log: &blueprint.console.log_path,
            uptime_seconds: vm.uptime.map(|uptime| uptime.as_secs()),
            cpus: blueprint.machine.cpus,
            memory_mib: blueprint.machine.memory_mib,
            resident_mib: vm.resident_mib,
        }
    }
}

impl<'a> NodeJson<'a> {
    fn new(row: &'a NodeStatus, provisioned: Option<&'a State>) -> Self {
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
            ipv6: access.and_then(|access| access.ipv6),
            ssh: access.map(|access| access.ssh),
            loopback: blueprint.loopback,
            uptime_seconds: row.uptime().map(|uptime| uptime.as_secs()),
            cpus: row.cpus(),
            cpu_limit_percent: row.cpu_limit_percent(),
            memory_mib: row.memory_mib(),
            resident_mib: row.resident_mib(),
            source: &row.source,
            vms: match row.vms.iter().any(|vm| vm.blueprint.part.is_some()) {
                true => row.vms.iter().map(VmJson::new).collect(),
                false => Vec::new(),
            },
            configured: provisioned.map(State::word),
            configuration_error: match provisioned {
                Some(State::Failed { reason }) => Some(reason),
                _ => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NodeJson, address};
    use crate::sample;
    use std::time::Duration;
    use vnflab_engine::workspace::{NodeStatus, VmStatus};

    #[test]
    fn a_node_in_json() {
        let observed = sample::observed(&[("a", "r1")]);
        let domain = &observed.domains[0];
        let blueprint = &domain.record.blueprint;
        let vm = VmStatus {
            blueprint: blueprint.clone(),
            state: domain.state,
            cpu_limit_percent: Some(30),
            typing: None,
            uptime: Some(Duration::from_millis(61_500)),
            resident_mib: Some(99),
        };
        let status = NodeStatus {
            blueprint: blueprint.clone(),
            source: domain.record.source.clone(),
            state: domain.state,
            vms: vec![vm],
        };
        insta::assert_json_snapshot!(NodeJson::new(&status, None));
    }

    #[test]
    fn a_forwarded_port_is_shown_where_the_guest_cannot_be_reached() {
        let observed = sample::observed(&[("a", "r1")]);
        let mut blueprint = observed.domains[0].record.blueprint.clone();
        assert_eq!(address(&blueprint), "127.1.1.1:2200");
        let mut access = blueprint.access.take().unwrap();
        assert_eq!(address(&blueprint), "-");
        access.ssh.set_ip(access.address);
        blueprint.access = Some(access);
        assert_eq!(address(&blueprint), "10.0.2.15");
    }
}
