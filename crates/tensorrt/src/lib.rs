//! TensorRT 8.6, 10 and 11 from one binary.
//!
//! The library is loaded when the program runs (`dlopen`); building needs no header, no link step,
//! no C++ compiler and no CUDA. See the README for what is supported and why it is sound, and
//! `docs/design/tensorrt.md` in the repository for the design.
//!
//! # Building an engine
//! ```no_run
//! use sonofuse_tensorrt::{Library, OnnxParser, Typing};
//!
//! let tensorrt = Library::open()?;
//! let builder = tensorrt.create_builder()?;
//! let mut network = builder.create_network(Typing::Default)?;
//! OnnxParser::open(tensorrt)?.parse(&mut network, &std::fs::read("model.onnx")?)?;
//!
//! let mut config = builder.create_config()?;
//! config.set_workspace_limit(1 << 30)?;
//! config.load_timing_cache(&[])?;
//! let mut profile = builder.create_profile()?;
//! profile.set(c"x", &[1, 3, 64, 64], &[1, 3, 224, 224], &[1, 3, 448, 448])?;
//! config.add_profile(&profile)?;
//! std::fs::write("model.plan", builder.build(&network, &mut config)?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Running it
//! ```no_run
//! use sonofuse_tensorrt::{DevicePtr, Library, Stream};
//! # let (x, y, stream) = (0_u64, 0_u64, std::ptr::null_mut::<u8>());
//!
//! let engine = Library::open()?.create_runtime()?.deserialize(&std::fs::read("model.plan")?)?;
//! let mut context = engine.create_context()?;
//! context.set_input_shape(c"x", &[1, 3, 200, 300])?;
//! context.infer_shapes()?;
//! // SAFETY: x and y are device buffers of the sizes that the shapes need; they and the stream
//! // live until the stream is synchronised.
//! unsafe {
//!     context.set_tensor_address(c"x", DevicePtr(x))?;
//!     context.set_tensor_address(c"y", DevicePtr(y))?;
//!     context.enqueue_v3(Stream::from_raw(stream))?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threads and lifetimes
//! | type | threads | keeps alive |
//! |---|---|---|
//! | [`Library`], [`HostMemory`] | any, shared | (never unloaded) |
//! | [`Runtime`], [`Engine`] | any, shared | the runtime |
//! | [`ExecutionContext`] | one at a time, may move | the engine |
//! | [`Builder`] | one at a time, may move | |
//! | [`NetworkDefinition`], [`BuilderConfig`], [`OptimizationProfile`] | the builder's | (borrow the builder) |
//!
//! # Log
//! TensorRT's log comes as `tracing` events of target `tensorrt`. What it says at warning level and
//! above while a call fails is in the [`Error`] too.

mod abi;
mod builder;
mod config;
mod context;
mod engine;
mod error;
mod headers;
mod library;
mod logger;
mod memory;
mod network;
mod parser;
mod profile;
mod progress;
mod raw;
mod runtime;
mod types;
mod version;

pub use abi::slot_table;
pub use builder::{Builder, Typing};
pub use config::{BuilderConfig, GpuFallback};
pub use context::ExecutionContext;
pub use engine::Engine;
pub use error::{Error, LogLine, ParserError, Said, Severity, Tried};
pub use headers::{Agreement, HeadersError, compare_headers};
pub use library::{LIBRARY_VARIABLE, Library};
pub use memory::HostMemory;
pub use network::{NetworkDefinition, NetworkTensor};
pub use parser::{OnnxParser, PARSER_VARIABLE};
pub use profile::OptimizationProfile;
pub use progress::ProgressMonitor;
pub use runtime::Runtime;
pub use types::{DataType, DevicePtr, IoMode, Location, ProfilePoint, Shape, Stream, TensorInfo};
pub use version::Version;

/// Runs the README's example through the compiler.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
