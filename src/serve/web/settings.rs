//! `[web]` of the configuration. Pure.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::hosts;

/// `[web]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Whether the page is served.
    pub enabled: bool,
    /// Address and port. Another address than this machine's own: others may look, and pictures are masked.
    pub address: String,
    /// Names by which others reach it through a proxy, as browsers send them in Host; pictures are masked then.
    pub hosts: Vec<String>,
    /// Most pictures a second; in [`Settings::FPS`].
    pub fps: u32,
    /// Most pixels across; in [`Settings::WIDTH`].
    pub width: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: false,
            address: "127.0.0.1:8417".to_owned(),
            hosts: Vec::new(),
            fps: 30,
            width: 1280,
        }
    }
}

impl Settings {
    /// Rates that can be meant.
    pub const FPS: RangeInclusive<u32> = 1..=30;
    /// Widths that can be meant.
    pub const WIDTH: RangeInclusive<u32> = 320..=1280;

    /// The address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn address(&self) -> Result<SocketAddr, String> {
        self.address.parse().map_err(|_| {
            format!(
                "web.address is {:?}: give an address with its port (\"127.0.0.1:8417\", \"[::1]:8417\")",
                self.address
            )
        })
    }

    /// Whether others than those at this machine may look.
    pub fn is_exposed(&self) -> bool {
        !self.hosts.is_empty() || self.address().is_ok_and(|address| !address.ip().is_loopback())
    }

    /// Tells whether every value is one that can be meant.
    ///
    /// # Errors
    /// The key and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        self.address()?;
        if let Some(name) = self.hosts.iter().find(|name| !hosts::is_host(name)) {
            return Err(format!(
                "web.hosts has {name:?}: give names as a browser asks for them (\"scan.example.org\", \"scan.example.org:8443\"), without http:// and path"
            ));
        }
        for (key, value, range) in
            [("fps", self.fps, Self::FPS), ("width", self.width, Self::WIDTH)]
        {
            if !range.contains(&value) {
                let (low, high) = (range.start(), range.end());
                return Err(format!("web.{key} is {value}: it must be {low} to {high}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_s_own_address_without_other_names_is_not_exposed() {
        for (address, hosts, exposed) in [
            ("127.0.0.1:8417", vec![], false),
            ("[::1]:8417", vec![], false),
            ("127.0.0.1:8417", vec!["scan.example.org".to_owned()], true),
            ("0.0.0.0:8417", vec![], true),
            ("192.0.2.7:8417", vec![], true),
        ] {
            let settings = Settings { address: address.to_owned(), hosts, ..Settings::default() };
            assert_eq!(settings.is_exposed(), exposed, "{address}");
            assert!(settings.check().is_ok());
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().err().unwrap_or_default()
        };
        assert!(with(|s| s.address = "localhost".into()).contains("web.address"));
        assert!(with(|s| s.hosts = vec!["http://x/".into()]).contains("web.hosts"));
        assert!(with(|s| s.fps = 31).contains("web.fps"));
        assert!(with(|s| s.width = 1281).contains("web.width"));
    }
}
