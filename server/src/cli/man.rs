//! `holdfast man`: man pages, made of the command line's own description; one for `holdfast` and
//! one for each command below it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use super::CliError;
use crate::config;

/// Writes the main page to `out`.
pub(super) fn print(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&page(&tree())?)
}

/// Writes each page into a file of `dir`, which is made if it is missing, and their names to
/// `out`.
pub(super) fn write(dir: &Path, out: &mut impl Write) -> Result<(), CliError> {
    let failed = |path: &Path, cause| CliError::Write { path: path.display().to_string(), cause };
    fs::create_dir_all(dir).map_err(|cause| failed(dir, cause))?;
    for command in all(&tree()) {
        let path = dir.join(Man::new(command.clone()).get_filename());
        fs::write(&path, page(&command)?).map_err(|cause| failed(&path, cause))?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(())
}

/// The whole command line, with the full name of each command in it.
fn tree() -> Command {
    let mut tree = config::command().disable_help_subcommand(true);
    tree.build();
    tree
}

/// A command and all below it.
fn all(command: &Command) -> Vec<Command> {
    let below = command.get_subcommands().flat_map(all);
    std::iter::once(command.clone()).chain(below).collect()
}

/// One page. What stands below a command's options in its help is called NOTES.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let version = concat!("holdfast ", env!("CARGO_PKG_VERSION"));
    let mut text = Vec::new();
    Man::new(command.clone()).source(version).manual("Holdfast").render(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.replacen("\n.SH EXTRA\n", "\n.SH NOTES\n", 1).into_bytes())
}
