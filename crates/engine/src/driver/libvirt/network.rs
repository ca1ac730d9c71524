//! Management networks.
//!
//! A network's record is part of its description, written when it was defined. Leases change
//! after that, so they are always read from the description's own elements.

use super::fault::refused;
use super::{LibvirtDriver, found};
use crate::driver::description::{
    Ownership, network_facts, network_ownership, object_name, with_uuid,
};
use crate::driver::{DriverError, ObjectKind, Operation};
use virt::network::Network;
use virt::sys;
use vnflab_model::blueprint::{Lease, NetworkBlueprint};
use vnflab_model::domain_xml::{lease_xml, name_xml};
use vnflab_model::observed::{NetworkState, Observed, ObservedNetwork};

const KIND: ObjectKind = ObjectKind::Network;

/// In `virNetworkUpdate`, "behind all others".
const AT_THE_END: i32 = -1;

/// The part of a network's description that a lease stands in, and that of its IPv6 address's name.
const DHCP_HOST: sys::virNetworkUpdateSection = sys::VIR_NETWORK_SECTION_IP_DHCP_HOST;
const DNS_HOST: sys::virNetworkUpdateSection = sys::VIR_NETWORK_SECTION_DNS_HOST;

/// A network as it was looked at.
pub(super) struct SeenNetwork {
    pub(super) name: String,
    pub(super) xml: String,
    pub(super) ownership: Ownership<NetworkBlueprint>,
    pub(super) state: NetworkState,
}

impl LibvirtDriver {
    /// All networks, leaving out those that vanish while they are looked at.
    pub(super) fn networks(&self) -> Result<Vec<SeenNetwork>, DriverError> {
        let networks = match self.connection.list_all_networks(0) {
            Ok(networks) => networks,
            // A libvirt without the network driver has no networks.
            Err(error)
                if error
                    .code()
                    .is_known_and(|code| code == virt::error::ErrorNumber::NoSupport) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(refused(Operation::Look, "the networks", &error)),
        };
        let mut seen = Vec::new();
        for network in networks {
            let (Ok(name), Ok(xml), Ok(active)) =
                (network.name(), network.xml_desc(0), network.is_active())
            else {
                continue;
            };
            seen.push(SeenNetwork {
                ownership: network_ownership(&xml),
                state: match active {
                    true => NetworkState::Active,
                    false => NetworkState::Inactive,
                },
                name,
                xml,
            });
        }
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(seen)
    }

    pub(super) fn observe_networks(&self, observed: &mut Observed) -> Result<(), DriverError> {
        for network in self.networks()? {
            let facts = network_facts(&network.xml)?;
            match network.ownership {
                Ownership::Ours(blueprint) => observed.networks.push(ObservedNetwork {
                    blueprint: NetworkBlueprint {
                        leases: facts.leases,
                        ..blueprint
                    },
                    state: network.state,
                }),
                Ownership::Foreign | Ownership::Unreadable(_) => {
                    observed.foreign_networks.insert(network.name);
                    observed.foreign_bridges.extend(facts.bridge);
                }
            }
        }
        Ok(())
    }

    /// The network of a name, if there is one and it is ours, with its description.
    fn own_network(&self, name: &str) -> Result<Option<(Network, String)>, DriverError> {
        let found = found(self.connection.lookup_network_by_name(name), KIND, name)?;
        let Some(network) = found else {
            return Ok(None);
        };
        let xml = match network.xml_desc(0) {
            Ok(xml) => xml,
            Err(error) if super::is_absent(&error) => return Ok(None),
            Err(error) => return Err(refused(Operation::Look, name, &error)),
        };
        network_ownership(&xml).require(KIND, name)?;
        Ok(Some((network, xml)))
    }

    fn existing_network(&self, name: &str) -> Result<(Network, String), DriverError> {
        self.own_network(name)?.ok_or_else(|| DriverError::Missing {
            kind: KIND,
            name: name.to_owned(),
        })
    }

    pub(super) fn define_own_network(&self, xml: &str) -> Result<(), DriverError> {
        let name = object_name(xml, KIND)?;
        network_ownership(xml).require(KIND, &name)?;
        let failed = |error: virt::error::Error| refused(Operation::Define, &name, &error);
        let xml = match self.own_network(&name)? {
            Some((network, _)) => with_uuid(xml, KIND, &network.uuid_string().map_err(failed)?)?,
            None => xml.to_owned(),
        };
        self.connection
            .define_network_xml(&xml)
            .map(drop)
            .map_err(failed)
    }

    pub(super) fn start_own_network(&self, name: &str) -> Result<(), DriverError> {
        let (network, _) = self.existing_network(name)?;
        match is_active(&network) {
            true => Ok(()),
            false => match network.create() {
                Ok(_) => Ok(()),
                Err(_) if is_active(&network) => Ok(()),
                Err(error) => Err(refused(Operation::Start, name, &error)),
            },
        }
    }

    pub(super) fn remove_own_network(&self, name: &str) -> Result<(), DriverError> {
        let Some((network, _)) = self.own_network(name)? else {
            return Ok(());
        };
        if is_active(&network)
            && let Err(error) = network.destroy()
            && is_active(&network)
        {
            return Err(refused(Operation::Stop, name, &error));
        }
        match network.undefine() {
            Ok(()) => Ok(()),
            Err(error) if super::is_absent(&error) => Ok(()),
            Err(error) => Err(refused(Operation::Undefine, name, &error)),
        }
    }

    pub(super) fn add_own_lease(&self, name: &str, lease: &Lease) -> Result<(), DriverError> {
        let (network, xml) = self.existing_network(name)?;
        let leases = network_facts(&xml)?.leases;
        let command = sys::VIR_NETWORK_UPDATE_COMMAND_ADD_LAST;
        if !leases.iter().any(|one| one.is_same_in_ipv4(lease)) {
            change(&network, name, command, DHCP_HOST, &lease_xml(lease))?;
        }
        match name_xml(lease).filter(|_| !leases.contains(lease)) {
            Some(xml) => change(&network, name, command, DNS_HOST, &xml),
            None => Ok(()),
        }
    }

    pub(super) fn remove_own_lease(&self, name: &str, lease: &Lease) -> Result<(), DriverError> {
        let (network, xml) = self.existing_network(name)?;
        let leases = network_facts(&xml)?.leases;
        let command = sys::VIR_NETWORK_UPDATE_COMMAND_DELETE;
        if let Some(xml) = name_xml(lease).filter(|_| leases.contains(lease)) {
            change(&network, name, command, DNS_HOST, &xml)?;
        }
        match leases.iter().any(|one| one.is_same_in_ipv4(lease)) {
            true => change(&network, name, command, DHCP_HOST, &lease_xml(lease)),
            false => Ok(()),
        }
    }
}

fn is_active(network: &Network) -> bool {
    network.is_active().unwrap_or(false)
}

fn change(
    network: &Network,
    name: &str,
    command: sys::virNetworkUpdateCommand,
    section: sys::virNetworkUpdateSection,
    xml: &str,
) -> Result<(), DriverError> {
    let where_to = match is_active(network) {
        true => sys::VIR_NETWORK_UPDATE_AFFECT_LIVE | sys::VIR_NETWORK_UPDATE_AFFECT_CONFIG,
        false => sys::VIR_NETWORK_UPDATE_AFFECT_CONFIG,
    };
    network
        .update(command, section, AT_THE_END, xml, where_to)
        .map_err(|error| refused(Operation::Lease, name, &error))
}
