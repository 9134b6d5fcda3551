//! What each value alone can't tell: contradictions, which stop the start, and risks, which are
//! said.

use std::net::SocketAddr;

use super::resolve::Resolved;
use super::{ConfigError, Durability, Guests, Settings, StoreChoice};

/// Looks at the settings as a whole and adds warnings.
pub(super) fn check(resolved: &mut Resolved) -> Result<(), ConfigError> {
    contradictions(&resolved.settings).map_err(ConfigError::Contradiction)?;
    resolved.warnings.extend(risks(&resolved.settings));
    Ok(())
}

fn contradictions(settings: &Settings) -> Result<(), String> {
    store_contradictions(settings)?;
    if settings.guests == Guests::Off
        && settings.service_token_file.is_none()
        && settings.token_key_file.is_none()
    {
        return Err("guests are off, but no one can get a token: name a --service-token-file (a \
                    service issues tokens by POST /v1/sessions) or a --token-key-file (you sign \
                    them yourself), or let guests in by --guests claim"
            .into());
    }
    if settings.service_token_file.is_some()
        && settings.service_token_file == settings.token_key_file
    {
        return Err("--service-token-file and --token-key-file name the same file: whoever \
                    holds the service's token could sign any; use two files"
            .into());
    }
    if let Some(admin) = settings.admin_listen.filter(|admin| collide(*admin, settings.listen)) {
        return Err(format!(
            "--listen {} and --admin-listen {admin} are the same address: give the admin \
             listener a port of its own, or say --admin-listen off",
            settings.listen
        ));
    }
    if settings.dead_after_ms <= settings.ping_every_ms {
        return Err(format!(
            "a connection would be dead ({} ms without traffic) before it is pinged (every {} \
             ms): make --dead-after-ms greater than --ping-every-ms",
            settings.dead_after_ms, settings.ping_every_ms
        ));
    }
    if settings.lane_len_max <= settings.in_flight_max {
        return Err(format!(
            "--lane-len-max {} can't hold the replies of --in-flight-max {}: make it greater",
            settings.lane_len_max, settings.in_flight_max
        ));
    }
    Ok(())
}

/// What the store that was chosen can't do.
fn store_contradictions(settings: &Settings) -> Result<(), String> {
    let file = match (&settings.redis_password_file, &settings.redis_ca_file) {
        (Some(_), _) => Some("--redis-password-file"),
        (None, Some(_)) => Some("--redis-ca-file"),
        (None, None) => None,
    };
    let address = match &settings.store {
        StoreChoice::Embedded(_) => {
            if let Durability::Replicated(_) = settings.durability {
                return Err(format!(
                    "--durability {} needs replicas, and the embedded store has none: every \
                     record is synced to the disk here (say --durability fsynced), or name a \
                     Redis by --store",
                    settings.durability
                ));
            }
            return file.map_or(Ok(()), |option| {
                Err(format!(
                    "{option} is for a Redis, but --store is {}: leave it out, or name a Redis \
                     by --store",
                    settings.store
                ))
            });
        }
        StoreChoice::Redis(address) => address,
    };
    let access = address.access();
    if settings.redis_password_file.is_some() && access.login.password.is_some() {
        return Err("--redis-password-file names a password and the address of --store holds one \
                    too: take it out of the address"
            .into());
    }
    if settings.redis_ca_file.is_some() && !access.tls {
        return Err(
            "--redis-ca-file has a meaning with TLS only: write rediss instead of redis in \
                    --store, or leave it out"
                .into(),
        );
    }
    if settings.redis_ca_file.is_some() && access.ca.is_some() {
        return Err(
            "--redis-ca-file and ?ca= of --store both name authorities: leave one out".into()
        );
    }
    Ok(())
}

/// Whether two listeners would ask for the same port of the same machine.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_ip
}

fn risks(settings: &Settings) -> Vec<String> {
    let mut risks = store_risks(settings);
    if settings.guests == Guests::Open && !settings.listen.ip().is_loopback() {
        risks.push(format!(
            "guests are open on {}: whoever reaches it may play as anyone; --guests claim \
             protects names",
            settings.listen
        ));
    }
    if let Some(admin) = settings.admin_listen.filter(|admin| !admin.ip().is_loopback()) {
        risks.push(format!(
            "the admin listener on {admin} asks for no password: let only operators reach it"
        ));
    }
    risks
}

fn store_risks(settings: &Settings) -> Vec<String> {
    let StoreChoice::Redis(address) = &settings.store else { return Vec::new() };
    let mut risks = Vec::new();
    if address.access().login.password.is_some() {
        risks.push(
            "the password of the Redis is in --store, where anyone who lists this machine's \
             processes can read it: --redis-password-file hides it"
                .to_owned(),
        );
    }
    if settings.hold_ms < settings.lease_ttl_ms {
        risks.push(format!(
            "--hold-ms {} is shorter than --lease-ttl-ms {}: players lose their sockets in an \
             outage that costs no node its lease",
            settings.hold_ms, settings.lease_ttl_ms
        ));
    }
    risks
}
