//! Who may change something or see evidence: sessions, which are begun by a link that works once.
//!
//! A token is 32 bytes of the kernel's, told apart in constant time. Everything is in memory: a restart
//! signs everybody out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};
use rustix::rand::GetRandomFlags;
use subtle::{Choice, ConstantTimeEq};

/// How long a link works that nobody used.
pub const LINK_LASTS: Duration = Duration::from_mins(10);
/// How long a session lasts without a request.
const SESSION_LASTS: Duration = Duration::from_hours(12);
/// Links that wait at a time; one more takes the oldest's place.
const MAX_LINKS: usize = 8;
/// Sessions at a time; one more takes the place of the one that was silent longest.
const MAX_SESSIONS: usize = 32;
/// The cookie's name.
pub(super) const COOKIE: &str = "sonofuse";

/// What only its holder knows.
#[derive(Clone, Copy)]
struct Token([u8; 32]);

impl Token {
    fn new() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        // 32 bytes come whole or not at all.
        let n = rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty())?;
        if n == bytes.len() {
            Ok(Self(bytes))
        } else {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
    }

    fn hex(&self) -> String {
        use std::fmt::Write;
        let mut hex = String::with_capacity(64);
        for byte in self.0 {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }

    fn read(hex: &str) -> Option<Self> {
        let digits: Vec<u8> =
            hex.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(Self(bytes))
    }

    fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

struct Link {
    token: Token,
    until: Instant,
}

struct Session {
    token: Token,
    number: u64,
    heard: Instant,
}

#[derive(Default)]
struct Inside {
    links: Vec<Link>,
    sessions: Vec<Session>,
    begun: u64,
}

/// Keeps links and sessions.
#[derive(Default)]
pub struct Gate(Mutex<Inside>);

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never a token.
        f.write_str("Gate")
    }
}

/// The first of `all` that holds `token`; looks at every one, whatever it finds.
fn position<'a>(token: &Token, all: impl Iterator<Item = &'a Token>) -> Option<usize> {
    let mut found = None;
    for (n, other) in all.enumerate() {
        if bool::from(token.is(other)) {
            found = Some(n);
        }
    }
    found
}

impl Gate {
    /// A panic elsewhere leaves whole lists, so a poisoned lock is usable.
    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A link's token, for one sign-in within [`LINK_LASTS`].
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    pub fn link(&self) -> std::io::Result<String> {
        let token = Token::new()?;
        let mut inside = self.inside();
        if inside.links.len() >= MAX_LINKS {
            inside.links.remove(0);
        }
        inside.links.push(Link { token, until: Instant::now() + LINK_LASTS });
        Ok(token.hex())
    }

    /// Begins a session by a link's token, which is of no use then; the cookie's value and the session's
    /// number.
    pub(super) fn enter(&self, link: &str, now: Instant) -> Option<(String, u64)> {
        let given = Token::read(link)?;
        let token = Token::new().ok()?;
        let mut inside = self.inside();
        inside.links.retain(|link| link.until > now);
        let at = position(&given, inside.links.iter().map(|link| &link.token))?;
        inside.links.remove(at);
        if inside.sessions.len() >= MAX_SESSIONS {
            let oldest = inside.sessions.iter().enumerate().min_by_key(|(_, s)| s.heard);
            if let Some((oldest, _)) = oldest {
                inside.sessions.remove(oldest);
            }
        }
        inside.begun += 1;
        let number = inside.begun;
        inside.sessions.push(Session { token, number, heard: now });
        Some((token.hex(), number))
    }

    /// The number of the session that a request belongs to.
    pub(super) fn session(&self, headers: &HeaderMap, now: Instant) -> Option<u64> {
        let given = cookie(headers).and_then(Token::read)?;
        let mut inside = self.inside();
        inside.sessions.retain(|s| now.saturating_duration_since(s.heard) < SESSION_LASTS);
        let at = position(&given, inside.sessions.iter().map(|session| &session.token))?;
        let session = &mut inside.sessions[at];
        session.heard = now;
        Some(session.number)
    }
}

/// The value of our cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|p| p.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers
    }

    #[test]
    fn a_link_opens_once_and_its_session_is_known_by_its_cookie_alone() {
        let (gate, now) = (Gate::default(), Instant::now());
        let link = gate.link().unwrap();
        assert!(gate.enter(&"0".repeat(64), now).is_none());
        assert!(gate.enter("", now).is_none());
        let (cookie, number) = gate.enter(&link, now).unwrap();
        assert!(gate.enter(&link, now).is_none(), "twice");
        let session = |text: &str| gate.session(&with(text), now);
        assert_eq!(session(&format!("a=b; sonofuse={cookie}")), Some(number));
        assert_eq!(session(&format!("sonofuse={link}")), None, "a link is no session");
        assert_eq!(session(&format!("sonofuse={}", &cookie[..63])), None);
        assert_eq!(session(&format!("xsonofuse={cookie}")), None);
        assert_eq!(gate.session(&HeaderMap::new(), now), None);
        assert_eq!(gate.session(&with(&format!("sonofuse={cookie}")), now + SESSION_LASTS), None);
    }

    #[test]
    fn a_link_that_nobody_used_is_of_no_use_after_its_time() {
        let (gate, now) = (Gate::default(), Instant::now());
        let link = gate.link().unwrap();
        assert!(gate.enter(&link, now + LINK_LASTS + Duration::from_secs(1)).is_none());
        let first = gate.link().unwrap();
        let others: Vec<String> = (0..MAX_LINKS).map(|_| gate.link().unwrap()).collect();
        assert!(gate.enter(&first, now).is_none(), "too many wait");
        assert!(others.iter().all(|link| gate.enter(link, now).is_some()));
    }
}
