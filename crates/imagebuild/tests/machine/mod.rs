//! A virtual machine of the tests: QEMU without acceleration, its serial console in our hands.

use std::io::{Read as _, Write as _};
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the disk hangs on.
#[derive(Clone, Copy)]
pub enum Disk {
    Virtio,
    Ide,
}

/// Model of a network card.
#[derive(Clone, Copy)]
pub enum NicModel {
    Virtio,
    E1000,
}

impl NicModel {
    fn device(self) -> &'static str {
        match self {
            NicModel::Virtio => "virtio-net-pci",
            NicModel::E1000 => "e1000",
        }
    }
}

/// What a machine is made of.
#[derive(Clone)]
pub struct MachineSpec {
    folder: PathBuf,
    disk: PathBuf,
    bus: Disk,
    arguments: Vec<String>,
    nics: usize,
}

impl MachineSpec {
    /// A machine with its own overlay of `image`; its files lie below `folder`.
    pub fn new(image: &Path, folder: &Path, name: &str) -> MachineSpec {
        let folder = folder.join(format!("machine-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let disk = folder.join("disk.qcow2");
        let status = Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
            .args([image, &disk])
            .status()
            .unwrap();
        assert!(status.success());
        MachineSpec {
            folder,
            disk,
            bus: Disk::Virtio,
            arguments: Vec::new(),
            nics: 0,
        }
    }

    pub fn disk(mut self, bus: Disk) -> MachineSpec {
        self.bus = bus;
        self
    }

    pub fn argument(mut self, argument: &str) -> MachineSpec {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn cdrom(self, iso: &Path) -> MachineSpec {
        let drive = format!(
            "file={},if=ide,index=3,media=cdrom,readonly=on",
            iso.display()
        );
        self.argument("-drive").argument(&drive)
    }

    pub fn user_nic(self, model: NicModel) -> MachineSpec {
        self.nic(model, "user,restrict=on")
    }

    pub fn tunnel_nic(self, model: NicModel, local: u16, remote: u16) -> MachineSpec {
        self.nic(
            model,
            &format!("socket,udp=127.0.0.1:{remote},localaddr=127.0.0.1:{local}"),
        )
    }

    fn nic(mut self, model: NicModel, backend: &str) -> MachineSpec {
        let id = format!("net{}", self.nics);
        self.nics += 1;
        let (kind, rest) = backend.split_once(',').unwrap();
        self.argument("-netdev")
            .argument(&format!("{kind},id={id},{rest}"))
            .argument("-device")
            .argument(&format!(
                "{},netdev={id},mac={}",
                model.device(),
                random_mac()
            ))
    }
}

/// A MAC address that no other machine of this run has.
fn random_mac() -> String {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(1);
    format!(
        "52:54:00:00:01:{:02x}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Two UDP ports of the loopback address that nobody has bound now.
pub fn free_udp_ports() -> [u16; 2] {
    let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    [0, 1].map(|index: usize| sockets[index].local_addr().unwrap().port())
}

/// A running machine; killed when dropped.
pub struct Machine {
    spec: MachineSpec,
    child: Child,
    console: UnixStream,
    started: Instant,
    unread: Vec<u8>,
}

/// Printed by the guest's shell when it is ready for a command; split where it is set, so that
/// the echo of the setting is not taken for it.
const PROMPT: &str = "vnflab-test> ";

impl Machine {
    pub fn start(spec: &MachineSpec) -> Machine {
        let console = spec.folder.join("console");
        let monitor = spec.folder.join("monitor");
        let _ = std::fs::remove_file(&console);
        let disk = spec.disk.display();
        let drive = match spec.bus {
            Disk::Virtio => format!("file={disk},if=virtio"),
            Disk::Ide => format!("file={disk},if=ide,index=0"),
        };
        let started = Instant::now();
        let child = Command::new("qemu-system-x86_64")
            .args([
                "-accel",
                "tcg",
                "-machine",
                "pc",
                "-m",
                "256",
                "-nodefaults",
            ])
            .args(["-display", "none", "-vga", "none", "-drive", &drive])
            .args([
                "-chardev",
                &format!("socket,id=con,path={},server=on", console.display()),
            ])
            .args(["-serial", "chardev:con", "-monitor"])
            .arg(format!("unix:{},server=on,wait=off", monitor.display()))
            .args(&spec.arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // QEMU waits for us on the console before the machine starts.
        let limit = Instant::now() + Duration::from_secs(30);
        let console = loop {
            match UnixStream::connect(&console) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < limit, "no console: {error}"),
            }
            std::thread::yield_now();
        };
        Machine {
            spec: spec.clone(),
            child,
            console,
            started,
            unread: Vec::new(),
        }
    }

    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Reads the console up to and including `text`; panics when it does not come in time.
    pub fn expect(&mut self, text: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        loop {
            let found = self
                .unread
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            if let Some(at) = found {
                let rest = self.unread.split_off(at + text.len());
                let said = std::mem::replace(&mut self.unread, rest);
                return String::from_utf8_lossy(&said).replace('\r', "");
            }
            let left = end.saturating_duration_since(Instant::now());
            let said = String::from_utf8_lossy(&self.unread).into_owned();
            assert!(
                !left.is_zero(),
                "no `{text}` on the console after {limit:?}: {said}"
            );
            self.console.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 4096];
            match self.console.read(&mut bytes) {
                Ok(0) => panic!("the machine went away before `{text}`: {said}"),
                Ok(count) => self.unread.extend_from_slice(&bytes[..count]),
                // The time is up; the assertion above says so.
                Err(_) => {}
            }
        }
    }

    pub fn expect_prompt(&mut self, limit: Duration) -> String {
        let said = self.expect(PROMPT, limit);
        said.trim_end_matches(PROMPT).to_owned()
    }

    pub fn send_line(&mut self, line: &str) {
        self.console
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    pub fn log_in(&mut self, user: &str, password: &str) {
        let limit = Duration::from_secs(60);
        self.send_line(user);
        self.expect("assword:", limit);
        self.send_line(password);
        self.expect("# ", limit);
        self.send_line("stty -echo; PS1='vnflab-''test> '");
        self.expect(PROMPT, limit);
    }

    /// Runs a command in the shell and returns what it printed.
    pub fn run(&mut self, command: &str, limit: Duration) -> String {
        self.send_line(command);
        self.expect_prompt(limit)
    }

    /// Runs a command again and again until it prints `wanted`.
    pub fn run_until(&mut self, command: &str, wanted: &str, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let said = self.run(command, limit);
            if said.contains(wanted) {
                return;
            }
            assert!(
                Instant::now() < end,
                "`{command}` never printed `{wanted}`: {said}"
            );
        }
    }

    /// Cuts the power and starts again from the same disk.
    pub fn power_cycle(self) -> Machine {
        let spec = self.spec.clone();
        drop(self);
        Machine::start(&spec)
    }

    pub fn press_power_button(&self) {
        let mut monitor = UnixStream::connect(self.spec.folder.join("monitor")).unwrap();
        monitor.write_all(b"system_powerdown\n").unwrap();
        // The monitor greets and echoes; reading until it repeats its prompt means it has obeyed.
        let mut said = Vec::new();
        monitor
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let mut bytes = [0; 1024];
        while said.windows(6).filter(|window| window == b"(qemu)").count() < 2 {
            match monitor.read(&mut bytes) {
                Ok(count) if count > 0 => said.extend_from_slice(&bytes[..count]),
                _ => return,
            }
        }
    }

    /// Waits until QEMU has ended by itself.
    pub fn wait_until_off(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut bytes = [0; 4096];
        self.console.set_read_timeout(Some(limit)).unwrap();
        // QEMU's end closes the console.
        while let Ok(count) = self.console.read(&mut bytes) {
            if count == 0 {
                break;
            }
            assert!(
                Instant::now() < end,
                "the machine is still on after {limit:?}"
            );
        }
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
