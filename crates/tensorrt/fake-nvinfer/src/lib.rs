//! A stand-in for libnvinfer and libnvonnxparser, laid out like the real ones, without a GPU.
//!
//! The places of the functions come from what a C++ compiler made of NVIDIA's headers
//! (`checks/slots-*.tsv`), not from the binding's own tables, so that a wrong number in those ends
//! in the wrong function, or in one that aborts. "Models" are lines of text, a network answers the
//! sum and the count of its input (a real ONNX file of our family runs on `sonofuse-cpu`), and "device"
//! memory is host memory. One copy of the file is one instance; a test sets its copy up through
//! `fake_set` and asks it through `fake_get`. A test of another process writes lines `key value` into
//! the file that `SONOFUSE_STAND_IN` names, which is read whenever a key is asked for.
//!
//! What real objects cannot show is checked here: nothing is destroyed before what depends on it
//! (`violations`), and everything is destroyed in the end (`live`).

mod build;
mod config;
mod context;
mod engine;
mod model;
mod object;
mod plan;
mod real;
mod world;
