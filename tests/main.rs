//! Tests that cross the boundaries of Holdfast's parts, with real servers and real processes;
//! one file per behaviour.
#![cfg(test)]

mod activities;
mod cap;
mod creation;
mod drain;
mod draining;
mod errors;
mod faults;
mod inproc;
mod input;
mod kill;
mod longevity;
mod presence;
mod rebuild;
mod scenario;
mod storm;
mod support;
mod text;
mod tidy;
mod timers;
mod timers_asleep;
mod toy;
mod traps;
mod two_nodes;
