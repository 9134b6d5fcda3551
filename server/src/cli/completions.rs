//! `holdfast completions`: what a shell needs to complete commands and options, made of the command
//! line's own description.

use std::io::{self, Write};

use clap_complete::{Shell, generate};

use crate::config;

/// Writes the completions of `shell` to `out`.
pub(super) fn print(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    generate(shell, &mut config::command(), "holdfast", &mut text);
    out.write_all(&text)
}
