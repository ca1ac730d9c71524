//! A router on a bad serial line, in simulated time: it drops characters, answers late, reloads,
//! and logs whenever it likes.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::VecDeque;
use std::time::Duration;
use vnflab_dialogue::{
    Answer, Dialogue, Ending, Next, Pattern, Reply, Script, Sending, Step, Timing,
};

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Numbers that follow from a seed (xorshift64*).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit.max(1)
    }

    fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// What is wrong with the line and the router.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Characters in a thousand that are lost on the way to the router.
    pub(crate) dropped: u64,
    /// Characters in a thousand that are lost on the way back.
    pub(crate) unheard: u64,
    /// Longest time until something is answered.
    pub(crate) late_ms: u64,
    /// A log line about this often; 0 for never.
    pub(crate) noise_ms: u64,
    /// The router reloads once at this time; 0 for never.
    pub(crate) reload_ms: u64,
    /// It never says a prompt.
    pub(crate) is_mute: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Mode {
    Booting(Duration),
    Login,
    Password,
    NewPassword,
    Exec,
    Config,
    Banner,
}

pub(crate) struct Router {
    faults: Faults,
    numbers: Numbers,
    mode: Mode,
    line: Vec<u8>,
    user: String,
    /// The password, once it was changed.
    password: Option<String>,
    output: VecDeque<(Duration, u8)>,
    next_noise: Duration,
    has_reloaded: bool,
    /// The configuration that runs.
    pub(crate) config: Vec<String>,
    /// What was saved.
    pub(crate) saved: Option<Vec<String>>,
    /// Lines that made no sense to it.
    pub(crate) garbage: Vec<String>,
    pub(crate) wrong_logins: usize,
}

pub(crate) const FIRST: &str = "admin";
pub(crate) const CHANGED: &str = "lab-Secret1";

