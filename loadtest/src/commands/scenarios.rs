//! `loadtest scenarios`: lists the ready-made ones, or prints one as TOML.

use loadtest::scenario::{BUILT_IN, Scenario};

use super::{Outcome, say};

/// Lists the ready-made scenarios, or prints one as TOML to begin one's own with
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which to print
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Prints.
///
/// # Errors
/// There is none of that name.
pub fn run(args: &Args) -> Outcome {
    if let Some(name) = &args.name {
        let known = BUILT_IN.map(|(name, _)| name).join(", ");
        let text = Scenario::built_in(name)
            .ok_or_else(|| format!("there is no ready-made scenario {name}; there are {known}"))?;
        say(text.trim_end());
        return Ok(());
    }
    for (name, text) in BUILT_IN {
        let about = Scenario::parse(text).map(|scenario| scenario.about).unwrap_or_default();
        say(&format!("{name:<16} {about}"));
    }
    Ok(())
}
