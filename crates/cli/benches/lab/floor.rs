//! The floor: the bare libvirt calls that the lab takes, with everything decided beforehand and
//! as much at the same time as can be.
//!
//! One thread a node and one a network, on one connection, without a single look at what exists:
//! no record is read, no ownership asked for, nothing is idempotent. What has to come first does:
//! a VM starts when its networks run, and a network goes when its VMs are off.

use crate::measure::Error;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};
use virt::connect::Connect;
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt::stream::Stream;
use vnflab_engine::driver::VOLUME_POOL;
use vnflab_engine::driver::libvirt::default_uri;
use vnflab_engine::media::media_image;
use vnflab_model::blueprint::{Attachment, Blueprint, DriveContent, NodeBlueprint};
use vnflab_model::domain_xml::{domain_xml, network_xml};
use vnflab_model::observed::Scope;

/// Bytes that a stream takes at a time; a day-0 medium has some hundred thousand.
const CHUNK_BYTES: usize = 256 * 1024 - 64;

/// A lab as libvirt is told it.
pub(crate) struct Floor {
    nodes: Vec<FloorNode>,
    networks: Vec<FloorNetwork>,
}

struct FloorNode {
    domain: String,
    xml: String,
    volumes: Vec<FloorVolume>,
    bridges: Vec<String>,
}

struct FloorVolume {
    name: String,
    xml: String,
    content: Option<Vec<u8>>,
}

struct FloorNetwork {
    name: String,
    xml: String,
    bridge: String,
}

impl Floor {
    /// Takes all texts and media from a blueprint.
    pub(crate) fn new(blueprint: &Blueprint, scope: Scope) -> Result<Self, Error> {
        let nodes: Result<Vec<FloorNode>, Error> = blueprint
            .nodes
            .iter()
            .map(|node| {
                Ok(FloorNode {
                    domain: node.domain(),
                    xml: domain_xml(node, &blueprint.source, scope),
                    volumes: volumes(blueprint, node)?,
                    bridges: bridges(blueprint, node),
                })
            })
            .collect();
        let networks = blueprint.networks.iter().map(|network| FloorNetwork {
            name: network.name.clone(),
            xml: network_xml(network),
            bridge: network.bridge.clone(),
        });
        Ok(Self {
            nodes: nodes?,
            networks: networks.collect(),
        })
    }

    /// Makes the lab run.
    pub(crate) fn up(&self) -> Result<(), Error> {
        let connection = Connect::open(Some(default_uri()))?;
        let pool = connection.lookup_storage_pool_by_name(VOLUME_POOL)?;
        let latches = self.latches(|_| 1);
        thread::scope(|scope| {
            let networks = self.networks.iter().map(|network| {
                scope.spawn(|| {
                    let _open = latches[&network.bridge].count_down_at_end();
                    connection.define_network_xml(&network.xml)?.create()?;
                    Ok(())
                })
            });
            let mut threads: Vec<Thread<'_>> = networks.collect();
            threads.extend(self.nodes.iter().map(|node| {
                scope.spawn(|| {
                    make_volumes(&connection, &pool, node)?;
                    let domain = connection.define_domain_xml_flags(&node.xml, 0)?;
                    for bridge in &node.bridges {
                        latches[bridge].wait();
                    }
                    domain.create()?;
                    Ok(())
                })
            }));
            join(threads)
        })
    }

    /// Leaves nothing of the lab.
    pub(crate) fn down(&self) -> Result<(), Error> {
        let connection = Connect::open(Some(default_uri()))?;
        let pool = connection.lookup_storage_pool_by_name(VOLUME_POOL)?;
        let latches = self.latches(|bridge| {
            let on_it = |node: &&FloorNode| node.bridges.iter().any(|used| used == bridge);
            self.nodes.iter().filter(on_it).count()
        });
        thread::scope(|scope| {
            let nodes = self.nodes.iter().map(|node| {
                scope.spawn(|| {
                    let off: Vec<_> = node
                        .bridges
                        .iter()
                        .map(|bridge| latches[bridge].count_down_at_end())
                        .collect();
                    let domain = connection.lookup_domain_by_name(&node.domain)?;
                    domain.destroy()?;
                    drop(off);
                    domain.undefine()?;
                    delete_volumes(&pool, node)
                })
            });
            let mut threads: Vec<Thread<'_>> = nodes.collect();
            threads.extend(self.networks.iter().map(|network| {
                scope.spawn(|| {
                    latches[&network.bridge].wait();
                    let network = connection.lookup_network_by_name(&network.name)?;
                    network.destroy()?;
                    Ok(network.undefine()?)
                })
            }));
            join(threads)
        })
    }

