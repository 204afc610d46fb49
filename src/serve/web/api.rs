//! Answers that need no more than a look: the page's files, its texts, who is signed in, the exam; and commands.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sonofuse_core::NOTICE;
use sonofuse_core::control::{Answer, Done, Nothing, Refused, RefusedKind, Verb};
use sonofuse_core::words::{Language, Values};
use tracing::{info, warn};

use super::rules::{Asked, error, status};
use super::{House, files, gate, words};
use crate::journal;
use crate::serve::control::request;
use crate::serve::told::{By, Given, plain_values};

/// What is said where a link does not open, in the language that the page begins with.
fn no_link(language: &str) -> String {
    let language = Language::named(language).unwrap_or_else(Language::english);
    let [title, why, look, notice] =
        ["refused.link-title", "refused.link-why", "refused.link-look", "page.notice"]
            .map(|id| language.say(id, &Values::new()));
    format!(
        "<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\"><title>sonofuse</title><h1>{title}</h1>\
         <p>{why} <code>sonofuse ctl web-link</code></p><p><a href=\"/\">{look}</a></p><p>{notice}.</p></html>",
        language.id()
    )
}

/// The session of a request.
///
/// # Errors
/// What is answered where there is none.
pub(super) fn signed(house: &House, headers: &HeaderMap) -> Result<u64, Box<Response>> {
    house.behind.gate.session(headers, Instant::now()).ok_or_else(|| {
        let words = "sign in by a link: sonofuse ctl web-link";
        Box::new(error(StatusCode::UNAUTHORIZED, "not-allowed", words))
    })
}

pub(super) async fn index() -> Response {
    found("index.html")
}

pub(super) async fn file(Path(name): Path<String>) -> Response {
    found(&name)
}

fn found(name: &str) -> Response {
    let Some(file) = files::find(name) else { return missing() };
    ([(header::CONTENT_TYPE, file.kind)], file.bytes).into_response()
}

pub(super) async fn words(Path(name): Path<String>) -> Response {
    let texts = name.strip_suffix(".json").and_then(words::texts);
    texts.map_or_else(missing, |texts| Json(texts).into_response())
}

pub(super) async fn nowhere() -> Response {
    missing()
}

pub(super) async fn not_so() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "malformed", "this is not asked for in that way")
}

pub(super) fn missing() -> Response {
    error(StatusCode::NOT_FOUND, "nothing-there", "there is nothing of this name")
}

/// Begins a session by a link.
pub(super) async fn enter(
    State(house): State<Arc<House>>,
    Extension(asked): Extension<Asked>,
    RawQuery(query): RawQuery,
) -> Response {
    let link =
        query.as_deref().unwrap_or_default().split('&').find_map(|q| q.strip_prefix("link="));
    let opened = house.behind.gate.enter(link.unwrap_or_default(), Instant::now());
    let Some((token, session)) = opened else {
        // Whoever reaches the page may try as many as they like.
        let times = house.counts.link_refused();
        if journal::is_worth_a_line(times) {
            warn!(
                MESSAGE_ID = journal::PAGE_LINK_REFUSED,
                EVENT = "page",
                STATE = "link-refused",
                TIMES = times,
                "a link that does not open, or no more"
            );
        }
        let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
        let words = no_link((house.behind.about)().language);
        return (StatusCode::FORBIDDEN, [kind], words).into_response();
    };
    info!(
        MESSAGE_ID = journal::PAGE_SIGNED_IN,
        EVENT = "page",
        STATE = "signed-in",
        SESSION = session,
        "somebody signed in by a link"
    );
    let secure = if asked.secure { "; Secure" } else { "" };
    let cookie = format!("{}={token}; HttpOnly; SameSite=Strict; Path=/{secure}", gate::COOKIE);
    let cookie = HeaderValue::try_from(cookie).expect("hexadecimal digits");
    let to = (header::LOCATION, HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [to, (header::SET_COOKIE, cookie)]).into_response()
}

