//! Certificates of a test's own authority, made by openssl in the test's own directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

/// An authority, and a server's certificate for 127.0.0.1 and localhost that it has signed.
#[derive(Debug, Clone)]
pub struct Tls {
    dir: Arc<TempDir>,
}

fn openssl(dir: &Path, words: &str) {
    let output = Command::new("openssl").args(words.split(' ')).current_dir(dir).output();
    let output = output.expect("openssl to run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {words}: {said}");
}

impl Tls {
    /// Makes them.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory for certificates");
        let at = dir.path();
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(at, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test"));
        openssl(at, &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n";
        std::fs::write(at.join("names"), names).expect("a file of names");
        let signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names";
        openssl(at, &format!("x509 -req -in server.csr {signed} -days 2 -out server.pem"));
        Self { dir: Arc::new(dir) }
    }

    /// The authority's certificate: what `--redis-ca-file` names.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Arguments of `redis-server`.
    pub fn server_args(&self) -> Vec<String> {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let args = [
            ("--tls-cert-file", file("server.pem")),
            ("--tls-key-file", file("server.key")),
            ("--tls-ca-cert-file", file("ca.pem")),
            ("--tls-auth-clients", "no".to_owned()),
            ("--tls-replication", "yes".to_owned()),
            ("--tls-cluster", "yes".to_owned()),
        ];
        args.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}