    /// Bytes on the disk that the volumes of a node take up before it has booted, on average.
    pub(crate) fn disk_bytes_per_node(&self) -> Result<u64, Error> {
        let connection = Connect::open(Some(default_uri()))?;
        let pool = connection.lookup_storage_pool_by_name(VOLUME_POOL)?;
        let mut bytes = 0;
        for node in &self.nodes {
            make_volumes(&connection, &pool, node)?;
            for volume in &node.volumes {
                let made = pool.lookup_storage_vol_by_name(&volume.name)?;
                bytes += made.info()?.allocation;
            }
            delete_volumes(&pool, node)?;
        }
        Ok(bytes / self.nodes.len().max(1) as u64)
    }

    /// One latch a network, by its bridge.
    fn latches(&self, count: impl Fn(&str) -> usize) -> BTreeMap<&String, Latch> {
        let networks = self.networks.iter();
        networks
            .map(|network| (&network.bridge, Latch::new(count(&network.bridge))))
            .collect()
    }
}

fn volumes(blueprint: &Blueprint, node: &NodeBlueprint) -> Result<Vec<FloorVolume>, Error> {
    let mut volumes = Vec::new();
    for drive in &node.drives {
        volumes.push(match &drive.content {
            DriveContent::Overlay {
                volume,
                image_path,
                image_format,
                size_bytes,
            } => FloorVolume {
                name: volume.clone(),
                xml: format!(
                    "<volume><name>{volume}</name><capacity>{size_bytes}</capacity>\
                     <target><format type='qcow2'/></target><backingStore>\
                     <path>{image_path}</path><format type='{image_format}'/>\
                     </backingStore></volume>"
                ),
                content: None,
            },
            DriveContent::Empty { volume, size_bytes } => FloorVolume {
                name: volume.clone(),
                xml: format!(
                    "<volume><name>{volume}</name><capacity>{size_bytes}</capacity>\
                     <target><format type='qcow2'/></target></volume>"
                ),
                content: None,
            },
            DriveContent::Media { volume, .. } => {
                let content = media_image(&blueprint.media[volume])?;
                FloorVolume {
                    name: volume.clone(),
                    xml: format!(
                        "<volume><name>{volume}</name><capacity>{}</capacity>\
                         <allocation>0</allocation><target><format type='raw'/></target></volume>",
                        content.len()
                    ),
                    content: Some(content),
                }
            }
            DriveContent::HostIso { .. } => continue,
        });
    }
    Ok(volumes)
}

/// The bridges of our networks that a node is on.
fn bridges(blueprint: &Blueprint, node: &NodeBlueprint) -> Vec<String> {
    let own = blueprint.networks.iter().map(|network| &network.bridge);
    let is_on = |bridge: &String| {
        node.nics.iter().any(
            |nic| matches!(&nic.attachment, Attachment::Bridge { bridge: used } if used == bridge),
        )
    };
    own.filter(|bridge| is_on(bridge)).cloned().collect()
}

fn make_volumes(connection: &Connect, pool: &StoragePool, node: &FloorNode) -> Result<(), Error> {
    for volume in &node.volumes {
        let made = StorageVol::create_xml(pool, &volume.xml, 0)?;
        let Some(content) = &volume.content else {
            continue;
        };
        let stream = Stream::new(connection, 0)?;
        made.upload(&stream, 0, content.len() as u64, 0)?;
        for chunk in content.chunks(CHUNK_BYTES) {
            let mut rest = chunk;
            while !rest.is_empty() {
                let taken = usize::try_from(stream.send(rest)?)?;
                rest = &rest[taken..];
            }
        }
        stream.finish()?;
    }
    Ok(())
}

fn delete_volumes(pool: &StoragePool, node: &FloorNode) -> Result<(), Error> {
    for volume in &node.volumes {
        pool.lookup_storage_vol_by_name(&volume.name)?.delete(0)?;
    }
    Ok(())
}

type Thread<'scope> = ScopedJoinHandle<'scope, Result<(), Error>>;

fn join(threads: Vec<Thread<'_>>) -> Result<(), Error> {
    let mut result = Ok(());
    for thread in threads {
        let ended = thread.join().map_err(|_| "a thread of the floor panicked");
        result = result.and(ended.map_err(Error::from).flatten());
    }
    result
}

/// Opens when it was counted down to nothing.
struct Latch {
    count: Mutex<usize>,
    changed: Condvar,
}

/// Counts a latch down when it is dropped, be it by an error: nobody waits for ever.
struct CountDown<'a>(&'a Latch);

impl Latch {
    fn new(count: usize) -> Self {
        Self {
            count: Mutex::new(count),
            changed: Condvar::new(),
        }
    }

    fn count_down_at_end(&self) -> CountDown<'_> {
        CountDown(self)
    }

    fn wait(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(count, |count| *count > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for CountDown<'_> {
    fn drop(&mut self) {
        let Self(latch) = self;
        let mut count = latch.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        latch.changed.notify_all();
    }
}
