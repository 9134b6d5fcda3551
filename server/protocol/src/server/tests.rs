//! Server messages as the protocol writes them.

use super::*;
