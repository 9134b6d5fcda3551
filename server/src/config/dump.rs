//! `--dump-config`: every value and where it came from, as a settings file that can be used.

use std::fmt::Write as _;

use super::option::GROUPS;
use super::resolve::{Origin, Resolved};

/// The text of `--dump-config`. No secret is in it: settings hold the names of files only.
#[must_use]
pub fn dump(resolved: &Resolved) -> String {
    let mut out = String::new();
    for (heading, group) in GROUPS {
        let _ = writeln!(out, "# {heading}");
        for opt in group {
            let key = opt.key();
            let line = match opt.show(&resolved.settings) {
                Some(value) => format!("{key} = {value}"),
                None => format!("# {key} is not set"),
            };
            let derived = key == "guests" && resolved.origin("listen") != Origin::Default;
            let origin = match resolved.origin(&key) {
                Origin::Default if derived => "default for this address".to_owned(),
                origin => origin.to_string(),
            };
            let _ = writeln!(out, "{line:<40} # {origin}");
        }
        out.push('\n');
    }
    for (room, capacity) in &resolved.settings.rooms {
        let origin = resolved.origin(&format!("rooms.{room}"));
        let _ =
            writeln!(out, "[rooms.{room}]\n{:<40} # {origin}\n", format!("capacity = {capacity}"));
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}
