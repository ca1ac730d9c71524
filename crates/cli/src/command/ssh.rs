//! `vnflab ssh`: the system's `ssh`, told everything that it has to know of a node.

use crate::cli::{Global, SshArgs};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use vnflab_engine::exec::Password;
use vnflab_engine::ssh::{Keyring, Login};
use vnflab_model::inventory::SSH_PORT;
use vnflab_model::kind::{Algorithms, SshLogin};
use vnflab_model::observed::{DomainState, Locality};

pub(super) fn run(global: &Global, arguments: &SshArgs) -> Result<ExitCode, CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let domain = world.node(&arguments.node)?;
    let node = &domain.name;
    let failed = |message: String| CommandError::new(ErrorKind::Failed, message);
    if domain.state != DomainState::Running {
        return Err(failed(format!("`{node}` is {}", domain.state.word()))
            .hint(format!("`vnflab start {node}` starts it.")));
    }
    let blueprint = &domain.record.blueprint;
    let Some(access) = &blueprint.access else {
        return Err(failed(format!("`{node}` has no management interface"))
            .hint(format!("`vnflab console {node}` needs none.")));
    };
    if access.ssh.ip().is_loopback() && workspace.driver().host()?.locality == Locality::Remote {
        let message = format!("the SSH port of `{node}` is on another host's loopback");
        return Err(failed(message).hint("Run `vnflab ssh` on that host."));
    }
    let server = match (arguments.over_ipv6, access.ipv6) {
        (false, _) => access.ssh,
        (true, Some(ipv6)) => SocketAddr::new(ipv6.into(), SSH_PORT),
        (true, None) => {
            return Err(
                failed(format!("`{node}` has no IPv6 address for management"))
                    .hint("`mgmt: {ipv6-subnet: fd00:10::/64}` in the lab file gives it one."),
            );
        }
    };
    let keyring = Keyring::open()?;
    let kind = workspace.catalogue().find(&blueprint.guest);
    let automation = kind.map(|kind| &kind.automation);
    let known_hosts = keyring.known_hosts(&blueprint.lab);
    let login = Login {
        server,
        user: arguments.login.as_deref().or(access.user.as_deref()),
        key: keyring.key(),
        known_hosts: &known_hosts,
        alias: node,
        algorithms: automation.map_or(Algorithms::Modern, |automation| automation.algorithms),
        command: &arguments.command,
    };
    // Whoever names a user types the password, too; a kind whose password is known spares that.
    let password = kind
        .filter(|kind| kind.automation.ssh == SshLogin::Password && arguments.login.is_none())
        .and_then(|kind| kind.password_of(access));
    let Some(password) = password else {
        // From here on this process is `ssh`, unless there is none.
        return Err(not_run(&login.command().exec()));
    };
    let password = Password::new(keyring.folder(), password)?;
    let mut client = login.command();
    password.offer(&mut client);
    // This process stays, as the password is in its memory.
    let status = client.status().map_err(|error| not_run(&error))?;
    Ok(match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)),
        None => ErrorKind::Interrupted.exit_code(),
    })
}

fn not_run(error: &io::Error) -> CommandError {
    match error.kind() {
        io::ErrorKind::NotFound => CommandError::new(ErrorKind::Host, "there is no `ssh` here")
            .hint("`apt-get install openssh-client` installs it."),
        _ => CommandError::new(ErrorKind::Failed, "`ssh` cannot be run").caused_by(error),
    }
}