/// What the page says of itself to one who is signed in or not.
pub(super) fn greeting(house: &House, signed_in: bool) -> Value {
    let about = serde_json::to_value((house.behind.about)()).unwrap_or_default();
    let Value::Object(mut hello) = about else { return Value::Null };
    for (key, value) in [
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("notice", NOTICE.into()),
        ("languages", words::languages()),
        ("signed_in", signed_in.into()),
    ] {
        hello.insert(key.to_owned(), value);
    }
    Value::Object(hello)
}

pub(super) async fn hello(State(house): State<Arc<House>>, headers: HeaderMap) -> Response {
    Json(greeting(&house, signed(&house, &headers).is_ok())).into_response()
}

/// The exam as it stands, and what the last one came to; labels only for those who are signed in.
pub(super) async fn exam(State(house): State<Arc<House>>, headers: HeaderMap) -> Response {
    let whole = signed(&house, &headers).is_ok();
    let done = (house.behind.obey)(Verb::Status(Nothing {})).await;
    let exam = done.ok().and_then(|done| done.standing).map(|standing| standing.exam);
    Json(house.behind.news.told(exam, whole)).into_response()
}

/// Obeys a command.
pub(super) async fn command(
    State(house): State<Arc<House>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let session = match signed(&house, &headers) {
        Ok(session) => session,
        Err(refused) => return *refused,
    };
    let (id, result) = match request::parse(&body) {
        Ok(request) => {
            let result = obey(&house, session, request.verb).await;
            (request.id, result)
        }
        Err((id, refused)) => {
            let result = Err(refused);
            account(&house, session, "", Map::new(), &result);
            (id, result)
        }
    };
    let refused = result.as_ref().err();
    let status = refused.map_or(StatusCode::OK, |refused| status(refused.kind));
    let words = refused.and_then(|refused| Language::refusal(&refused.words));
    let mut answer = serde_json::to_value(Answer::new(id, result)).unwrap_or_default();
    if let (Some(words), Some(Value::Object(error))) = (words, answer.get_mut("error")) {
        error.insert("id".to_owned(), words.into());
    }
    (status, Json(answer)).into_response()
}

/// Obeys a command of a session, and keeps account of it.
pub(super) async fn obey(house: &House, session: u64, verb: Verb) -> Result<Done, Refused> {
    let (word, values) = (verb.as_str(), plain_values(&verb));
    let result = (house.behind.obey)(verb).await;
    if word != "status" {
        account(house, session, word, values, &result);
        house.behind.news.wake();
    }
    result
}

/// Tells account and journal what came of a command. Never the values: a label may name a person.
pub(super) fn account(
    house: &House,
    session: u64,
    verb: &str,
    values: Map<String, Value>,
    result: &Result<Done, Refused>,
) {
    (house.behind.tell)(Given::new(verb, values, By::Page(session), result));
    match result {
        Ok(_) => info!(
            MESSAGE_ID = journal::PAGE_DONE,
            EVENT = "command",
            SESSION = session,
            VERB = verb,
            "done"
        ),
        Err(refused) => {
            let kind = refused.kind.as_str();
            info!(
                MESSAGE_ID = journal::PAGE_REFUSED,
                EVENT = "command",
                SESSION = session,
                VERB = verb,
                KIND = kind,
                "refused"
            );
        }
    }
}

/// Accounts for what is no verb of the control protocol.
pub(super) fn noted<T>(
    house: &House,
    session: u64,
    verb: &'static str,
    values: Value,
    result: &Result<T, Refused>,
) {
    let values = if let Value::Object(values) = values { values } else { Map::new() };
    let result = match result {
        Ok(_) => Ok(Done { verb, ..Done::default() }),
        Err(refused) => Err(refused.clone()),
    };
    account(house, session, verb, values, &result);
}

/// Reads a body.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Refused> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body)
        .map_err(|error| Refused::new(RefusedKind::WrongValue, error.to_string()))
}

/// An answer of JSON.
pub(super) fn answer(result: Result<Value, Refused>) -> Response {
    result.map_or_else(|refused| super::rules::refusal(&refused), |said| Json(said).into_response())
}

/// It was done.
pub(super) fn done() -> Value {
    json!({ "done": true })
}
