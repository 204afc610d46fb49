//! Tests of parsing and its messages.
