//! What is looked at on a host: the table of checks, with their stable numbers.

/// A stable check, such as `D01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// What is printed. It never changes its meaning and is never used again.
    pub id: &'static str,
    /// What is looked at.
    pub title: &'static str,
    /// What it is needed for and how it is mended, in a sentence or two.
    pub explanation: &'static str,
}

macro_rules! checks {
    ($($name:ident = $id:literal, $title:literal, $explanation:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub const $name: Check = Check { id: $id, title: $title, explanation: $explanation };
        )*

        /// All checks, in the order of examination.
        pub const ALL: &[Check] = &[$($name),*];
    };
}

checks! {
    LIBVIRT = "D01", "libvirt",
        "Every VM, network and disk is made by libvirt. Root uses qemu:///system, whose daemons an init system starts, or `virtlogd -d; libvirtd -d` by hand where there is none. Other users have qemu:///session, which starts its own daemon and needs the program `libvirtd` only.";
    QEMU = "D02", "QEMU",
        "The program `qemu-system-x86_64` runs the VMs. Debian has it in the package qemu-system-x86.";
    QEMU_IMG = "D03", "qemu-img",
        "libvirt makes disk overlays with `qemu-img`. Debian has it in the package qemu-utils.";
    ACCELERATION = "D04", "hardware acceleration",
        "With KVM, guests run at nearly the speed of the host. Without it QEMU translates their code, which is about ten times slower, yet everything works. KVM needs a CPU with vmx or svm, /dev/kvm, and membership in the group that owns it.";
    CONSOLE_LOG = "D05", "console recording",
        "virtlogd records what guests say on their consoles. The system's libvirt cannot start a VM with a recorded console while virtlogd does not run.";
    MANAGEMENT = "D06", "management networks",
        "A management network of the system's libvirt is a bridge whose addresses `dnsmasq` leases and whose traffic `iptables` or `nft` forwards. A user's session has no bridges: there QEMU forwards a port to each guest's SSH server, and nothing has to be installed.";
    STORAGE = "D07", "folder for disks",
        "The overlays of the nodes' disks lie in this folder. The system's libvirt runs QEMU as a user of its own, who must be able to pass through every folder above.";
    DISK_SPACE = "D08", "disk space",
        "An overlay is empty at first and grows with what the guest writes, from a few MiB for our own image to some GiB for a vendor's.";
    MEMORY = "D09", "memory",
        "A guest takes as much memory as its kind asks for: 256 MiB for our own image, 4 GiB and more for vendors' images. `--stand-in frr` rehearses a lab with the small one. The kernel can share the equal pages of VMs of one image (KSM), for a little of a CPU; it finds them some minutes after the guests booted.";
    OWN_IMAGE = "D10", "image `frr`",
        "Our own router image, for nodes of the kind `frr` and for `--stand-in frr`. `vnflab image build frr` makes it from Debian's packages in a minute or two.";
    SSH = "D11", "SSH client",
        "`vnflab ssh` runs the system's `ssh`. Debian has it in the package openssh-client.";
    BUFFERS = "D12", "socket buffers",
        "A frame that finds the buffer of its socket full is lost. QEMU takes the default, and 212,992 bytes hold 92 frames of 1500 bytes or 12 jumbo frames: a burst of a fast guest overruns a slow one. The wire asks for more, up to the kernel's limit; `vnflab link show` counts what it could not take as overruns.";
    FIRMWARE = "D13", "UEFI firmware",
        "Kinds that boot by UEFI need OVMF, with the descriptions in /usr/share/qemu/firmware by which libvirt finds it. Debian has it in the package ovmf. Kinds that boot by BIOS need nothing.";
    CPU_LIMITS = "D14", "CPU limits",
        "`cpu-limit` in a lab file and `vnflab cpu-limit` need the CPU controller of the kernel's control groups, which many containers lack, and the system's libvirt: a user's session cannot limit CPUs. Without it nodes run without a limit.";
}
