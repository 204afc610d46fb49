//! By which names the page may be asked for: what is local is told by the Host that the configuration allows,
//! never by the peer's address, which is this machine's behind a proxy too. Pure.

use std::net::SocketAddr;

/// The names that are allowed, in lower case.
#[derive(Clone, Debug)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// Those of this machine at the port of `address`, `address` itself, and `others` as they stand.
    pub(super) fn new(address: SocketAddr, others: &[String]) -> Self {
        let port = address.port();
        let mut names: Vec<String> = ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .map(|name| format!("{name}:{port}"))
            .chain([address.to_string()])
            .collect();
        if port == 80 {
            let bare = |name: &String| name.strip_suffix(":80").map(str::to_owned);
            names.extend(names.iter().filter_map(bare).collect::<Vec<_>>());
        }
        // Nobody asks for the address that stands for all.
        names.retain(|name| !(address.ip().is_unspecified() && *name == address.to_string()));
        names.extend(others.iter().map(|name| name.to_ascii_lowercase()));
        Self(names)
    }

    /// The name that `host` is, where it is allowed.
    pub(super) fn known(&self, host: &str) -> Option<&str> {
        self.0.iter().find(|name| name.eq_ignore_ascii_case(host)).map(String::as_str)
    }
}

/// Whether a page of `origin` is of the host that was asked for.
pub(super) fn is_own(origin: &str, host: &str) -> bool {
    let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    name.is_some_and(|name| name.eq_ignore_ascii_case(host))
}

/// Tells whether `name` can stand in a Host: a name or address, and perhaps a port.
pub(super) fn is_host(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    !name.is_empty() && name.len() <= 255 && name.chars().all(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_and_of_the_configuration_are_known() {
        let hosts = Hosts::new("127.0.0.1:8417".parse().unwrap(), &["Scan.example.org".into()]);
        for (host, known) in [
            ("127.0.0.1:8417", true),
            ("LOCALHOST:8417", true),
            ("[::1]:8417", true),
            ("scan.example.org", true),
            ("scan.example.org:443", false),
            ("127.0.0.1", false),
            ("127.0.0.1:80", false),
            ("evil.example:8417", false),
            ("scan.example.org.evil.example", false),
            ("", false),
        ] {
            assert_eq!(hosts.known(host).is_some(), known, "{host}");
        }
        let all = Hosts::new("0.0.0.0:8417".parse().unwrap(), &[]);
        assert!(all.known("0.0.0.0:8417").is_none() && all.known("127.0.0.1:8417").is_some());
        let own = Hosts::new("192.0.2.7:8417".parse().unwrap(), &[]);
        assert!(own.known("192.0.2.7:8417").is_some());
    }

    #[test]
    fn an_origin_is_own_by_its_whole_name() {
        assert!(is_own("http://127.0.0.1:8417", "127.0.0.1:8417"));
        assert!(is_own("https://scan.example.org", "scan.example.org"));
        for origin in
            ["null", "", "http://evil.example", "http://127.0.0.1:84170", "ftp://127.0.0.1:8417"]
        {
            assert!(!is_own(origin, "127.0.0.1:8417"), "{origin}");
        }
    }
}
