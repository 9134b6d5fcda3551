//! Secrets come from files, and are never shown.

use std::fmt;
use std::fs;
use std::path::Path;

use super::ConfigError;

/// Shortest secret, bytes.
const SECRET_LEN_MIN: usize = 16;

/// A secret's bytes. Its debug form is not the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// The bytes, for the one who checks or signs.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

/// Reads a secret from a file; white space around it is no part of it.
///
/// # Errors
/// [`ConfigError::Value`] when the file can't be read or holds less than 16 bytes.
pub fn read_secret(option: &str, path: &Path) -> Result<Secret, ConfigError> {
    let bad =
        |why: String| ConfigError::Value { place: format!("{option} {}", path.display()), why };
    let bytes = fs::read(path).map_err(|e| bad(format!("the file can't be read ({e})")))?;
    let secret = bytes.trim_ascii();
    if secret.len() < SECRET_LEN_MIN {
        return Err(bad(format!(
            "the secret has {} bytes, it needs at least {SECRET_LEN_MIN}; \
             make one by: head -c 32 /dev/urandom | base64",
            secret.len()
        )));
    }
    Ok(Secret(secret.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_trimmed_long_enough_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "  0123456789abcdef\n").unwrap();
        let secret = read_secret("--token-key-file", &path).unwrap();
        assert_eq!(secret.expose(), b"0123456789abcdef");
        assert_eq!(format!("{secret:?}"), "a secret");
        fs::write(&path, "short\n").unwrap();
        let error = read_secret("--token-key-file", &path).unwrap_err().to_string();
        assert!(error.contains("5 bytes") && !error.contains("short"), "{error}");
        assert!(read_secret("--token-key-file", &dir.path().join("none")).is_err());
    }
}
