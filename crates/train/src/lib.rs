//! Writes the models that sonofuse runs: networks as plain data, their own slow arithmetic, and ONNX
//! files with manifests.
//!
//! Trainer and daemon meet only in files. A [`network::Network`] is built once and read twice: by
//! [`network::forward`], the reference arithmetic behind the manifest's known answers, and by
//! [`export`], which writes the same network as ONNX.

pub mod data;
pub mod demo;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod familiar;
pub mod fit;
pub mod model;
pub mod network;
pub mod onnx;
pub mod plot;
pub mod sample;
pub mod stand_in;
pub mod tables;
pub mod weights;
