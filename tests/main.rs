//! Tests that cross the boundaries of Holdfast's parts. One binary; a file names a behaviour.
#![allow(missing_docs)]

mod inproc;
mod longevity;
