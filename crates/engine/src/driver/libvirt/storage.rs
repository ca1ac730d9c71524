//! Pools, volumes and the files of the image store.
//!
//! All through the storage API, which serves another host like this one. Only our three pools
//! are ever looked into, and in the pool of volumes only names of our form are ours.
//!
//! A pool's list of volumes is libvirt's memory of the folder. It goes stale when somebody
//! changes the folder behind libvirt's back; then a volume's own description cannot be read
//! (it counts as absent), or a new one cannot be made because libvirt still knows the old one.
//! In that last case the pool is refreshed once and the call is made again.

use super::fault::refused;
use super::{LibvirtDriver, found, is_absent};
use crate::driver::description::{domain_files, escape, pool_facts, volume_facts};
use crate::driver::{
    CONSOLE_POOL, DriverError, IMAGE_POOL, ImageUser, ObjectKind, Operation, Overlay, StoredFile,
    VOLUME_POOL,
};
use crate::folder;
use std::io::{Read, Write};
use std::path::Path;
use virt::error::{Error, ErrorNumber};
use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt::stream::Stream;
use vnflab_model::observed::{Locality, Observed, ObservedVolume, Scope, VolumeName};

const KIND: ObjectKind = ObjectKind::Volume;

/// Bytes that go over the connection at a time: libvirt's own limit for a stream packet is
/// 256 KiB less its header.
const CHUNK_BYTES: usize = 256 * 1024 - 64;

/// Volumes belong to libvirt, which hands them to QEMU while a VM runs. Day-0 media too hold
/// what is for nobody else: keys and passwords.
const VOLUME_MODE: &str = "0600";

/// An image is never written again.
const IMAGE_MODE: u32 = 0o444;

/// An image of a user's own libvirt, while it is written: its owner could not open it otherwise.
const IMAGE_MODE_BEING_WRITTEN: u32 = 0o644;

/// The folders of our pools on the host.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    pub(super) volumes: String,
    pub(super) consoles: String,
}

impl LibvirtDriver {
    /// The folders of the pools as they are or will be.
    pub(super) fn folders(&self) -> Result<Folders, DriverError> {
        Ok(Folders {
            volumes: self.pool_folder(VOLUME_POOL)?,
            consoles: self.pool_folder(CONSOLE_POOL)?,
        })
    }

    fn pool_folder(&self, name: &str) -> Result<String, DriverError> {
        match self.lookup_pool(name)? {
            Some(pool) => folder_of(&pool, name),
            None => self.intended_folder(name),
        }
    }

    fn intended_folder(&self, name: &str) -> Result<String, DriverError> {
        let leaf = match name {
            VOLUME_POOL => "volumes",
            IMAGE_POOL => "images",
            _ => "consoles",
        };
        let unknown = |reason: &str| DriverError::Pool {
            pool: name.to_owned(),
            reason: reason.to_owned(),
        };
        let folder = self
            .place
            .folder()
            .ok_or_else(|| unknown("the user's home on that host is not known"))?
            .join(leaf);
        let text = folder.to_str();
        text.map(str::to_owned)
            .ok_or_else(|| unknown("the path of its folder is not Unicode"))
    }

    fn lookup_pool(&self, name: &str) -> Result<Option<StoragePool>, DriverError> {
        found(
            self.connection.lookup_storage_pool_by_name(name),
            KIND,
            name,
        )
    }

    pub(super) fn ensure_all_pools(&self) -> Result<(), DriverError> {
        for name in [VOLUME_POOL, IMAGE_POOL, CONSOLE_POOL] {
            self.ensure_pool(name)?;
        }
        Ok(())
    }

