//! What a request must be before anybody works on it, and what every answer says. On tokio.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sonofuse_core::control::{Refused, RefusedKind};
use sonofuse_core::words::Language;
use tokio::time::timeout;

use super::guest::Guest;
use super::{House, MAX_BODY_BYTES, hosts};

/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(5);

/// What every answer says: nothing of others is loaded, nothing is kept, nobody frames it.
const SAID: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Where the WebSocket is.
const LIVE: &str = "/api/live";

/// How a request came, for those who answer.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// It came through a proxy that speaks TLS.
    pub(super) secure: bool,
}

/// An error as the page reads it; with the identifier of its words where the language files have them.
pub(super) fn error(status: StatusCode, kind: &str, words: &str) -> Response {
    let id = Language::refusal(words);
    (status, Json(json!({ "error": { "kind": kind, "words": words, "id": id } }))).into_response()
}

/// A refusal with its status.
pub(super) fn refusal(refused: &Refused) -> Response {
    error(status(refused.kind), refused.kind.as_str(), &refused.words)
}

/// The status of a refusal.
pub(super) fn status(kind: RefusedKind) -> StatusCode {
    match kind {
        RefusedKind::Malformed | RefusedKind::UnknownVerb | RefusedKind::WrongValue => {
            StatusCode::BAD_REQUEST
        }
        RefusedKind::NotAllowed => StatusCode::FORBIDDEN,
        RefusedKind::NothingThere => StatusCode::CONFLICT,
        RefusedKind::Busy => StatusCode::SERVICE_UNAVAILABLE,
        RefusedKind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Lets through what a page of ours can ask, and has every answer say [`SAID`].
pub(super) async fn hold(
    State(house): State<Arc<House>>,
    request: Request,
    next: Next,
) -> Response {
    let mut answer = match check(&house, request).await {
        Ok(request) => {
            let guest = request.extensions().get::<ConnectInfo<Guest>>().map(|c| c.0.clone());
            let _work = guest.as_ref().map(Guest::work);
            next.run(request).await
        }
        Err(refused) => refused,
    };
    for (name, value) in SAID {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Why a request is not worked on: status, kind, words.
type No = (StatusCode, &'static str, &'static str);

/// Tells whether a request may be worked on: by its name, where it comes from, and what it brings.
fn judge(house: &House, request: &Request) -> Result<(), No> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mut named = request.headers().get_all(header::HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| house.hosts.known(host)),
        _ => None,
    };
    let target = request.uri().authority().map(Authority::as_str);
    let Some(host) = host.filter(|h| target.is_none_or(|t| t.eq_ignore_ascii_case(h))) else {
        let words = "this name is not one of the page's: see [web] hosts";
        return Err((StatusCode::MISDIRECTED_REQUEST, "not-allowed", words));
    };
    let post = request.method() == Method::POST;
    if post || request.uri().path() == LIVE {
        if !text(header::ORIGIN).is_some_and(|origin| hosts::is_own(origin, host)) {
            let words = "the request comes from another page";
            return Err((StatusCode::FORBIDDEN, "not-allowed", words));
        }
    } else if ![Method::GET, Method::HEAD].contains(request.method()) {
        let words = "GET, HEAD and POST are answered";
        return Err((StatusCode::METHOD_NOT_ALLOWED, "malformed", words));
    }
    let kind = text(header::CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default();
    if post && !kind.trim().eq_ignore_ascii_case("application/json") {
        let words = "a command comes as application/json";
        return Err((StatusCode::FORBIDDEN, "malformed", words));
    }
    Ok(())
}

/// Judges a request, and has the whole of its body.
async fn check(house: &House, request: Request) -> Result<Request, Response> {
    judge(house, &request).map_err(|(status, kind, words)| error(status, kind, words))?;
    let secure = request.headers().get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Asked { secure });
    if parts.method != Method::POST {
        return Ok(Request::from_parts(parts, body));
    }
    match timeout(BODY_WITHIN, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => {
            let words = format!("its body is broken, or has more than {MAX_BODY_BYTES} bytes");
            Err(error(StatusCode::PAYLOAD_TOO_LARGE, "malformed", &words))
        }
        Err(_) => Err(error(StatusCode::REQUEST_TIMEOUT, "malformed", "it came too slowly")),
    }
}
