//! `cargo bench -p vnflab-filter`: what a filter costs a frame, in nanoseconds.
//!
//! The floor is a filter that asks for one field. Not a test: nothing here fails.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::hint::black_box;
use std::time::Instant;

use vnflab_filter::Filter;

const FRAMES: u32 = 2_000_000;
const ROUNDS: usize = 5;

const EXPRESSIONS: &[&str] = &[
    "arp",
    "tcp port 179",
    "ip proto 89",
    "vlan 20",
    "host 10.9.9.9",
    "port 53 or 67 or 123 or 5353",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
];

fn main() -> Result<(), vnflab_filter::FilterError> {
    let frame = bgp_update();
    println!(
        "{:>8}  expression, on a TCP frame of {} bytes",
        "ns",
        frame.len()
    );
    for expression in EXPRESSIONS {
        let filter = Filter::parse(expression)?;
        let best = (0..ROUNDS)
            .map(|_| nanoseconds(&filter, &frame))
            .fold(f64::INFINITY, f64::min);
        println!("{best:>8.1}  {expression}");
    }
    Ok(())
}

fn nanoseconds(filter: &Filter, frame: &[u8]) -> f64 {
    let start = Instant::now();
    for _ in 0..FRAMES {
        black_box(filter.matches(black_box(frame)));
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(FRAMES)
}

fn bgp_update() -> Vec<u8> {
    let mut frame = vec![0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0xc0, 0, 92, 0, 0, 0x40, 0, 1, 6, 0, 0]);
    frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0xc0, 0, 0, 179]);
    frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 2, 0, 0, 0, 0, 0]);
    frame.extend([0xff; 52]);
    frame
}
