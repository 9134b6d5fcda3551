//! A primary behind TLS, with an authority of the test's own.

use std::path::Path;
use std::process::Command;

use super::server::{Server, free_port, hot};
use crate::clock::Clock;
use crate::store::Error;
use crate::store::redis::route::Router;

fn openssl(dir: &Path, words: &str) {
    let made = Command::new("openssl").args(words.split(' ')).current_dir(dir).output();
    let made = made.expect("openssl must be installed to run this test");
    assert!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
}

/// An authority `ca.pem`, and `server.pem` with `server.key` for 127.0.0.1 signed by it.
fn certificates(dir: &Path) {
    let key = "-newkey rsa:2048 -nodes -batch";
    openssl(dir, &format!("req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca"));
    openssl(dir, &format!("req {key} -keyout server.key -out server.csr -subj /CN=localhost"));
    std::fs::write(dir.join("ext"), "subjectAltName=IP:127.0.0.1\n").expect("it is written");
    let ends = "-days 2 -CAcreateserial -extfile ext";
    openssl(
        dir,
        &format!("x509 -req -in server.csr -CA ca.pem -CAkey ca.key -out server.pem {ends}"),
    );
}

#[tokio::test]
async fn tls_is_spoken_and_the_certificate_checked() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    certificates(dir.path());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let port = free_port();
    let options = [
        ["--tls-port", &port.to_string()],
        ["--tls-cert-file", &path("server.pem")],
        ["--tls-key-file", &path("server.key")],
        ["--tls-ca-cert-file", &path("ca.pem")],
        ["--tls-auth-clients", "no"],
    ];
    let _server = Server::start(&options.concat()).await;
    let address = format!("rediss://127.0.0.1:{port}?ca={}", path("ca.pem"));
    let address = address.parse().expect("an address");
    let router = Router::open(&address, Clock::system()).await.expect("TLS works");
    hot(&router.link("p0001"), &["SET a b"]).await.expect("it writes");
    router.close().await;

    let stranger = format!("rediss://127.0.0.1:{port}?ca={}", path("other/ca.pem"));
    std::fs::create_dir(dir.path().join("other")).expect("a directory");
    certificates(&dir.path().join("other"));
    let stranger = stranger.parse().expect("an address");
    let refused = Router::open(&stranger, Clock::system()).await.expect_err("another authority");
    assert!(matches!(&refused, Error::Open(why) if why.contains("ertificate")), "{refused}");
}
