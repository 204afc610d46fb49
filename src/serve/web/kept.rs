//! Evidence, for those who are signed in: the list, its files, and what is done to it. The disk is read on
//! tokio's blocking threads, a piece at a time.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sonofuse_core::control::{Refused, RefusedKind};
use tokio::task::spawn_blocking;

use super::House;
use super::api::{answer, done, missing, noted, read, signed};
use super::rules::{error, refusal};

/// Bytes that are read at a time.
const PIECE: usize = 128 * 1024;

/// What can be done to a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// It is removed for good.
    Delete,
    /// It is never removed for room or age.
    Protect,
    /// That is taken back.
    Unprotect,
}

impl Act {
    const fn verb(self) -> &'static str {
        match self {
            Self::Delete => "evidence-delete",
            Self::Protect => "evidence-protect",
            Self::Unprotect => "evidence-unprotect",
        }
    }
}

/// Where evidence lies. May block.
pub trait Shelf: Send + Sync {
    /// All of it as the page reads it.
    ///
    /// # Errors
    /// Why it cannot be listed.
    fn list(&self) -> Result<Value, Refused>;

    /// Opens `file` of the evidence `name`; `None` where there is none.
    fn open(&self, name: &str, file: &str) -> Option<File>;

    /// Does something to it.
    ///
    /// # Errors
    /// Why it is not done.
    fn act(&self, name: &str, act: Act) -> Result<(), Refused>;
}

/// Runs on a blocking thread.
async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let busy = || Refused::new(RefusedKind::Busy, "the daemon stops");
    spawn_blocking(run).await.unwrap_or_else(|_| Err(busy()))
}

pub(super) async fn list(State(house): State<Arc<House>>, headers: HeaderMap) -> Response {
    if let Err(refused) = signed(&house, &headers) {
        return *refused;
    }
    let shelf = Arc::clone(&house.behind.shelf);
    answer(blocking(move || shelf.list()).await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    r#do: Act,
}

pub(super) async fn act(
    State(house): State<Arc<House>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let session = match signed(&house, &headers) {
        Ok(session) => session,
        Err(refused) => return *refused,
    };
    let act = match read::<Wanted>(&body) {
        Ok(wanted) => wanted.r#do,
        Err(refused) => return refusal(&refused),
    };
    let shelf = Arc::clone(&house.behind.shelf);
    let named = name.clone();
    let result = blocking(move || shelf.act(&named, act)).await;
    // A name that is there is a time and a kind: it names nobody.
    let name = result.is_ok().then_some(name);
    noted(&house, session, act.verb(), json!({ "evidence": name }), &result);
    answer(result.map(|()| done()))
}

/// What a file is, by its ending.
fn kind(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, ending)| ending) {
        Some("png") => "image/png",
        Some("mp4") => "video/mp4",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

pub(super) async fn file(
    State(house): State<Arc<House>>,
    Path((name, file)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    if let Err(refused) = signed(&house, &headers) {
        return *refused;
    }
    let shelf = Arc::clone(&house.behind.shelf);
    let (named, wanted) = (name.clone(), file.clone());
    let opened = spawn_blocking(move || {
        let opened = shelf.open(&named, &wanted)?;
        let len = opened.metadata().ok()?.len();
        Some((opened, len))
    });
    let Ok(Some((opened, len))) = opened.await else { return missing() };
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let range = match asked.map(|range| part(range, len)) {
        None | Some(Part::Whole) => None,
        Some(Part::Of(from, to)) => Some((from, to)),
        Some(Part::Beyond) => {
            let words = "the file is not that long";
            let mut refused = error(StatusCode::RANGE_NOT_SATISFIABLE, "wrong-value", words);
            insert(&mut refused, header::CONTENT_RANGE, &format!("bytes */{len}"));
            return refused;
        }
    };
    let (from, to) = range.unwrap_or((0, len));
    let mut answer = Body::from_stream(pieces(opened, from, to)).into_response();
    insert(&mut answer, header::CONTENT_TYPE, kind(&file));
    insert(&mut answer, header::ACCEPT_RANGES, "bytes");
    insert(&mut answer, header::CONTENT_LENGTH, &(to - from).to_string());
    if let Some((from, to)) = range {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        insert(&mut answer, header::CONTENT_RANGE, &format!("bytes {from}-{}/{len}", to - 1));
    }
    if query.is_some_and(|query| {
        query.split('&').any(|q| q == "download" || q.starts_with("download="))
    }) {
        // Both are names of the shelf: letters, digits, dots and dashes.
        let said = format!("attachment; filename=\"{name}-{file}\"");
        insert(&mut answer, header::CONTENT_DISPOSITION, &said);
    }
    answer
}

fn insert(answer: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The bytes from `from` to before `to`.
fn pieces(
    file: File,
    from: u64,
    to: u64,
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    futures_util::stream::try_unfold((file, from), move |(mut file, at)| async move {
        let left = to.saturating_sub(at);
        if left == 0 {
            return Ok(None);
        }
        let read = spawn_blocking(move || {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let mut piece = vec![0; most];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut piece)?;
            Ok::<_, std::io::Error>((file, piece))
        });
        let (file, piece) = read.await.map_err(std::io::Error::other)??;
        let at = at + piece.len() as u64;
        Ok(Some((Bytes::from(piece), (file, at))))
    })
}

/// The part of a file that a `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// All of it: nothing that can be understood is asked for, or several parts.
    Whole,
    /// From here to before there.
    Of(u64, u64),
    /// None of it.
    Beyond,
}

fn part(range: &str, len: u64) -> Part {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Part::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>();
    let (from, to) = match (number(first), number(last)) {
        (Ok(first), Ok(last)) if first <= last => (first, last.saturating_add(1)),
        (Ok(first), Err(_)) if last.trim().is_empty() => (first, len),
        (Err(_), Ok(last)) if first.trim().is_empty() => (len.saturating_sub(last), len),
        _ => return Part::Whole,
    };
    if from >= len || to == 0 || from == to { Part::Beyond } else { Part::Of(from, to.min(len)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_of_the_file_or_none() {
        for (range, is) in [
            ("bytes=0-9", Part::Of(0, 10)),
            ("bytes=90-", Part::Of(90, 100)),
            ("bytes=-10", Part::Of(90, 100)),
            ("bytes=-1000", Part::Of(0, 100)),
            ("bytes=50-1000", Part::Of(50, 100)),
            ("bytes=0-18446744073709551615", Part::Of(0, 100)),
            ("bytes=100-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=9-0", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("bytes=a-b", Part::Whole),
        ] {
            assert_eq!(part(range, 100), is, "{range}");
        }
        assert_eq!(part("bytes=0-", 0), Part::Beyond);
    }
}
