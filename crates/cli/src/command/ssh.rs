//! `vnflab ssh`: the system's `ssh`, told everything that it has to know of a node.

use crate::cli::{Global, SshArgs};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use std::io;
use std::os::unix::process::CommandExt;
use vnflab_engine::ssh::{self, Login};
use vnflab_model::observed::{DomainState, Locality};

pub(super) fn run(global: &Global, arguments: &SshArgs) -> Result<(), CommandError> {
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
    let folder = ssh::folder()?;
    let key = ssh::ensure_key(&folder)?;
    let login = Login {
        server: access.ssh,
        user: arguments.login.as_deref().or(access.user.as_deref()),
        key: &key.path,
        known_hosts: &ssh::known_hosts(&folder, &blueprint.lab),
        alias: node,
        command: &arguments.command,
    };
    // From here on this process is `ssh`, unless there is none.
    let error = login.command().exec();
    Err(match error.kind() {
        io::ErrorKind::NotFound => CommandError::new(ErrorKind::Host, "there is no `ssh` here")
            .hint("`apt-get install openssh-client` installs it."),
        _ => failed("`ssh` cannot be run".to_owned()).caused_by(&error),
    })
}
