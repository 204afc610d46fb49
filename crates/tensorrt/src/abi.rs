//! Where TensorRT's functions are: one table of vtable slots for each supported major version.
//!
//! libnvinfer exports only a handful of factories; everything else is a virtual function. A public
//! object is `{vtable, implementation}`, and the inline functions of NVIDIA's own headers call the
//! *implementation's* virtual functions. Every C++ program depends on these places, so NVIDIA only
//! appends within a major version, and a table for each major is sound. The tables are compared by
//! a test with what a C++ compiler makes of the headers (`checks/`).
//!
//! Constant data; any thread.

mod v10;
mod v11;
mod v8_6;

use crate::error::Error;
use crate::version::Version;
use std::path::Path;

/// How a version passes shapes, calls back and differs in the calls themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// 8.6: 32-bit extents, shapes by value, three-argument deserialization, plain logger.
    V8,
    /// 10: 64-bit extents, shapes by reference, plain logger.
    V10,
    /// 11 and RTX: as 10, with the versioned logger, and networks always strongly typed.
    V11,
}

/// Turns a table's fields into `key → number` pairs, for the comparison with the headers.
pub(crate) trait Entries {
    fn entries(&self, group: &str, put: &mut dyn FnMut(String, i64));
}

macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($field:ident),* $(,)? } $(optional { $($maybe:ident),* $(,)? })?) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name {
            $(pub(crate) $field: usize,)*
            $($(pub(crate) $maybe: Option<usize>,)*)?
        }

        impl Entries for $name {
            fn entries(&self, group: &str, put: &mut dyn FnMut(String, i64)) {
                $(put(format!("{group}.{}", stringify!($field)), self.$field as i64);)*
                $($(if let Some(value) = self.$maybe {
                    put(format!("{group}.{}", stringify!($maybe)), value as i64);
                })*)?
            }
        }
    };
}

table! {
    /// `apiv::VRuntime`.
    RuntimeSlots {
        deserialize_cuda_engine, set_dla_core, get_dla_core, nb_dla_cores, set_max_threads,
        get_max_threads, set_temporary_directory, set_engine_host_code_allowed,
        get_engine_host_code_allowed,
    }
}
table! {
    /// `apiv::VCudaEngine`.
    EngineSlots {
        nb_io_tensors, io_tensor_name, tensor_shape, tensor_dtype, tensor_location,
        tensor_io_mode, tensor_format, profile_shape, create_execution_context, name, nb_layers,
        nb_optimization_profiles, device_memory_size, serialize, create_engine_inspector,
    }
}
table! {
    /// `apiv::VEngineInspector`.
    InspectorSlots { engine_information }
}
table! {
    /// `apiv::VExecutionContext`.
    ContextSlots {
        set_name, set_optimization_profile_async, get_optimization_profile, set_input_shape,
        tensor_shape, set_tensor_address, get_tensor_address, infer_shapes, enqueue_v3,
    }
}
table! {
    /// `apiv::VBuilder`.
    BuilderSlots {
        create_builder_config, create_network_v2, create_optimization_profile,
        build_serialized_network, is_network_supported, nb_dla_cores, set_max_threads,
        get_max_threads,
    }
}
table! {
    /// `apiv::VBuilderConfig`.
    ConfigSlots {
        set_flag, clear_flag, get_flag, set_memory_pool_limit, get_memory_pool_limit,
        add_optimization_profile, nb_optimization_profiles, set_optimization_level,
        get_optimization_level, set_default_device_type, get_default_device_type, set_dla_core,
        get_dla_core, can_run_on_dla, create_timing_cache, set_timing_cache, get_timing_cache,
        set_profiling_verbosity, set_hardware_compatibility_level, set_max_aux_streams,
    } optional { set_progress_monitor }
}
table! {
    /// `apiv::VTimingCache`.
    TimingCacheSlots { serialize, combine }
}
table! {
    /// `apiv::VOptimizationProfile`.
    ProfileSlots { set_dimensions, get_dimensions, is_valid }
}
table! {
    /// `apiv::VNetworkDefinition`.
    NetworkSlots {
        nb_layers, layer, nb_inputs, input, nb_outputs, output, set_name,
    }
}
table! {
    /// `apiv::VLayer`.
    LayerSlots { name }
}
table! {
    /// `apiv::VTensor`.
    TensorSlots { name, dimensions, dtype, is_shape_tensor }
}
table! {
    /// `apiv::VHostMemory`.
    HostMemorySlots { data, size }
}
table! {
    /// `nvonnxparser::IParser`: the public object's own vtable, there is no implementation behind.
    ParserSlots { parse, parse_from_file, nb_errors, error, clear_errors, destroy }
}
table! {
    /// `nvonnxparser::IParserError`, likewise.
    ParserErrorSlots { code, desc, node } optional { node_name, node_operator }
}
table! {
    /// Bit numbers of `BuilderFlag`.
    Flags {
        gpu_fallback, disable_timing_cache, tf32, version_compatible, exclude_lean_runtime,
    } optional { fp16 }
}
table! {
    /// Bit numbers of `NetworkDefinitionCreationFlag`.
    NetworkFlags {} optional { explicit_batch, strongly_typed }
}

