//! A relay with a delay between two UDP ports, in ten lines.
//!
//! `cargo run -p vnflab-wire --example relay` joins a QEMU at port 30001, which sends to 31001,
//! with one at 30002, which sends to 31002.

use vnflab_impairment::Impairment;
use vnflab_wire::{Config, Wire};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut impairment = Impairment::default();
    for argument in std::env::args().skip(1) {
        let (key, value) = argument.split_once('=').ok_or("write KEY=VALUE")?;
        impairment.settings.set(key, value)?;
    }
    let a = ("127.0.0.1:31001".parse()?, "127.0.0.1:30001".parse()?);
    let b = ("127.0.0.1:31002".parse()?, "127.0.0.1:30002".parse()?);
    let mut wire = Wire::start()?;
    wire.apply(&Config::relay([a, b], &impairment))?;
    loop {
        std::thread::park();
    }
}
