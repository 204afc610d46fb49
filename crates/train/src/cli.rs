//! The subcommands: each parses its options, calls the library and prints.

pub(crate) mod data;
pub(crate) mod ddti;
pub(crate) mod demo;
pub(crate) mod evaluate;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod familiar;
pub(crate) mod import;
mod store;
pub(crate) mod tables;
pub(crate) mod train;
