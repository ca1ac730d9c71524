//! What touches the world: libvirt, volumes, consoles, the executor and the doctor.

pub mod console;
pub mod doctor;
pub mod load;
pub mod ready;
pub mod ssh;