/// Everything that differs between major versions.
#[derive(Debug)]
pub(crate) struct Abi {
    pub(crate) name: &'static str,
    pub(crate) era: Era,
    pub(crate) runtime: RuntimeSlots,
    pub(crate) engine: EngineSlots,
    pub(crate) inspector: InspectorSlots,
    pub(crate) context: ContextSlots,
    pub(crate) builder: BuilderSlots,
    pub(crate) config: ConfigSlots,
    pub(crate) timing_cache: TimingCacheSlots,
    pub(crate) profile: ProfileSlots,
    pub(crate) network: NetworkSlots,
    pub(crate) layer: LayerSlots,
    pub(crate) tensor: TensorSlots,
    pub(crate) host_memory: HostMemorySlots,
    pub(crate) parser: ParserSlots,
    pub(crate) parser_error: ParserErrorSlots,
    pub(crate) flag: Flags,
    pub(crate) network_flag: NetworkFlags,
}

/// Numbers that every supported version agrees on; the comparison with the headers covers them.
pub(crate) mod same {
    /// Offset of the implementation pointer in a public object, bytes.
    pub(crate) const IMPL_AT: usize = 8;
    /// The deleting destructor's slot in a public object's own vtable.
    pub(crate) const DESTROY: usize = 1;
    /// `MemoryPoolType::kWORKSPACE`.
    pub(crate) const POOL_WORKSPACE: i32 = 0;
    /// `DeviceType::kGPU`.
    pub(crate) const DEVICE_GPU: i32 = 0;
    /// `DeviceType::kDLA`.
    pub(crate) const DEVICE_DLA: i32 = 1;
    /// `TensorIOMode::kINPUT`.
    pub(crate) const IO_INPUT: i32 = 1;
    /// `TensorIOMode::kOUTPUT`.
    pub(crate) const IO_OUTPUT: i32 = 2;
    /// `TensorLocation::kHOST`.
    pub(crate) const LOCATION_HOST: i32 = 1;
    /// `TensorFormat::kLINEAR`.
    pub(crate) const FORMAT_LINEAR: i32 = 0;
    /// `LayerInformationFormat::kJSON`.
    pub(crate) const LAYER_INFORMATION_JSON: i32 = 1;
    /// `ProfilingVerbosity::kDETAILED`.
    pub(crate) const PROFILING_DETAILED: i32 = 2;
    /// `HardwareCompatibilityLevel::kAMPERE_PLUS`.
    pub(crate) const HARDWARE_AMPERE_PLUS: i32 = 1;
    /// `ExecutionContextAllocationStrategy::kSTATIC` (10 and later).
    pub(crate) const CONTEXT_STATIC: i32 = 0;
}

/// Whether TensorRT-RTX, which speaks the language of TensorRT 11, is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rtx {
    Refused,
    Accepted,
}

