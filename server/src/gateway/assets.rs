//! The page, inside the binary (from disk in debug builds).
//!
//! Tests, what they play with and what only the npm package has lie in the same folder and are not
//! served.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

/// What the page may load and who may frame it. It goes on at gateways that were not there yet when
/// it was loaded, by socket and by HTTP, so that no list of them would do.
const POLICY: &str = "default-src 'self'; connect-src 'self' http: https: ws: wss:; \
                      img-src 'self' data:; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "../client-web/"]
#[allow_missing = true]
struct Page;

/// A file of the page; `None` where there is none.
pub(super) fn get(path: &str, headers: &HeaderMap) -> Option<Response> {
    let path = match path.trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    if !is_served(path) {
        return None;
    }
    let file = Page::get(path)?;
    let tag = file
        .metadata
        .sha256_hash()
        .iter()
        .take(16)
        .fold("\"".to_owned(), |tag, byte| format!("{tag}{byte:02x}"))
        + "\"";
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|asked| {
        asked.to_str().is_ok_and(|asked| asked == "*" || asked.contains(tag.as_str()))
    });
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { file.data.into_response() };
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    out.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(ETAG, tag);
    }
    Some(response)
}

fn is_served(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let hidden = path.split('/').any(|part| part.starts_with('.') || part == "node_modules");
    let for_tests = name.ends_with(".test.js") || matches!(name, "fake-server.js" | "traces.js");
    let of_package = path.starts_with("example/")
        || path.starts_with("types/")
        || name.starts_with("tsconfig.")
        || name.starts_with("LICENSE-")
        || name.ends_with(".tgz")
        || matches!(name, "README.md" | "package.json" | "package-lock.json");
    !hidden && !for_tests && !of_package
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_developers_is_not_served() {
        let unserved = [
            "net/session.test.js",
            "net/fake-server.js",
            "sim/traces.js",
            "package.json",
            "tsconfig.json",
            "tsconfig.types.json",
            "README.md",
            "LICENSE-MIT",
            "example/walk.js",
            "types/index.d.ts",
            "holdfast-client-0.1.0.tgz",
            ".git/config",
        ];
        for path in unserved {
            assert!(!is_served(path), "{path}");
            assert!(get(path, &HeaderMap::new()).is_none(), "{path}");
        }
        for path in ["net/session.js", "sim/game.js", "index.html"] {
            assert!(is_served(path), "{path}");
        }
    }

    #[test]
    fn modules_are_javascript() {
        assert_eq!(content_type("net/session.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("odd"), "application/octet-stream");
    }
}