impl Router {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let mut router = Self {
            faults,
            numbers: Numbers::new(seed),
            mode: Mode::Login,
            line: Vec::new(),
            user: String::new(),
            password: None,
            output: VecDeque::new(),
            next_noise: Duration::ZERO,
            has_reloaded: false,
            config: Vec::new(),
            saved: None,
            garbage: Vec::new(),
            wrong_logins: 0,
        };
        router.next_noise = router.noise_time(Duration::ZERO);
        router
    }

    /// As it is after the router was left alone in its configuration mode.
    pub(crate) fn left_in_config(mut self) -> Self {
        self.mode = Mode::Config;
        self
    }

    /// With something typed that nobody sent off.
    pub(crate) fn with_typed(mut self, text: &str) -> Self {
        self.line = text.as_bytes().to_vec();
        self
    }

    fn noise_time(&mut self, now: Duration) -> Duration {
        match self.faults.noise_ms {
            0 => Duration::MAX,
            mean => now + MS * u32::try_from(1 + self.numbers.below(2 * mean)).unwrap(),
        }
    }

    fn say(&mut self, now: Duration, text: &str) {
        let late = match self.faults.late_ms {
            0 => 0,
            late => self.numbers.below(late),
        };
        let mut at = now + MS * u32::try_from(late).unwrap();
        if let Some((last, _)) = self.output.back() {
            at = at.max(*last);
        }
        for byte in text.bytes() {
            if !self.numbers.happens(self.faults.unheard) || byte == b'\n' {
                self.output.push_back((at, byte));
            }
        }
    }

    fn prompt(&mut self, now: Duration) {
        if self.faults.is_mute {
            return;
        }
        let prompt = match self.mode {
            Mode::Booting(_) | Mode::Banner => "",
            Mode::Login => "switch login: ",
            Mode::Password => "Password: ",
            Mode::NewPassword => "New password: ",
            Mode::Exec => "switch# ",
            Mode::Config => "switch(config)# ",
        };
        self.say(now, prompt);
    }

    /// Time passes.
    fn pass(&mut self, now: Duration) {
        if let Mode::Booting(until) = self.mode
            && now >= until
        {
            self.mode = Mode::Login;
            self.say(now, "\r\nSystem is up.\r\n");
            self.prompt(now);
        }
        if now >= self.next_noise {
            self.say(now, "%LINK-3-UPDOWN: Interface 1/1/1, changed state\r\n");
            self.next_noise = self.noise_time(now);
        }
        let reload = MS * u32::try_from(self.faults.reload_ms).unwrap();
        if self.faults.reload_ms > 0 && now >= reload && !self.has_reloaded {
            self.has_reloaded = true;
            self.reload(now);
        }
    }

    fn reload(&mut self, now: Duration) {
        self.line.clear();
        self.config = self.saved.clone().unwrap_or_default();
        if self.saved.is_none() {
            self.password = None;
        }
        self.mode = Mode::Booting(now + Duration::from_secs(40));
        self.say(now, "\r\nRestarting.\r\n\x0cLoading ....");
    }

    fn key(&mut self, now: Duration, byte: u8) {
        let is_hidden = matches!(self.mode, Mode::Password | Mode::NewPassword);
        // What is not echoed cannot be told from what is wrong; how often that is tried has a test
        // of its own.
        let is_dropped = !is_hidden && self.numbers.happens(self.faults.dropped);
        if is_dropped || matches!(self.mode, Mode::Booting(_)) {
            return;
        }
        match byte {
            b'\r' => {
                let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
                self.say(now, "\r\n");
                self.enter(now, &line);
            }
            0x15 => {
                let count = self.line.len();
                self.line.clear();
                if !is_hidden {
                    self.say(now, &"\x08 \x08".repeat(count));
                }
            }
            _ => {
                self.line.push(byte);
                if !is_hidden {
                    self.say(now, &char::from(byte).to_string());
                }
            }
        }
    }

    fn enter(&mut self, now: Duration, line: &str) {
        let line = line.trim_end();
        match self.mode {
            Mode::Booting(_) => {}
            Mode::Login if line.is_empty() => {}
            Mode::Login => {
                self.user = line.to_owned();
                self.mode = Mode::Password;
            }
            Mode::Password => {
                let expected = self.password.as_deref().unwrap_or(FIRST);
                if self.user == "admin" && line == expected {
                    self.mode = match self.password {
                        None => Mode::NewPassword,
                        Some(_) => Mode::Exec,
                    };
                } else {
                    self.wrong_logins += 1;
                    self.mode = Mode::Login;
                    self.say(now, "Login incorrect\r\n");
                }
            }
            Mode::NewPassword if line == CHANGED => {
                self.password = Some(line.to_owned());
                self.mode = Mode::Exec;
            }
            Mode::NewPassword => self.say(now, "Password unchanged.\r\n"),
            Mode::Exec => match line {
                "" => {}
                "configure terminal" => self.mode = Mode::Config,
                "write memory" => {
                    self.saved = Some(self.config.clone());
                    self.say(now, "Building configuration...\r\n[OK]\r\n");
                }
                "show running-config" => {
                    let text: String = self.config.iter().map(|l| format!("{l}\r\n")).collect();
                    self.say(now, &text);
                }
                other => self.garbage(now, other),
            },
            Mode::Config if line == "end" => self.mode = Mode::Exec,
            Mode::Config if line == "banner motd ^" => {
                self.mode = Mode::Banner;
                self.say(now, "Enter TEXT message.\r\n");
                self.config.push(line.to_owned());
            }
            Mode::Config if line.is_empty() => {}
            Mode::Config if line.starts_with("set ") => {
                // A line that is there already stays where it is.
                if !self.config.iter().any(|known| known == line) {
                    self.config.push(line.to_owned());
                }
            }
            Mode::Config => self.garbage(now, line),
            Mode::Banner => {
                self.config.push(line.to_owned());
                if line == "^" {
                    self.mode = Mode::Config;
                }
            }
        }
        self.prompt(now);
    }

    fn garbage(&mut self, now: Duration, line: &str) {
        self.garbage.push(line.to_owned());
        self.say(now, "% Invalid input\r\n");
    }

    fn due(&mut self, now: Duration) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.output.front().is_some_and(|(at, _)| *at <= now) {
            bytes.push(self.output.pop_front().unwrap().1);
        }
        bytes
    }
}

