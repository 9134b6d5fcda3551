//! The OpenAPI document: made of the routes that are served, and served itself.

use axum::extract::Extension;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::failure::{ErrorDetail, ErrorPage};

const ABOUT: &str = "Every player is addressable by id, whichever node holds it. A player's token \
                     comes from `POST /v1/sessions`; a service's is one of `--service-token-file`. \
                     Errors are `{\"error\": {\"code\", \"message\"}}`.";

/// The document before any route.
pub(super) fn base() -> OpenApi {
    let license = LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build();
    let info = InfoBuilder::new()
        .title("Holdfast")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license));
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A player's own token, or a service's."))
        .build();
    let components = ComponentsBuilder::new()
        .schema_from::<ErrorPage>()
        .schema_from::<ErrorDetail>()
        .security_scheme("token", SecurityScheme::Http(token));
    OpenApiBuilder::new().info(info.build()).components(Some(components.build())).build()
}

/// The document's text.
#[derive(Debug, Clone)]
pub(super) struct Document(Bytes);

impl Document {
    pub(super) fn new(document: &OpenApi) -> Self {
        // Maps with text keys and plain values: they have a JSON form.
        Self(document.to_json().unwrap_or_default().into())
    }
}

/// This document
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "document",
    responses((status = 200, description = "OpenAPI.", body = serde_json::Value))
)]
pub(super) async fn read_document(Extension(Document(text)): Extension<Document>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, text).into_response()
}
