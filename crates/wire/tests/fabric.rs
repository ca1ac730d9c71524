//! The fabric against a simple model of it, on a clock of our own: random ends, junctions,
//! impairments, frames, and changes of all of them while frames wait.
//!
//! The model asks a twin of each lane's policy what becomes of each frame, so that it knows
//! exactly when each is due, what it looks like then, and why it is dropped. A failure prints the
//! seed; `VNFLAB_SEED=N` runs that one again.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod common;
mod model;

use common::{Random, seeds};
use model::World;
use std::collections::BTreeMap;
use vnflab_impairment::{Impairment, KEYS, Settings};
use vnflab_wire::LinkState;
use vnflab_wire::core::fabric::Limits;
use vnflab_wire::core::junction::Forwarding;

const STEPS: usize = 400;

/// What is asked now and then besides what the table of keys has as examples.
const MORE: &[(&str, &str)] = &[
    ("delay", "300us"),
    ("delay", "10ms"),
    ("jitter", "9ms"),
    ("reorder", "jitter"),
    ("duplicate", "40%"),
    ("corrupt", "40%"),
    ("loss", "30%"),
    ("rate", "1mbit"),
    ("rate", "1gbit"),
    ("queue", "5frames"),
    ("slot", "3ms"),
];

const MORE_IMPAIRMENTS: &[&str] = &[
    r#"{"rules": [{"matches": "arp", "settings": {"delay": "7ms"}}]}"#,
    r#"{"settings": {"delay": "5ms"}, "rules": [{"matches": "greater 500", "settings": {}}]}"#,
    r#"{"schedule": [{"at": "5ms", "action": "down"}, {"at": "9ms", "action": "up"},
        {"at": "12ms", "action": {"set": {"delay": "4ms"}}}, {"at": "40ms", "action": "reset"}]}"#,
    r#"{"settings": {"jitter": "2ms", "delay": "3ms"}, "markov": {"every": "2ms", "states": [
        {"name": "good", "next": {"bad": "40%"}},
        {"name": "bad", "settings": {"reorder": "jitter", "loss": "20%"}, "next": {"good": "40%"}}
    ]}}"#,
];

fn random_impairment(random: &mut Random) -> Impairment {
    match random.below(8) {
        0 | 1 => return Impairment::default(),
        2 => return serde_json::from_str(random.one_of::<&str>(MORE_IMPAIRMENTS)).unwrap(),
        _ => {}
    }
    let mut settings = Settings::default();
    for _ in 0..=random.below(4) {
        let (key, value) = if random.once_in(3) {
            let key = random.one_of(KEYS);
            (key.name, key.example)
        } else {
            *random.one_of(MORE)
        };
        settings.set(key, value).unwrap();
    }
    Impairment {
        settings,
        ..Impairment::default()
    }
}

fn random_length(random: &mut Random) -> usize {
    match random.below(12) {
        0 => 0,
        1 => 1 + random.below(13),
        2 => 9000,
        3 if random.once_in(4) => 65_507,
        _ => 14 + random.below(1500),
    }
}

fn random_forwarding(random: &mut Random) -> Forwarding {
    match random.below(4) {
        0 | 1 => Forwarding::Link,
        2 => Forwarding::Hub,
        _ => Forwarding::Switch {
            ageing_ns: 1 + random.next() % 50_000_000,
            addresses: random.below(6),
        },
    }
}

fn step(world: &mut World, random: &mut Random) {
    match random.below(100) {
        0..60 => {
            for _ in 0..=random.below(8) {
                let from = world.random_end(random);
                let length = random_length(random);
                world.arrive(from, length, random);
            }
        }
        60..80 => world.advance(1 + random.next() % 6_000_000),
        80..87 => {
            let impairment = random_impairment(random);
            let end = world.random_end(random);
            world.set_policy(end, &impairment, random.next());
        }
        87..94 => {
            let junction = random.below(4) as u32;
            let forwarding = random_forwarding(random);
            let most = if forwarding == Forwarding::Link { 2 } else { 5 };
            let state = match random.once_in(5) {
                true => LinkState::Down,
                false => LinkState::Up,
            };
            let members = world.random_ends(random, most);
            world.put_junction(junction, forwarding, state, members);
        }
        94 => world.remove_junction(random.below(4) as u32),
        95 => {
            let end = world.random_end(random);
            world.remove_end(end);
            world.add_end();
        }
        96 => {
            let total_bytes = random.below(2_000_000);
            let lane_bytes = total_bytes / (1 + random.below(4));
            world.bound(Limits {
                total_bytes,
                lane_bytes,
            });
        }
        97..99 => {
            let (sent_by, received_by) =
                (world.random_ends(random, 3), world.random_ends(random, 3));
            world.watch(sent_by, received_by);
        }
        _ => world.unwatch(),
    }
}

#[test]
fn every_frame_goes_where_and_when_the_model_says_and_is_counted_once() {
    for seed in seeds(60) {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let mut world = World::new(2 + random.below(6));
        for _ in 0..STEPS {
            step(&mut world, &mut random);
            world.check();
        }
        world.drain();
    }
}

#[test]
fn a_switch_sends_what_it_knows_to_one_and_all_else_to_everybody() {
    for seed in seeds(20) {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let ends = 2 + random.below(6) as u32;
        let forwarding = Forwarding::Switch {
            ageing_ns: 1000,
            addresses: usize::MAX,
        };
        let mut world = World::new(ends as usize);
        world.put_junction(0, forwarding, LinkState::Up, (0..ends).collect());
        let mut known: BTreeMap<[u8; 6], (u32, usize)> = BTreeMap::new();
        for time in 0..2000 {
            let from = random.below(ends as usize) as u32;
            let sender = [2, 0, 0, 0, 0, random.below(20) as u8];
            let receiver = [
                2 + random.below(2) as u8,
                0,
                0,
                0,
                0,
                random.below(25) as u8,
            ];
            known.insert(sender, (from, time));
            let mut expected: Vec<u32> = match known.get(&receiver) {
                Some((end, seen)) if time - seen < 1000 => vec![*end],
                _ => (0..ends).collect(),
            };
            expected.retain(|end| *end != from);
            assert_eq!(world.pass(from, receiver, sender, time as u64), expected);
        }
    }
}