impl Abi {
    /// Picks the table for `version`.
    ///
    /// # Errors
    /// [`Error::UnsupportedVersion`] for every major that no table was checked for. A wrong table
    /// would call the wrong functions, so nothing is guessed.
    pub(crate) fn of(version: &Version, rtx: Rtx, path: &Path) -> Result<&'static Self, Error> {
        match version.code() {
            // 8.6.0 was an early-access release whose parser keeps its destructor elsewhere.
            8601..=8699 => Ok(&v8_6::TABLE),
            100_000..=109_999 => Ok(&v10::TABLE),
            110_000..=119_999 => Ok(&v11::TABLE),
            // TensorRT-RTX 1.7: the numbers of TensorRT 11 were checked for this minor only.
            10_700..=10_799 if rtx == Rtx::Accepted => Ok(&v11::TABLE),
            _ => Err(Error::UnsupportedVersion { path: path.to_owned(), version: *version }),
        }
    }

    /// All numbers of the table by their key.
    pub(crate) fn entries(&self) -> Vec<(String, i64)> {
        let mut all = Vec::new();
        let put: &mut dyn FnMut(String, i64) = &mut |key, value| all.push((key, value));
        self.runtime.entries("runtime", put);
        self.engine.entries("engine", put);
        self.inspector.entries("inspector", put);
        self.context.entries("context", put);
        self.builder.entries("builder", put);
        self.config.entries("config", put);
        self.timing_cache.entries("timing_cache", put);
        self.profile.entries("profile", put);
        self.network.entries("network", put);
        self.layer.entries("layer", put);
        self.tensor.entries("tensor", put);
        self.host_memory.entries("host_memory", put);
        self.parser.entries("parser", put);
        self.parser_error.entries("parser_error", put);
        self.flag.entries("flag", put);
        self.network_flag.entries("network_flag", put);
        crate::raw::layout_entries(self.era, put);
        for class in CLASSES {
            put(format!("impl_at.{class}"), same::IMPL_AT as i64);
            if !OWNED_BY_THE_BUILDER.contains(class) {
                put(format!("destroy.{class}"), same::DESTROY as i64);
            }
        }
        for (key, value) in [
            ("pool_workspace", same::POOL_WORKSPACE),
            ("device_gpu", same::DEVICE_GPU),
            ("device_dla", same::DEVICE_DLA),
            ("io_input", same::IO_INPUT),
            ("io_output", same::IO_OUTPUT),
            ("location_device", 0),
            ("location_host", same::LOCATION_HOST),
            ("format_linear", same::FORMAT_LINEAR),
            ("layer_information_json", same::LAYER_INFORMATION_JSON),
            ("profiling_detailed", same::PROFILING_DETAILED),
            ("hardware_ampere_plus", same::HARDWARE_AMPERE_PLUS),
        ] {
            put(format!("const.{key}"), i64::from(value));
        }
        if self.era != Era::V8 {
            put("const.context_static".to_owned(), i64::from(same::CONTEXT_STATIC));
        }
        crate::types::constants(self.era, put);
        crate::logger::constants(self.era, put);
        crate::progress::constants(self.era, put);
        all
    }
}

/// Public classes whose objects this crate opens.
const CLASSES: &[&str] = &[
    "runtime",
    "engine",
    "inspector",
    "context",
    "builder",
    "config",
    "timing_cache",
    "profile",
    "network",
    "layer",
    "tensor",
    "host_memory",
];

/// Those that must not be destroyed by the caller.
const OWNED_BY_THE_BUILDER: &[&str] = &["profile", "layer", "tensor"];

/// Returns everything that this crate assumes of a major version (`"8.6"`, `"10"` or `"11"`) as
/// `key, number` pairs: vtable slots, flag numbers, sizes and offsets.
///
/// This is what `checks/slots.sh` compares with NVIDIA's headers. `None` for any other name.
pub fn slot_table(major: &str) -> Option<Vec<(String, i64)>> {
    let table = match major {
        "8.6" => &v8_6::TABLE,
        "10" => &v10::TABLE,
        "11" => &v11::TABLE,
        _ => return None,
    };
    Some(table.entries())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_table_is_what_the_headers_of_its_major_compile_to() {
        for (major, recorded) in [
            ("8.6", include_str!("../checks/slots-8.6.tsv")),
            ("10", include_str!("../checks/slots-10.tsv")),
            ("11", include_str!("../checks/slots-11.tsv")),
        ] {
            let headers: BTreeMap<&str, i64> = recorded
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('\t'))
                .map(|(key, value)| (key, value.parse().unwrap()))
                .collect();
            let table: BTreeMap<String, i64> = slot_table(major).unwrap().into_iter().collect();
            let ours: BTreeMap<&str, i64> = table.iter().map(|(k, v)| (k.as_str(), *v)).collect();
            assert!(ours.len() > 140, "{major}: only {} numbers", ours.len());
            assert_eq!(ours, headers, "TensorRT {major}");
        }
    }

    #[test]
    fn only_versions_with_a_checked_table_are_accepted() {
        let of = |code, rtx| Abi::of(&Version::from_code(code, None), rtx, Path::new("x.so"));
        for (code, name) in [
            (8601, "TensorRT 8.6"),
            (8602, "TensorRT 8.6"),
            (100_300, "TensorRT 10"),
            (101_601, "TensorRT 10"),
            (110_000, "TensorRT 11"),
            (110_400, "TensorRT 11"),
        ] {
            assert_eq!(of(code, Rtx::Refused).unwrap().name, name);
        }
        for code in [-1, 0, 7134, 8503, 8600, 8700, 90_300, 10_701, 120_000, i32::MAX] {
            let error = of(code, Rtx::Refused).unwrap_err().to_string();
            assert!(error.contains("8.6"), "{error}");
        }
        for code in (i32::MIN..=i32::MAX).step_by(7919) {
            let known = matches!(code, 8601..=8699 | 100_000..=119_999);
            assert_eq!(of(code, Rtx::Refused).is_ok(), known, "{code}");
        }
        assert_eq!(of(10_701, Rtx::Accepted).unwrap().name, "TensorRT 11");
        assert!(of(10_500, Rtx::Accepted).is_err());
        assert!(of(10_800, Rtx::Accepted).is_err());
    }
}
