//! The Redis of `--store` with what the files say: its password and its authorities.

use std::fs;
use std::path::Path;

use super::{ConfigError, Settings, StoreChoice};
use crate::store::redis::address::{Access, Address};

/// Where the Redis is and how it lets us in; `None` with another store.
///
/// # Errors
/// [`ConfigError::Value`] when the file with the password can't be read or is empty.
pub fn redis_address(settings: &Settings) -> Result<Option<Address>, ConfigError> {
    let StoreChoice::Redis(address) = &settings.store else { return Ok(None) };
    let mut address = address.clone();
    let access = access_mut(&mut address);
    if let Some(path) = &settings.redis_password_file {
        access.login.password = Some(password(path)?);
    }
    if let Some(path) = &settings.redis_ca_file {
        access.ca = Some(path.clone());
    }
    Ok(Some(address))
}

const fn access_mut(address: &mut Address) -> &mut Access {
    match address {
        Address::Single { access, .. }
        | Address::Sentinel { access, .. }
        | Address::Cluster { access, .. } => access,
    }
}

/// A password of any length; white space around it is no part of it.
fn password(path: &Path) -> Result<String, ConfigError> {
    let place = || format!("--redis-password-file {}", path.display());
    let text = fs::read_to_string(path).map_err(|error| ConfigError::Value {
        place: place(),
        why: format!("the file can't be read ({error})"),
    })?;
    match text.trim() {
        "" => Err(ConfigError::Value { place: place(), why: "the file holds no password".into() }),
        password => Ok(password.to_owned()),
    }
}