    fn ensure_pool(&self, name: &str) -> Result<StoragePool, DriverError> {
        if let Some(pool) = self.active_pool(name)? {
            self.ensure_folder(&folder_of(&pool, name)?)?;
            return Ok(pool);
        }
        let failed = |error: Error| refused(Operation::Create, name, &error);
        let place = self.intended_folder(name)?;
        self.ensure_folder(&place)?;
        let xml = format!(
            "<pool type='dir'><name>{name}</name><target><path>{}</path><permissions><mode>0{:o}</mode></permissions></target></pool>",
            escape(&place),
            folder::PASSABLE
        );
        let pool = match self.connection.define_storage_pool_xml(&xml, 0) {
            Ok(pool) => pool,
            // Another process of ours was quicker.
            Err(error) => match self.active_pool(name)? {
                Some(pool) => return Ok(pool),
                None => return Err(failed(error)),
            },
        };
        if self.place.locality == Locality::Remote {
            pool.build(0).map_err(failed)?;
        }
        start_pool(&pool, name)?;
        // So that it is there after the host was started anew.
        pool.set_autostart(true).map_err(failed)?;
        Ok(pool)
    }

    fn ensure_folder(&self, folder: &str) -> Result<(), DriverError> {
        if self.place.locality == Locality::Remote {
            return Ok(());
        }
        let failed = |path: &Path, source| DriverError::File {
            operation: Operation::Create,
            path: path.display().to_string(),
            source,
        };
        let path = Path::new(folder);
        folder::make(path, folder::PASSABLE).map_err(|source| failed(path, source))?;
        for own in path.ancestors() {
            if self.place.is_own_system_folder(own) {
                folder::open(own).map_err(|source| failed(own, source))?;
            }
        }
        Ok(())
    }

    /// The pool of a name, started if it was not; `None` when there is none.
    fn active_pool(&self, name: &str) -> Result<Option<StoragePool>, DriverError> {
        let Some(pool) = self.lookup_pool(name)? else {
            return Ok(None);
        };
        folder_of(&pool, name)?;
        if !pool.is_active().unwrap_or(false) {
            self.ensure_folder(&folder_of(&pool, name)?)?;
            start_pool(&pool, name)?;
        }
        Ok(Some(pool))
    }

    fn volumes_of(&self, pool_name: &str) -> Result<Vec<StorageVol>, DriverError> {
        let Some(pool) = self.active_pool(pool_name)? else {
            return Ok(Vec::new());
        };
        pool.list_all_volumes(0)
            .map_err(|error| refused(Operation::Look, pool_name, &error))
    }

    pub(super) fn observe_volumes(&self, observed: &mut Observed) -> Result<(), DriverError> {
        for volume in self.volumes_of(VOLUME_POOL)? {
            let name = volume.name().ok();
            let Some(name) = name.as_deref().and_then(VolumeName::parse) else {
                continue;
            };
            let Ok(xml) = volume.xml_desc(0) else {
                continue;
            };
            let facts = volume_facts(&xml)?;
            observed.volumes.push(ObservedVolume {
                name,
                backing_path: facts.backing_path,
                capacity_bytes: facts.capacity_bytes,
                allocation_bytes: facts.allocation_bytes,
            });
        }
        observed
            .volumes
            .sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    }

    fn lookup_volume(
        &self,
        pool: &StoragePool,
        name: &str,
    ) -> Result<Option<StorageVol>, DriverError> {
        found(pool.lookup_storage_vol_by_name(name), KIND, name)
    }

    pub(super) fn create_own_overlay(&self, overlay: &Overlay) -> Result<(), DriverError> {
        let Overlay {
            volume: name,
            image_path,
            image_format,
            size_bytes,
        } = overlay;
        require_own_name(name)?;
        let pool = self.ensure_pool(VOLUME_POOL)?;
        if let Some(volume) = self.lookup_volume(&pool, name)?
            && let Ok(xml) = volume.xml_desc(0)
        {
            let backing = volume_facts(&xml)?.backing_path;
            return match backing.as_ref() == Some(image_path) {
                true => Ok(()),
                false => Err(DriverError::Exists {
                    kind: KIND,
                    name: name.clone(),
                    difference: format!("it lies on {}", backing.as_deref().unwrap_or("no image")),
                }),
            };
        }
        let backing = format!(
            "<backingStore><path>{}</path><format type='{}'/></backingStore>",
            escape(image_path),
            escape(image_format)
        );
        create(&pool, name, &qcow2_xml(name, *size_bytes, &backing)).map(drop)
    }

