//! `make bench-wire`: what the wire costs and how exact it is, beside relays that do less.
//!
//! Not a test: nothing here fails because a machine is slow. All traffic is between sockets on
//! the loopback interface. Relays run as processes of their own on one CPU, the tester on
//! another; both ask for high priority, which is granted to root. Neighbours move figures by
//! tens of percent, so the ratios count: what is compared takes turns within one run.
//!
//! `--quick` takes a quarter of the time, `--json` prints the figures as JSON, and words choose
//! what is measured: `cost`, `latency`, `delay`, `rate`, `loss`, `flight`, `links`.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

mod cost;
mod flight;
mod links;
mod relay;
mod report;
mod stage;
mod timing;

use report::Report;

type Error = Box<dyn std::error::Error>;

/// How long everything takes: the whole, or a part that shows whether anything is wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    Whole,
    Quick,
}

impl Effort {
    /// So many rounds, or a quarter of them.
    fn of(self, rounds: usize) -> usize {
        match self {
            Self::Whole => rounds,
            Self::Quick => rounds.div_ceil(4),
        }
    }
}

/// A part of the bench by its name.
type Part = (&'static str, fn(Effort, &mut Report) -> Result<(), Error>);

const PARTS: &[Part] = &[
    ("cost", cost::measure),
    ("latency", timing::latency),
    ("delay", timing::delay),
    ("rate", timing::rate),
    ("loss", timing::loss),
    ("flight", flight::measure),
    ("links", links::measure),
];

fn main() -> Result<(), Error> {
    if relay::is_wanted() {
        return relay::run();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let effort = match has("--quick") {
        true => Effort::Quick,
        false => Effort::Whole,
    };
    let names_some = PARTS.iter().any(|(name, _)| has(name));
    let session = stage::session_priority();
    stage::be_undisturbed(stage::TESTER_CPU);
    let mut report = Report::default();
    for (name, measure) in PARTS {
        if names_some && !has(name) {
            continue;
        }
        report.part(name);
        if let Err(error) = measure(effort, &mut report) {
            report.left_out(name, &error.to_string());
        }
    }
    stage::set_session_priority(&session);
    match has("--json") {
        true => println!("{}", report.json()?),
        false => println!("{}\n{report}", stage::machine()),
    }
    Ok(())
}
