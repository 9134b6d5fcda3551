//! Tests that cross the boundaries of Holdfast's parts, with real servers and real processes;
//! one file per behaviour.

#[cfg(test)]
mod drain;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod input;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod support;
#[cfg(test)]
mod text;
#[cfg(test)]
mod timers;
#[cfg(test)]
mod traps;
