//! Tests that cross the boundaries of Holdfast's parts, with real servers and real processes;
//! one file per behaviour.
#![cfg(test)]

mod activities;
mod bounds;
mod cap;
mod creation;
mod doctor;
mod drain;
mod draining;
mod edge;
mod errors;
mod faults;
mod gateways;
mod houses;
mod inproc;
mod input;
mod kill;
mod longevity;
mod many_nodes;
mod model;
mod nodes_that_fail;
mod numbers;
mod presence;
mod rebuild;
mod redis_support;
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
mod versions;
mod watchful;
