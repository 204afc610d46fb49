//! Models of the hand-overs between threads. loom runs each through every order of events, up to a
//! number of forced switches, with the orders of memory that the atomics leave open.
//!
//! `build.rs` takes the product's own sources and only exchanges the threads, locks and atomics. What
//! loom cannot model stays with ordinary tests: time-outs (loom's wait never times out), and panics
//! (it runs all threads on one, which has one state of unwinding).

#[cfg(test)]
#[allow(dead_code, missing_docs, clippy::pedantic)]
mod mailbox {
    include!(concat!(env!("OUT_DIR"), "/mailbox.rs"));
}

#[cfg(test)]
#[allow(dead_code, missing_docs, clippy::pedantic)]
mod team {
    include!(concat!(env!("OUT_DIR"), "/team.rs"));
}

#[cfg(test)]
mod mailbox_models;
#[cfg(test)]
mod team_models;
