//! Set-up by looking, for those who are signed in: what the page asks, and who does it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sonofuse_core::control::{Refused, Verb};

use super::House;
use super::api::{answer, missing, noted, read, signed};
use crate::serve::control::request;

/// An area of the scanner's picture, its own pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Left side.
    pub x: u32,
    /// Upper side.
    pub y: u32,
    /// Width, 1 or more.
    pub width: u32,
    /// Height, 1 or more.
    pub height: u32,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// What can be chosen, and what is.
    Look,
    /// Pictures are to come by this preset.
    Source {
        /// Its name.
        preset: String,
        /// Values for its parameters.
        params: BTreeMap<String, String>,
    },
    /// These are pinned (`pin`, or `unpin`).
    Pin(Verb),
    /// These are black in what is kept.
    Mask(Vec<Area>),
    /// What was tried is to be a preset of this name.
    Save {
        /// Its name.
        name: String,
        /// It is the one that `preset = "chosen"` runs.
        choose: bool,
    },
    /// What ran before is to run again.
    Leave,
}

impl Ask {
    /// Reads what a step of set-up asks, its name and its body; `None` where there is no such step.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub fn read(step: &str, body: &[u8]) -> Option<Result<Self, Refused>> {
        ask(step, body)
    }

    const fn verb(&self) -> &'static str {
        match self {
            Self::Look => "setup",
            Self::Source { .. } => "setup-source",
            Self::Pin(_) => "setup-pin",
            Self::Mask(_) => "setup-mask",
            Self::Save { .. } => "setup-save",
            Self::Leave => "setup-leave",
        }
    }
}

/// What comes of it.
pub type Told = Pin<Box<dyn Future<Output = Result<Value, Refused>> + Send>>;

/// Does what is asked; answers in bounded time.
pub type SetUp = Arc<dyn Fn(Ask) -> Told + Send + Sync>;

pub(super) async fn look(State(house): State<Arc<House>>, headers: HeaderMap) -> Response {
    if let Err(refused) = signed(&house, &headers) {
        return *refused;
    }
    answer((house.behind.setup)(Ask::Look).await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    preset: String,
    #[serde(default)]
    params: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mask {
    areas: Vec<Area>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Save {
    name: String,
    #[serde(default)]
    choose: bool,
}

/// Reads what a step asks; `None` where there is no such step.
fn ask(step: &str, body: &[u8]) -> Option<Result<Ask, Refused>> {
    Some(match step {
        "source" => read::<Source>(body).map(|Source { preset, params }| {
            let text =
                |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let params = params.unwrap_or_default();
            let params = params.into_iter().map(|(name, value)| (name, text(value))).collect();
            Ask::Source { preset, params }
        }),
        "pin" => read::<Map<String, Value>>(body).and_then(|mut pins| {
            let verb = if pins.is_empty() { "unpin" } else { "pin" };
            pins.insert("verb".to_owned(), verb.into());
            request::verb(pins).map(Ask::Pin)
        }),
        "mask" => read::<Mask>(body).map(|mask| Ask::Mask(mask.areas)),
        "save" => read::<Save>(body).map(|Save { name, choose }| Ask::Save { name, choose }),
        "leave" => Ok(Ask::Leave),
        _ => return None,
    })
}

pub(super) async fn step(
    State(house): State<Arc<House>>,
    Path(step): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let session = match signed(&house, &headers) {
        Ok(session) => session,
        Err(refused) => return *refused,
    };
    let Some(asked) = ask(&step, &body) else { return missing() };
    let asked = match asked {
        Ok(asked) => asked,
        Err(refused) => return answer(Err(refused)),
    };
    let verb = asked.verb();
    let result = (house.behind.setup)(asked).await;
    noted(&house, session, verb, json!({}), &result);
    house.behind.news.wake();
    answer(result)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_read_by_its_name() {
        let asked = ask("source", br#"{"preset":"v4l2","params":{"device":"/dev/video0","n":3}}"#);
        let Ask::Source { preset, params } = asked.unwrap().unwrap() else { panic!() };
        assert_eq!((preset.as_str(), params["n"].as_str()), ("v4l2", "3"));
        assert_eq!(ask("pin", b"{}").unwrap().unwrap().verb(), "setup-pin");
        let Ask::Pin(verb) = ask("pin", br#"{"hard-end":"red"}"#).unwrap().unwrap() else {
            panic!()
        };
        assert_eq!(verb.as_str(), "pin");
        assert!(ask("pin", br#"{"hard-end":"green"}"#).unwrap().is_err());
        assert!(
            ask("mask", br#"{"areas":[{"x":-1,"y":0,"width":1,"height":1}]}"#).unwrap().is_err()
        );
        assert!(ask("save", b"{}").unwrap().is_err());
        assert_eq!(ask("leave", b"").unwrap().unwrap(), Ask::Leave);
        assert!(ask("else", b"").is_none());
    }
}
