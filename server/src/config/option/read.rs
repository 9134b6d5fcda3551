//! Texts of settings as values, or a sentence that says what is allowed.

use std::net::SocketAddr;
use std::path::PathBuf;

pub fn number(text: &str, min: u64, max: u64) -> Result<u64, String> {
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|n| (min..=max).contains(n))
        .ok_or_else(|| format!("{text:?} can't be used; give a whole number from {min} to {max}"))
}

pub fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(format!("{text:?} can't be used; say on or off")),
    }
}

pub fn address(text: &str) -> Result<SocketAddr, String> {
    let named = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    named.as_deref().unwrap_or(text).parse().map_err(|_| {
        format!("{text:?} is not an address; give IP:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    })
}

pub fn file(text: &str) -> Result<Option<PathBuf>, String> {
    if text.is_empty() {
        return Err("the name of a file is missing".into());
    }
    Ok(Some(text.into()))
}

pub fn origin(text: &str) -> Result<(), String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '*', '?', '#', '@', ' ']) => Ok(()),
        _ => Err(format!(
            "{text:?} is not an origin; give scheme and host without a path, \
             such as https://play.example"
        )),
    }
}

pub fn node_name(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len())
        && text.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'));
    if !fits {
        return Err(format!("{text:?} is not a node's name; use 1 to 32 of a-z, 0-9, _ and -"));
    }
    Ok(text.to_owned())
}