    pub(super) fn create_own_disk(&self, name: &str, size_bytes: u64) -> Result<(), DriverError> {
        require_own_name(name)?;
        let pool = self.ensure_pool(VOLUME_POOL)?;
        let volume = self.lookup_volume(&pool, name)?;
        if volume.is_some_and(|volume| volume.info().is_ok()) {
            return Ok(());
        }
        create(&pool, name, &qcow2_xml(name, size_bytes, "")).map(drop)
    }

    pub(super) fn write_own_volume(&self, name: &str, content: &[u8]) -> Result<(), DriverError> {
        require_own_name(name)?;
        let pool = self.ensure_pool(VOLUME_POOL)?;
        if let Some(volume) = self.lookup_volume(&pool, name)? {
            delete(&volume, name)?;
        }
        let size_bytes = content.len() as u64;
        let xml = raw_xml(name, size_bytes, VOLUME_MODE);
        let volume = create(&pool, name, &xml)?;
        self.upload(&volume, name, size_bytes, &mut &*content, &mut |_| {})
    }

    pub(super) fn delete_own_volume(&self, name: &str) -> Result<(), DriverError> {
        require_own_name(name)?;
        let Some(pool) = self.active_pool(VOLUME_POOL)? else {
            return Ok(());
        };
        match self.lookup_volume(&pool, name)? {
            Some(volume) => delete(&volume, name),
            None => Ok(()),
        }
    }

    fn upload(
        &self,
        volume: &StorageVol,
        name: &str,
        size_bytes: u64,
        content: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), DriverError> {
        let failed = |error: Error| refused(Operation::Write, name, &error);
        let stream = Stream::new(&self.connection, 0).map_err(failed)?;
        volume.upload(&stream, 0, size_bytes, 0).map_err(failed)?;
        match send_all(&stream, name, size_bytes, content, progress) {
            Ok(()) => stream.finish().map_err(failed),
            Err(error) => {
                // The first error is the one to tell.
                let _ = stream.abort();
                Err(error)
            }
        }
    }

    fn download(
        &self,
        volume: &StorageVol,
        name: &str,
        limit_bytes: Option<u64>,
        sink: &mut dyn Write,
    ) -> Result<(), DriverError> {
        let failed = |error: Error| refused(Operation::Read, name, &error);
        let stream = Stream::new(&self.connection, 0).map_err(failed)?;
        // A length of 0 stands for the whole.
        volume
            .download(&stream, 0, limit_bytes.unwrap_or(0), 0)
            .map_err(failed)?;
        match receive_all(&stream, name, sink) {
            Ok(()) => stream.finish().map_err(failed),
            Err(error) => {
                let _ = stream.abort();
                Err(error)
            }
        }
    }

