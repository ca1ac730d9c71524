//! What touches the world: libvirt, volumes, consoles, the executor and the doctor.

pub mod console;
pub mod doctor;
pub mod driver;
pub mod exec;
pub mod executor;
mod folder;
pub mod host;
pub mod image;
pub mod lab_check;
pub mod load;
pub mod media;
pub mod performer;
pub mod provision;
pub mod ready;
pub mod ssh;
pub mod wire;
pub mod worker;
pub mod workspace;
