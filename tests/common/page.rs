//! A daemon that serves the page, and what may come to it: plain requests, and viewers.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use futures_util::{SinkExt, StreamExt};
use rustix::process::Signal;
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::daemon::{Daemon, PATIENCE, daemon};

/// A port that was free a moment ago.
pub(crate) fn port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A daemon with its page.
pub(crate) struct Paged {
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
}

/// An answer to a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| {
            panic!("{e}: {} {}", self.head, String::from_utf8_lossy(&self.body))
        })
    }

    /// The value of a header, in any case of letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Starts one on the preset; `web` is what else the table says, `more` other tables.
pub(crate) fn paged(preset: &str, web: &str, more: &str) -> Paged {
    let port = port();
    let config = format!(
        "[source]\npreset = '{preset}'\n[web]\nenabled = true\naddress = '127.0.0.1:{port}'\n{web}\n\
         [audit]\nfolder = 'DIR/audit'\n{more}\n"
    );
    let daemon = daemon(&config, &[]);
    daemon.told_until("ready", |said| said.contains("READY=1"));
    Paged { daemon, port }
}

/// Sends bytes as they are.
pub(crate) fn send(port: u16, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer[end + 4..].to_vec() }
}

impl Paged {
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `GET path` with more lines of a head.
    pub(crate) fn get(&self, path: &str, head: &str) -> Answer {
        let host = self.host();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n");
        send(self.port, request.as_bytes())
    }

    /// `POST path` as a page of its own would.
    pub(crate) fn post(&self, path: &str, body: &str, head: &str) -> Answer {
        let host = self.host();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{head}\r\n{body}",
            body.len()
        );
        send(self.port, request.as_bytes())
    }

    /// The path of a fresh link.
    pub(crate) fn link(&self) -> String {
        let answer = self.daemon.done(&["web-link"]);
        let url = answer["link"]["url"].as_str().unwrap();
        url.strip_prefix(&format!("http://{}", self.host())).unwrap().to_owned()
    }

    /// Signs in; the line of a head that says so.
    pub(crate) fn sign_in(&self) -> String {
        let answer = self.get(&self.link(), "");
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{}", answer.head);
        let cookie = answer.header("set-cookie").unwrap();
        for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(word), "{cookie}");
        }
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    }

    /// Begins to look; `head` as by [`Paged::sign_in`].
    pub(crate) async fn look(&self, head: &str) -> Result<Viewer, Error> {
        let host = self.host();
        let mut request = format!("ws://{host}/api/live").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("origin", format!("http://{host}").parse().unwrap());
        if let Some(cookie) = head.trim().strip_prefix("Cookie: ") {
            headers.insert("cookie", cookie.parse().unwrap());
        }
        let stream = tokio::net::TcpStream::connect(&host).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        Ok(Viewer { socket })
    }

    /// Ends the daemon; its log.
    pub(crate) fn end(self) -> String {
        self.daemon.end_by(Signal::TERM).0
    }
}

/// Somebody who looks.
pub(crate) struct Viewer {
    socket: tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>,
}

/// What a viewer is told.
pub(crate) enum Told {
    Json(Value),
    Jpeg(Vec<u8>),
    End,
}

impl Viewer {
    pub(crate) async fn next(&mut self) -> Told {
        loop {
            let said = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a word");
            match said {
                Some(Ok(Message::Text(text))) => {
                    return Told::Json(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Binary(jpeg))) => return Told::Jpeg(jpeg.to_vec()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Told::End,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next of this key.
    pub(crate) async fn json(&mut self, key: &str) -> Value {
        loop {
            match self.next().await {
                Told::Json(mut said) if !said[key].is_null() => return said[key].take(),
                Told::Json(_) => {}
                Told::Jpeg(_) => self.seen().await,
                Told::End => panic!("the end instead of {key}"),
            }
        }
    }

    /// The next picture, answered.
    pub(crate) async fn jpeg(&mut self) -> Vec<u8> {
        loop {
            match self.next().await {
                Told::Jpeg(jpeg) => {
                    self.seen().await;
                    return jpeg;
                }
                Told::Json(_) => {}
                Told::End => panic!("the end instead of a picture"),
            }
        }
    }

    pub(crate) async fn seen(&mut self) {
        self.socket.send(Message::text(r#"{"seen":true}"#)).await.unwrap();
    }
}

/// A JPEG as packed R, G, B.
pub(crate) fn decoded(jpeg: &[u8]) -> image::RgbImage {
    image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().to_rgb8()
}
