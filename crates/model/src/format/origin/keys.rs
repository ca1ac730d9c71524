//! Every key of the origin's node files.

use crate::format::key::{Form, Key, Table};

macro_rules! keys {
    ($($name:ident = $key:literal, $form:expr, $example:literal, $doc:literal;)*) => {
        $(pub(super) static $name: Key = Key { name: $key, form: $form, example: $example, doc: $doc };)*
    };
}

keys! {
    OS = "ansible_network_os", Form::Text, "ios",
        "The kind of the node; it decides on the template of the VM.";
    ENABLED = "enabled", Form::Boolean, "yes",
        "Whether the node is part of the lab; `yes` where it is not said.";
    DISK = "vm_disk", Form::Text, "csr1000v.qcow2",
        "The disk image, a file in `files/OS/`.";
    CONFIG = "vm_config", Form::Text, "ios01.iso",
        "The day-0 ISO. Where no such file exists and the kind takes an ISO, it is made from `files/configs/HOSTNAME/` and the kind's file name.";
    CDROM = "cdrom", Form::Text, "vyos.iso",
        "An ISO image to insert, a file in `files/OS/` or `files/`.";
    HOSTNAME = "hostname", Form::Text, "ios01",
        "The host name in the guest; the name of the file where it is not said.";
    CONSOLE = "console_port", Form::Port, "2005",
        "The TCP port of the console.";
    CONNECTIONS = "connections", Form::List(&CONNECTION), "[{type: udp, s_port: 10501, d_port: 10202}]",
        "The data interfaces in order.";
    BRIDGE = "netlab_mgmt_source_bridge", Form::Text, "br0",
        "The host bridge of the management interface, which is always the first.";
    MAC = "mac_address", Form::Mac, "52:54:00:cc:cc:01",
        "The MAC address of the management interface.";

    TYPE = "type", Form::Words(&["udp"]), "udp",
        "The type of the tunnel: `udp` is the only one.";
    REMOTE = "s_port", Form::Port, "10501",
        "The port that frames are sent to: the other end's `d_port`.";
    LOCAL = "d_port", Form::Port, "10202",
        "The port that is bound: the other end's `s_port`. 10000 says that the interface is not connected.";
}

/// One node.
pub(crate) static NODE: Table = Table {
    title: "a node file",
    keys: &[
        &OS,
        &ENABLED,
        &DISK,
        &CONFIG,
        &CDROM,
        &HOSTNAME,
        &CONSOLE,
        &CONNECTIONS,
        &BRIDGE,
        &MAC,
    ],
    required: &[&OS],
    hints: &[],
};

pub(super) static CONNECTION: Table = Table {
    title: "a connection",
    keys: &[&TYPE, &REMOTE, &LOCAL],
    required: &[&REMOTE, &LOCAL],
    hints: &[],
};
