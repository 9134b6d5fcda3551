//! The rules, checked.