/// How a dialogue with a router ended, and all that was sent that may be seen.
pub(crate) struct Held {
    pub(crate) ending: Ending,
    pub(crate) took: Duration,
    pub(crate) open: Vec<u8>,
    pub(crate) secret: Vec<u8>,
    pub(crate) logged_in: bool,
}

/// Holds a dialogue with a router, in simulated time.
pub(crate) fn hold(script: Script, router: &mut Router) -> Held {
    let mut dialogue = Dialogue::new(script);
    let mut now = Duration::ZERO;
    let (mut open, mut secret) = (Vec::new(), Vec::new());
    loop {
        router.pass(now);
        let bytes = router.due(now);
        if !bytes.is_empty() {
            dialogue.heard(now, &bytes);
        }
        match dialogue.next(now) {
            Next::Send(sent) => {
                for byte in &sent.bytes {
                    router.key(now, *byte);
                }
                match sent.is_secret {
                    true => secret.extend(sent.bytes),
                    false => open.extend(sent.bytes),
                }
            }
            Next::Wait(until) => {
                assert!(until > now, "it asks to be asked again at once");
                let event = router.output.front().map_or(Duration::MAX, |(at, _)| *at);
                let boot = match router.mode {
                    Mode::Booting(until) => until,
                    _ => Duration::MAX,
                };
                let reload = match (router.has_reloaded, router.faults.reload_ms) {
                    (false, at @ 1..) => MS * u32::try_from(at).unwrap(),
                    _ => Duration::MAX,
                };
                let next = until
                    .min(event)
                    .min(router.next_noise)
                    .min(boot)
                    .min(reload);
                now = next.max(now + MS);
            }
            Next::End(ending) => {
                return Held {
                    ending,
                    took: now,
                    open,
                    secret,
                    logged_in: dialogue.has_logged_in(),
                };
            }
        }
    }
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

fn step(name: &str, at: &str, send: Sending) -> Step {
    Step {
        name: name.to_owned(),
        at: vec![pattern(at)],
        send,
        patience: Duration::from_secs(10),
        is_optional: false,
        is_captured: false,
        is_last: false,
    }
}

fn line(text: &str) -> Sending {
    Sending::Reply(Reply::Line(text.to_owned()))
}

/// What belongs to any dialogue with the router.
fn script(passwords: &[&str], steps: Vec<Step>) -> Script {
    let passwords = passwords.iter().map(|one| (*one).to_owned()).collect();
    let answer = |see: &str, send: Reply, begins: bool| Answer {
        see: pattern(see),
        send,
        begins,
    };
    Script {
        steps,
        answers: vec![
            answer("login: ?$", Reply::Line("admin".to_owned()), true),
            answer("^Password: ?$", Reply::Password(passwords), false),
            answer(
                "^New password: ?$",
                Reply::Secret(CHANGED.to_owned()),
                false,
            ),
        ],
        prompts: vec![pattern(r"^[\w-]+(\([\w-]+\))?# ?$")],
        refusals: vec![pattern("Login incorrect")],
        errors: vec![pattern("^% ")],
        erase: vec![0x15],
        timing: Timing {
            limit: Duration::from_secs(3600),
            ..Timing::default()
        },
    }
}

/// The script that brings a configuration onto the router.
pub(crate) fn provision(config: &[String]) -> Script {
    let steps = vec![
        step(
            "enter configuration",
            r"^[\w-]+# ?$",
            line("configure terminal"),
        ),
        step(
            "configure",
            r"\(config\)# ?$",
            Sending::Lines(config.to_vec()),
        ),
        step("leave configuration", r"\(config\)# ?$", line("end")),
        step("save", r"^[\w-]+# ?$", line("write memory")),
        step("saved", r"^\[OK\]", Sending::Nothing),
    ];
    script(&[FIRST, CHANGED], steps)
}

/// The script that runs one command.
pub(crate) fn command(text: &str, passwords: &[&str]) -> Script {
    let mut step = step(
        "command",
        r"^[\w-]+# ?$",
        Sending::Lines(vec![text.to_owned()]),
    );
    step.is_captured = true;
    script(passwords, vec![step])
}