    pub(super) fn list_stored_files(&self) -> Result<Vec<StoredFile>, DriverError> {
        let mut files = Vec::new();
        for volume in self.volumes_of(IMAGE_POOL)? {
            let (Ok(name), Ok(path), Ok(info)) = (volume.name(), volume.path(), volume.info())
            else {
                continue;
            };
            files.push(StoredFile {
                name,
                path,
                allocation_bytes: info.allocation,
            });
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(files)
    }

    pub(super) fn upload_stored_file(
        &self,
        name: &str,
        size_bytes: u64,
        content: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), DriverError> {
        let pool = self.ensure_pool(IMAGE_POOL)?;
        if self.lookup_volume(&pool, name)?.is_some() {
            return Err(DriverError::Exists {
                kind: ObjectKind::Image,
                name: name.to_owned(),
                difference: "the store never overwrites".to_owned(),
            });
        }
        let mode = match self.place.scope {
            Scope::System => IMAGE_MODE,
            Scope::Session => IMAGE_MODE_BEING_WRITTEN,
        };
        let volume = create(
            &pool,
            name,
            &raw_xml(name, size_bytes, &format!("0{mode:o}")),
        )?;
        self.upload(&volume, name, size_bytes, content, progress)?;
        if self.place.locality == Locality::Local && self.place.scope == Scope::Session {
            use std::os::unix::fs::PermissionsExt;
            let path = volume
                .path()
                .map_err(|error| refused(Operation::Look, name, &error))?;
            let read_only = std::fs::Permissions::from_mode(IMAGE_MODE);
            std::fs::set_permissions(&path, read_only).map_err(|source| DriverError::File {
                operation: Operation::Write,
                path,
                source,
            })?;
        }
        Ok(())
    }

    pub(super) fn download_stored_file(
        &self,
        name: &str,
        limit_bytes: Option<u64>,
        sink: &mut dyn Write,
    ) -> Result<(), DriverError> {
        let missing = || DriverError::Missing {
            kind: ObjectKind::Image,
            name: name.to_owned(),
        };
        let pool = self.active_pool(IMAGE_POOL)?.ok_or_else(missing)?;
        let volume = self.lookup_volume(&pool, name)?.ok_or_else(missing)?;
        self.download(&volume, name, limit_bytes, sink)
    }

    pub(super) fn remove_stored_file(&self, name: &str) -> Result<(), DriverError> {
        let Some(pool) = self.active_pool(IMAGE_POOL)? else {
            return Ok(());
        };
        match self.lookup_volume(&pool, name)? {
            Some(volume) => delete(&volume, name),
            None => Ok(()),
        }
    }

    pub(super) fn list_image_users(&self) -> Result<Vec<ImageUser>, DriverError> {
        let mut users = Vec::new();
        for pool in [VOLUME_POOL, IMAGE_POOL] {
            for volume in self.volumes_of(pool)? {
                let (Ok(name), Ok(xml)) = (volume.name(), volume.xml_desc(0)) else {
                    continue;
                };
                users.extend(
                    volume_facts(&xml)?
                        .backing_path
                        .map(|image_path| ImageUser {
                            image_path,
                            user: format!("volume {name}"),
                        }),
                );
            }
        }
        for domain in self.domains()? {
            let (Ok(name), Ok(xml)) = (domain.name(), domain.xml_desc(0)) else {
                continue;
            };
            users.extend(domain_files(&xml)?.into_iter().map(|image_path| ImageUser {
                image_path,
                user: format!("VM {name}"),
            }));
        }
        Ok(users)
    }

    /// A console log of another host, which is a file in the folder of a pool of ours.
    pub(super) fn download_console_log(
        &self,
        path: &str,
        limit_bytes: u64,
    ) -> Result<Option<Vec<u8>>, DriverError> {
        let Some(pool) = self.active_pool(CONSOLE_POOL)? else {
            return Ok(None);
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        // QEMU makes the log behind libvirt's back.
        pool.refresh(0)
            .map_err(|error| refused(Operation::Look, CONSOLE_POOL, &error))?;
        let Some(volume) = self.lookup_volume(&pool, name)? else {
            return Ok(None);
        };
        let failed = |error: Error| refused(Operation::Read, name, &error);
        let size = volume.info().map_err(failed)?.capacity;
        let stream = Stream::new(&self.connection, 0).map_err(failed)?;
        volume
            .download(&stream, size.saturating_sub(limit_bytes), limit_bytes, 0)
            .map_err(failed)?;
        let mut content = Vec::new();
        receive_all(&stream, name, &mut content)?;
        stream.finish().map_err(failed)?;
        Ok(Some(content))
    }
}

fn require_own_name(name: &str) -> Result<(), DriverError> {
    match VolumeName::parse(name) {
        Some(_) => Ok(()),
        None => Err(DriverError::Foreign {
            kind: KIND,
            name: name.to_owned(),
        }),
    }
}

/// The folder of a pool, which must be of type `dir`.
fn folder_of(pool: &StoragePool, name: &str) -> Result<String, DriverError> {
    let xml = pool
        .xml_desc(0)
        .map_err(|error| refused(Operation::Look, name, &error))?;
    let wrong = |reason: String| DriverError::Pool {
        pool: name.to_owned(),
        reason,
    };
    match pool_facts(&xml)? {
        (kind, Some(folder)) if kind == "dir" => Ok(folder),
        (kind, _) => Err(wrong(format!("it is of type `{kind}` and no folder"))),
    }
}

fn start_pool(pool: &StoragePool, name: &str) -> Result<(), DriverError> {
    match pool.create(0) {
        Ok(()) => Ok(()),
        Err(_) if pool.is_active().unwrap_or(false) => Ok(()),
        Err(error) => Err(refused(Operation::Start, name, &error)),
    }
}

fn create(pool: &StoragePool, name: &str, xml: &str) -> Result<StorageVol, DriverError> {
    let failed = |error: Error| refused(Operation::Create, name, &error);
    match StorageVol::create_xml(pool, xml, 0) {
        Ok(volume) => Ok(volume),
        Err(error)
            if error
                .code()
                .is_known_and(|code| code == ErrorNumber::StorageVolExist) =>
        {
            pool.refresh(0).map_err(failed)?;
            StorageVol::create_xml(pool, xml, 0).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn delete(volume: &StorageVol, name: &str) -> Result<(), DriverError> {
    match volume.delete(0) {
        Ok(()) => Ok(()),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(refused(Operation::Delete, name, &error)),
    }
}

fn qcow2_xml(name: &str, size_bytes: u64, backing: &str) -> String {
    let name = escape(name);
    format!(
        "<volume><name>{name}</name><capacity unit='bytes'>{size_bytes}</capacity>\
         <target><format type='qcow2'/><compat>1.1</compat>\
         <permissions><mode>{VOLUME_MODE}</mode></permissions></target>{backing}</volume>"
    )
}

fn raw_xml(name: &str, size_bytes: u64, mode: &str) -> String {
    let name = escape(name);
    format!(
        "<volume><name>{name}</name><capacity unit='bytes'>{size_bytes}</capacity>\
         <allocation unit='bytes'>0</allocation><target><format type='raw'/>\
         <permissions><mode>{mode}</mode></permissions></target></volume>"
    )
}

/// Sends exactly `size_bytes`; fewer in the source is an error, so that no half file passes for
/// a whole one.
fn send_all(
    stream: &Stream,
    name: &str,
    size_bytes: u64,
    content: &mut dyn Read,
    progress: &mut dyn FnMut(u64),
) -> Result<(), DriverError> {
    let unreadable = |source| DriverError::File {
        operation: Operation::Read,
        path: name.to_owned(),
        source,
    };
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut sent = 0;
    while sent < size_bytes {
        let wanted = CHUNK_BYTES.min(usize::try_from(size_bytes - sent).unwrap_or(CHUNK_BYTES));
        content
            .read_exact(&mut buffer[..wanted])
            .map_err(unreadable)?;
        let mut rest = &buffer[..wanted];
        while !rest.is_empty() {
            let taken = stream
                .send(rest)
                .map_err(|error| refused(Operation::Write, name, &error))?;
            match usize::try_from(taken) {
                Ok(taken) if taken > 0 => rest = &rest[taken..],
                // A blocking stream takes something or fails; libvirt promises no more.
                _ => return Err(stalled(Operation::Write, name)),
            }
        }
        sent += wanted as u64;
        progress(sent);
    }
    Ok(())
}

fn receive_all(stream: &Stream, name: &str, sink: &mut dyn Write) -> Result<(), DriverError> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let received = stream
            .recv(&mut buffer)
            .map_err(|error| refused(Operation::Read, name, &error))?;
        let Ok(received) = usize::try_from(received) else {
            return Err(stalled(Operation::Read, name));
        };
        if received == 0 {
            return Ok(());
        }
        sink.write_all(&buffer[..received])
            .map_err(|source| DriverError::File {
                operation: Operation::Write,
                path: name.to_owned(),
                source,
            })?;
    }
}

/// A stream that neither moved nor failed.
fn stalled(operation: Operation, name: &str) -> DriverError {
    DriverError::File {
        operation,
        path: name.to_owned(),
        source: std::io::ErrorKind::WouldBlock.into(),
    }
}
