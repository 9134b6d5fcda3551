//! Human lines.
