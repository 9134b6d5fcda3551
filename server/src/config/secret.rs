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

fn read(option: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    fs::read(path).map_err(|e| bad(option, path, format!("the file can't be read ({e})")))
}

fn bad(option: &str, path: &Path, why: String) -> ConfigError {
    ConfigError::Value { place: format!("{option} {}", path.display()), why }
}

fn long_enough(secret: &[u8]) -> Result<(), String> {
    if secret.len() >= SECRET_LEN_MIN {
        return Ok(());
    }
    Err(format!(
        "the secret has {} bytes, it needs at least {SECRET_LEN_MIN}; \
         make one by: head -c 32 /dev/urandom | base64",
        secret.len()
    ))
}

/// Reads tokens, one a line; empty lines are none. Only the file's owner may read it.
///
/// # Errors
/// [`ConfigError::Value`] when the file can't be read, is open to others, holds no token, or one
/// that is too short or not text.
pub fn read_tokens(option: &str, path: &Path) -> Result<Vec<String>, ConfigError> {
    let bytes = read(option, path)?;
    is_private(path).map_err(|why| bad(option, path, why))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| bad(option, path, "the file must be text, one token a line".to_owned()))?;
    let tokens: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    if tokens.is_empty() {
        long_enough(&[]).map_err(|why| bad(option, path, why))?;
    }
    for token in &tokens {
        long_enough(token.as_bytes()).map_err(|why| bad(option, path, why))?;
    }
    Ok(tokens)
}

#[cfg(unix)]
fn is_private(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(path).map_err(|e| format!("the file can't be read ({e})"))?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(format!("others may use the file (mode {mode:03o}): chmod 600 {}", path.display()))
}

#[cfg(not(unix))]
fn is_private(_: &Path) -> Result<(), String> {
    Ok(())
}

/// Reads a secret from a file; white space around it is no part of it.
///
/// # Errors
/// [`ConfigError::Value`] when the file can't be read or holds less than 16 bytes.
pub fn read_secret(option: &str, path: &Path) -> Result<Secret, ConfigError> {
    let bytes = read(option, path)?;
    let secret = bytes.trim_ascii();
    long_enough(secret).map_err(|why| bad(option, path, why))?;
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

    #[cfg(unix)]
    #[test]
    fn tokens_stand_one_a_line_in_a_private_file() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let read = || read_tokens("--service-token-file", &path);
        fs::write(&path, "0123456789abcdef\n\n fedcba9876543210 \n").unwrap();
        mode(0o600);
        assert_eq!(read().unwrap(), ["0123456789abcdef", "fedcba9876543210"]);
        mode(0o640);
        let error = read().unwrap_err().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
        mode(0o600);
        for bad in ["0123456789abcdef\nshort\n", "\n", ""] {
            fs::write(&path, bad).unwrap();
            let error = read().unwrap_err().to_string();
            assert!(error.contains("at least 16") && !error.contains("short"), "{error}");
        }
    }
}
