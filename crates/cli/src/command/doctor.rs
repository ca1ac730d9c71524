//! `vnflab doctor`: what this host lacks, and the command that mends it.

use super::image::OWN_IMAGE;
use crate::cli::Global;
use crate::error::{CommandError, ErrorKind};
use crate::render::{self, Screen};
use vnflab_engine::doctor::facts::{Connection, Facts};
use vnflab_engine::doctor::{self, Presence};
use vnflab_engine::driver::Driver;
use vnflab_engine::driver::libvirt::{LibvirtDriver, default_uri};
use vnflab_engine::image::store::{ImageStore, StoreError};

pub(super) fn run(global: &Global, screen: &Screen) -> Result<(), CommandError> {
    let facts = Facts::observe(look(global.connect.as_deref()));
    let findings = doctor::examine(&facts);
    render::doctor::findings(screen, &findings)?;
    match doctor::has_failures(&findings) {
        true => Err(CommandError::silent(ErrorKind::Host)),
        false => Ok(()),
    }
}

fn look(uri: Option<&str>) -> Connection {
    let uri_text = uri.unwrap_or_else(|| default_uri()).to_owned();
    let driver = match LibvirtDriver::connect(uri) {
        Ok(driver) => driver,
        Err(error) => {
            return Connection {
                uri: uri_text,
                host: Err(error.to_string()),
                own_image: None,
            };
        }
    };
    Connection {
        uri: uri_text,
        host: driver.host().map_err(|error| error.to_string()),
        own_image: own_image(&driver),
    }
}

/// Whether the store has our own image.
fn own_image(driver: &dyn Driver) -> Option<Presence> {
    match ImageStore::new(driver).find(OWN_IMAGE) {
        Ok(_) => Some(Presence::Present),
        Err(StoreError::Missing(_)) => Some(Presence::Absent),
        Err(_) => None,
    }
}
