//! This package holds only the integration test binary, `main.rs`.
