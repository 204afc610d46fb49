// Prints what the TensorRT headers of the include path compile to: the index of each virtual
// function that sonofuse-tensorrt calls, the constants that it passes and the layouts that it
// relies on, one `key<TAB>value` a line, in the keys of the crate's tables.
//
// Each function is named through its whole type, so that a changed signature does not compile.
// Needs only the headers (no library, no CUDA, no GPU): see docs/guide/tensorrt-slots-check.md.
//
//   c++ -std=c++17 -I <dir of NvInfer.h> [-I <dir of cuda_runtime_api.h>] slots.cpp -o slots && ./slots

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include <NvInfer.h>
#if __has_include(<NvOnnxParser.h>)
#include <NvOnnxParser.h>
#define HAVE_PARSER 1
#endif

using namespace nvinfer1;

#if NV_TENSORRT_MAJOR < 10
#define V8 1
using DimsArg = Dims;
#else
#define V8 0
using DimsArg = Dims const&;
#endif
#define V11 (NV_TENSORRT_MAJOR >= 11)

// A pointer to a virtual member function holds its place in the vtable (Itanium C++ ABI 2.3; on
// Arm the mark of a virtual function sits in the second word).
template <typename F>
long slotOf(F f)
{
    std::ptrdiff_t words[2];
    static_assert(sizeof(f) == sizeof(words), "not the Itanium C++ ABI");
    std::memcpy(words, &f, sizeof(words));
#if defined(__aarch64__) || defined(__arm__)
    bool const isVirtual = words[1] & 1;
    std::ptrdiff_t const offset = words[0];
#else
    bool const isVirtual = words[0] & 1;
    std::ptrdiff_t const offset = words[0] - 1;
#endif
    if (!isVirtual)
    {
        std::fprintf(stderr, "a function of the list is not virtual\n");
        std::exit(1);
    }
    return static_cast<long>(offset / static_cast<std::ptrdiff_t>(sizeof(void*)));
}

void put(char const* key, long value)
{
    std::printf("%s\t%ld\n", key, value);
}

template <typename... Enums>
constexpr bool areInt32()
{
    return (std::is_same<std::underlying_type_t<Enums>, std::int32_t>::value && ...);
}

// Args carries the parameter list and, where the function has it, `const`.
#define SLOT(key, Class, Ret, method, ...)                                                                             \
    {                                                                                                                  \
        Ret (Class::*f) __VA_ARGS__ = &Class::method;                                                                  \
        put(key, slotOf(f));                                                                                           \
    }

// Where a public object keeps the pointer to its implementation.
#define IMPL_AT(key, Class, member)                                                                                    \
    {                                                                                                                  \
        struct Open : Class                                                                                            \
        {                                                                                                              \
            using Class::member;                                                                                       \
        };                                                                                                             \
        put(key, static_cast<long>(__builtin_offsetof(Open, member)));                                                 \
    }

// The deleting destructor, found by calling it: slot 1 of a public object's own vtable must run
// the destructor and then operator delete.
static int gSteps = 0;
#define DESTROY_AT_1(key, Class)                                                                                       \
    {                                                                                                                  \
        struct Probe : Class                                                                                           \
        {                                                                                                              \
            ~Probe() override                                                                                          \
            {                                                                                                          \
                gSteps = gSteps * 10 + 1;                                                                              \
            }                                                                                                          \
            static void* operator new(std::size_t, void* at)                                                           \
            {                                                                                                          \
                return at;                                                                                             \
            }                                                                                                          \
            static void operator delete(void*)                                                                         \
            {                                                                                                          \
                gSteps = gSteps * 10 + 2;                                                                              \
            }                                                                                                          \
        };                                                                                                             \
        alignas(Probe) static unsigned char room[sizeof(Probe)];                                                       \
        gSteps = 0;                                                                                                    \
        Class* object = new (room) Probe;                                                                              \
        auto vtable = *reinterpret_cast<void (***)(void*)>(object);                                                    \
        vtable[1](object);                                                                                             \
        put(key, gSteps == 12 ? 1 : -1);                                                                               \
    }

int main()
{
    put("version.major", NV_TENSORRT_MAJOR);
    put("version.minor", NV_TENSORRT_MINOR);
    put("version.patch", NV_TENSORRT_PATCH);

    put("dims.size", sizeof(Dims));
    put("dims.extent_size", sizeof(Dims{}.d[0]));
    put("dims.extents_at", static_cast<long>(__builtin_offsetof(Dims, d)));
    // Then it is passed and returned as C does with a struct of the same members.
    put("dims.as_in_c", std::is_trivially_copyable<Dims>::value && std::is_standard_layout<Dims>::value);
    put("enums.as_int32", areInt32<DataType, DeviceType, BuilderFlag, OptProfileSelector, TensorIOMode, TensorLocation,
                              TensorFormat, MemoryPoolType, LayerInformationFormat, ProfilingVerbosity,
                              HardwareCompatibilityLevel, ILogger::Severity>());

#if V8
    SLOT("runtime.deserialize_cuda_engine", apiv::VRuntime, ICudaEngine*, deserializeCudaEngine,
        (void const*, std::size_t, IPluginFactory*));
#else
    SLOT("runtime.deserialize_cuda_engine", apiv::VRuntime, ICudaEngine*, deserializeCudaEngine,
        (void const*, std::size_t));
#endif
    SLOT("runtime.set_dla_core", apiv::VRuntime, void, setDLACore, (std::int32_t));
    SLOT("runtime.get_dla_core", apiv::VRuntime, std::int32_t, getDLACore, () const);
    SLOT("runtime.nb_dla_cores", apiv::VRuntime, std::int32_t, getNbDLACores, () const);
    SLOT("runtime.set_max_threads", apiv::VRuntime, bool, setMaxThreads, (std::int32_t));
    SLOT("runtime.get_max_threads", apiv::VRuntime, std::int32_t, getMaxThreads, () const);
    SLOT("runtime.set_temporary_directory", apiv::VRuntime, void, setTemporaryDirectory, (char const*));
    SLOT("runtime.set_engine_host_code_allowed", apiv::VRuntime, void, setEngineHostCodeAllowed, (bool));
    SLOT("runtime.get_engine_host_code_allowed", apiv::VRuntime, bool, getEngineHostCodeAllowed, () const);

    SLOT("engine.nb_io_tensors", apiv::VCudaEngine, std::int32_t, getNbIOTensors, () const);
    SLOT("engine.io_tensor_name", apiv::VCudaEngine, char const*, getIOTensorName, (std::int32_t) const);
    SLOT("engine.tensor_shape", apiv::VCudaEngine, Dims, getTensorShape, (char const*) const);
    SLOT("engine.tensor_dtype", apiv::VCudaEngine, DataType, getTensorDataType, (char const*) const);
    SLOT("engine.tensor_location", apiv::VCudaEngine, TensorLocation, getTensorLocation, (char const*) const);
    SLOT("engine.tensor_io_mode", apiv::VCudaEngine, TensorIOMode, getTensorIOMode, (char const*) const);
    SLOT("engine.tensor_format", apiv::VCudaEngine, TensorFormat, getTensorFormat, (char const*) const);
    SLOT("engine.profile_shape", apiv::VCudaEngine, Dims, getProfileShape,
        (char const*, std::int32_t, OptProfileSelector) const);
#if V8
    SLOT("engine.create_execution_context", apiv::VCudaEngine, IExecutionContext*, createExecutionContext, ());
#else
    SLOT("engine.create_execution_context", apiv::VCudaEngine, IExecutionContext*, createExecutionContext,
        (ExecutionContextAllocationStrategy));
#endif
    SLOT("engine.name", apiv::VCudaEngine, char const*, getName, () const);
    SLOT("engine.nb_layers", apiv::VCudaEngine, std::int32_t, getNbLayers, () const);
    SLOT("engine.nb_optimization_profiles", apiv::VCudaEngine, std::int32_t, getNbOptimizationProfiles, () const);
#if V11
    SLOT("engine.device_memory_size", apiv::VCudaEngine, std::int64_t, getDeviceMemorySizeV2, () const);
#else
    SLOT("engine.device_memory_size", apiv::VCudaEngine, std::size_t, getDeviceMemorySize, () const);
#endif
    SLOT("engine.serialize", apiv::VCudaEngine, IHostMemory*, serialize, () const);
    SLOT("engine.create_engine_inspector", apiv::VCudaEngine, IEngineInspector*, createEngineInspector, () const);
    SLOT("inspector.engine_information", apiv::VEngineInspector, char const*, getEngineInformation,
        (LayerInformationFormat) const);

    SLOT("context.set_name", apiv::VExecutionContext, void, setName, (char const*));
    SLOT("context.set_optimization_profile_async", apiv::VExecutionContext, bool, setOptimizationProfileAsync,
        (std::int32_t, cudaStream_t));
    SLOT("context.get_optimization_profile", apiv::VExecutionContext, std::int32_t, getOptimizationProfile, () const);
    SLOT("context.set_input_shape", apiv::VExecutionContext, bool, setInputShape, (char const*, Dims const&));
    SLOT("context.tensor_shape", apiv::VExecutionContext, Dims, getTensorShape, (char const*) const);
    SLOT("context.set_tensor_address", apiv::VExecutionContext, bool, setTensorAddress, (char const*, void*));
    SLOT("context.get_tensor_address", apiv::VExecutionContext, void const*, getTensorAddress, (char const*) const);
    SLOT("context.infer_shapes", apiv::VExecutionContext, std::int32_t, inferShapes, (std::int32_t, char const**));
    SLOT("context.enqueue_v3", apiv::VExecutionContext, bool, enqueueV3, (cudaStream_t));

    SLOT("builder.create_builder_config", apiv::VBuilder, IBuilderConfig*, createBuilderConfig, ());
    SLOT("builder.create_network_v2", apiv::VBuilder, INetworkDefinition*, createNetworkV2,
        (NetworkDefinitionCreationFlags));
    SLOT("builder.create_optimization_profile", apiv::VBuilder, IOptimizationProfile*, createOptimizationProfile, ());
    SLOT("builder.build_serialized_network", apiv::VBuilder, IHostMemory*, buildSerializedNetwork,
        (INetworkDefinition&, IBuilderConfig&));
    SLOT("builder.is_network_supported", apiv::VBuilder, bool, isNetworkSupported,
        (INetworkDefinition const&, IBuilderConfig const&) const);
    SLOT("builder.nb_dla_cores", apiv::VBuilder, std::int32_t, getNbDLACores, () const);
    SLOT("builder.set_max_threads", apiv::VBuilder, bool, setMaxThreads, (std::int32_t));
    SLOT("builder.get_max_threads", apiv::VBuilder, std::int32_t, getMaxThreads, () const);

    SLOT("config.set_flag", apiv::VBuilderConfig, void, setFlag, (BuilderFlag));
    SLOT("config.clear_flag", apiv::VBuilderConfig, void, clearFlag, (BuilderFlag));
    SLOT("config.get_flag", apiv::VBuilderConfig, bool, getFlag, (BuilderFlag) const);
    SLOT("config.set_memory_pool_limit", apiv::VBuilderConfig, void, setMemoryPoolLimit,
        (MemoryPoolType, std::size_t));
    SLOT("config.get_memory_pool_limit", apiv::VBuilderConfig, std::size_t, getMemoryPoolLimit,
        (MemoryPoolType) const);
    SLOT("config.add_optimization_profile", apiv::VBuilderConfig, std::int32_t, addOptimizationProfile,
        (IOptimizationProfile const*));
    SLOT("config.nb_optimization_profiles", apiv::VBuilderConfig, std::int32_t, getNbOptimizationProfiles, () const);
    SLOT("config.set_optimization_level", apiv::VBuilderConfig, void, setBuilderOptimizationLevel, (std::int32_t));
    // getBuilderOptimizationLevel is not const in every release.
    SLOT("config.get_optimization_level", apiv::VBuilderConfig, std::int32_t, getBuilderOptimizationLevel, () const);
    SLOT("config.set_default_device_type", apiv::VBuilderConfig, void, setDefaultDeviceType, (DeviceType));
    SLOT("config.get_default_device_type", apiv::VBuilderConfig, DeviceType, getDefaultDeviceType, () const);
    SLOT("config.set_dla_core", apiv::VBuilderConfig, void, setDLACore, (std::int32_t));
    SLOT("config.get_dla_core", apiv::VBuilderConfig, std::int32_t, getDLACore, () const);
    SLOT("config.can_run_on_dla", apiv::VBuilderConfig, bool, canRunOnDLA, (ILayer const*) const);
    SLOT("config.create_timing_cache", apiv::VBuilderConfig, ITimingCache*, createTimingCache,
        (void const*, std::size_t) const);
    SLOT("config.set_timing_cache", apiv::VBuilderConfig, bool, setTimingCache, (ITimingCache const&, bool));
    SLOT("config.get_timing_cache", apiv::VBuilderConfig, ITimingCache const*, getTimingCache, () const);
    SLOT("config.set_profiling_verbosity", apiv::VBuilderConfig, void, setProfilingVerbosity, (ProfilingVerbosity));
    SLOT("config.set_hardware_compatibility_level", apiv::VBuilderConfig, void, setHardwareCompatibilityLevel,
        (HardwareCompatibilityLevel));
#if V11
    SLOT("config.set_max_aux_streams", apiv::VBuilderConfig, bool, setMaxAuxStreams, (std::int32_t));
#else
    SLOT("config.set_max_aux_streams", apiv::VBuilderConfig, void, setMaxAuxStreams, (std::int32_t));
#endif
#if !V8
    SLOT("config.set_progress_monitor", apiv::VBuilderConfig, void, setProgressMonitor, (IProgressMonitor*));
#endif

    SLOT("timing_cache.serialize", apiv::VTimingCache, IHostMemory*, serialize, () const);
    SLOT("timing_cache.combine", apiv::VTimingCache, bool, combine, (ITimingCache const&, bool));

    SLOT("profile.set_dimensions", apiv::VOptimizationProfile, bool, setDimensions,
        (char const*, OptProfileSelector, DimsArg));
    SLOT("profile.get_dimensions", apiv::VOptimizationProfile, Dims, getDimensions,
        (char const*, OptProfileSelector) const);
    SLOT("profile.is_valid", apiv::VOptimizationProfile, bool, isValid, () const);

    SLOT("network.nb_layers", apiv::VNetworkDefinition, std::int32_t, getNbLayers, () const);
    SLOT("network.layer", apiv::VNetworkDefinition, ILayer*, getLayer, (std::int32_t) const);
    SLOT("network.nb_inputs", apiv::VNetworkDefinition, std::int32_t, getNbInputs, () const);
    SLOT("network.input", apiv::VNetworkDefinition, ITensor*, getInput, (std::int32_t) const);
    SLOT("network.nb_outputs", apiv::VNetworkDefinition, std::int32_t, getNbOutputs, () const);
    SLOT("network.output", apiv::VNetworkDefinition, ITensor*, getOutput, (std::int32_t) const);
    SLOT("network.set_name", apiv::VNetworkDefinition, void, setName, (char const*));

    SLOT("layer.name", apiv::VLayer, char const*, getName, () const);
    SLOT("tensor.name", apiv::VTensor, char const*, getName, () const);
    SLOT("tensor.dimensions", apiv::VTensor, Dims, getDimensions, () const);
    SLOT("tensor.dtype", apiv::VTensor, DataType, getType, () const);
    SLOT("tensor.is_shape_tensor", apiv::VTensor, bool, isShapeTensor, () const);

    SLOT("host_memory.data", apiv::VHostMemory, void*, data, () const);
    SLOT("host_memory.size", apiv::VHostMemory, std::size_t, size, () const);

    // Objects of ours that TensorRT calls.
    SLOT("logger.log", ILogger, void, log, (ILogger::Severity, char const*));
#if V11
    SLOT("logger.api_language", ILogger, APILanguage, getAPILanguage, () const);
    SLOT("logger.interface_info", ILogger, InterfaceInfo, getInterfaceInfo, () const);
#endif
#if !V8
    put("interface_info.size", sizeof(InterfaceInfo));
    put("interface_info.as_in_c",
        std::is_trivially_copyable<InterfaceInfo>::value && std::is_standard_layout<InterfaceInfo>::value);
    SLOT("progress.api_language", IProgressMonitor, APILanguage, getAPILanguage, () const);
    SLOT("progress.interface_info", IProgressMonitor, InterfaceInfo, getInterfaceInfo, () const);
    SLOT("progress.phase_start", IProgressMonitor, void, phaseStart, (char const*, char const*, std::int32_t));
    SLOT("progress.step_complete", IProgressMonitor, bool, stepComplete, (char const*, std::int32_t));
    SLOT("progress.phase_finish", IProgressMonitor, void, phaseFinish, (char const*));
#endif

    IMPL_AT("impl_at.runtime", IRuntime, mImpl);
    IMPL_AT("impl_at.engine", ICudaEngine, mImpl);
    IMPL_AT("impl_at.inspector", IEngineInspector, mImpl);
    IMPL_AT("impl_at.context", IExecutionContext, mImpl);
    IMPL_AT("impl_at.builder", IBuilder, mImpl);
    IMPL_AT("impl_at.config", IBuilderConfig, mImpl);
    IMPL_AT("impl_at.timing_cache", ITimingCache, mImpl);
    IMPL_AT("impl_at.profile", IOptimizationProfile, mImpl);
    IMPL_AT("impl_at.network", INetworkDefinition, mImpl);
    IMPL_AT("impl_at.layer", ILayer, mLayer);
    IMPL_AT("impl_at.tensor", ITensor, mImpl);
    IMPL_AT("impl_at.host_memory", IHostMemory, mImpl);

    DESTROY_AT_1("destroy.runtime", IRuntime);
    DESTROY_AT_1("destroy.engine", ICudaEngine);
    DESTROY_AT_1("destroy.inspector", IEngineInspector);
    DESTROY_AT_1("destroy.context", IExecutionContext);
    DESTROY_AT_1("destroy.builder", IBuilder);
    DESTROY_AT_1("destroy.config", IBuilderConfig);
    DESTROY_AT_1("destroy.timing_cache", ITimingCache);
    DESTROY_AT_1("destroy.network", INetworkDefinition);
    DESTROY_AT_1("destroy.host_memory", IHostMemory);

#ifdef HAVE_PARSER
    using nvonnxparser::IParser;
    using nvonnxparser::IParserError;
    SLOT("parser.parse", IParser, bool, parse, (void const*, std::size_t, char const*));
    SLOT("parser.parse_from_file", IParser, bool, parseFromFile, (char const*, int));
    SLOT("parser.nb_errors", IParser, int, getNbErrors, () const);
    SLOT("parser.error", IParser, IParserError const*, getError, (int) const);
    SLOT("parser.clear_errors", IParser, void, clearErrors, ());
    {
        // The class is abstract, so its destructors cannot be called; they are the two slots
        // between the functions declared before and after them.
        void (IParser::*before)() = &IParser::clearErrors;
        char const* const* (IParser::*after)(std::int64_t&) const = &IParser::getUsedVCPluginLibraries;
        put("parser.destroy", slotOf(after) - slotOf(before) == 3 ? slotOf(after) - 1 : -1);
    }
    SLOT("parser_error.code", IParserError, nvonnxparser::ErrorCode, code, () const);
    SLOT("parser_error.desc", IParserError, char const*, desc, () const);
    SLOT("parser_error.node", IParserError, int, node, () const);
#if !V8
    SLOT("parser_error.node_name", IParserError, char const*, nodeName, () const);
    SLOT("parser_error.node_operator", IParserError, char const*, nodeOperator, () const);
#endif
#endif

#if !V11
    put("flag.fp16", static_cast<long>(BuilderFlag::kFP16));
#endif
    put("flag.gpu_fallback", static_cast<long>(BuilderFlag::kGPU_FALLBACK));
    put("flag.disable_timing_cache", static_cast<long>(BuilderFlag::kDISABLE_TIMING_CACHE));
    put("flag.tf32", static_cast<long>(BuilderFlag::kTF32));
    put("flag.version_compatible", static_cast<long>(BuilderFlag::kVERSION_COMPATIBLE));
    put("flag.exclude_lean_runtime", static_cast<long>(BuilderFlag::kEXCLUDE_LEAN_RUNTIME));
#if !V11
    put("network_flag.explicit_batch", static_cast<long>(NetworkDefinitionCreationFlag::kEXPLICIT_BATCH));
#endif
#if !V8
    put("network_flag.strongly_typed", static_cast<long>(NetworkDefinitionCreationFlag::kSTRONGLY_TYPED));
#endif

    put("const.pool_workspace", static_cast<long>(MemoryPoolType::kWORKSPACE));
    put("const.device_gpu", static_cast<long>(DeviceType::kGPU));
    put("const.device_dla", static_cast<long>(DeviceType::kDLA));
    put("const.profile_min", static_cast<long>(OptProfileSelector::kMIN));
    put("const.profile_opt", static_cast<long>(OptProfileSelector::kOPT));
    put("const.profile_max", static_cast<long>(OptProfileSelector::kMAX));
    put("const.io_input", static_cast<long>(TensorIOMode::kINPUT));
    put("const.io_output", static_cast<long>(TensorIOMode::kOUTPUT));
    put("const.location_device", static_cast<long>(TensorLocation::kDEVICE));
    put("const.location_host", static_cast<long>(TensorLocation::kHOST));
    put("const.format_linear", static_cast<long>(TensorFormat::kLINEAR));
    put("const.layer_information_json", static_cast<long>(LayerInformationFormat::kJSON));
    put("const.profiling_detailed", static_cast<long>(ProfilingVerbosity::kDETAILED));
    put("const.hardware_ampere_plus", static_cast<long>(HardwareCompatibilityLevel::kAMPERE_PLUS));
#if !V8
    put("const.context_static", static_cast<long>(ExecutionContextAllocationStrategy::kSTATIC));
    put("const.dtype_bf16", static_cast<long>(DataType::kBF16));
    put("const.dtype_i64", static_cast<long>(DataType::kINT64));
#endif
    put("const.dtype_f32", static_cast<long>(DataType::kFLOAT));
    put("const.dtype_f16", static_cast<long>(DataType::kHALF));
    put("const.dtype_i8", static_cast<long>(DataType::kINT8));
    put("const.dtype_i32", static_cast<long>(DataType::kINT32));
    put("const.dtype_bool", static_cast<long>(DataType::kBOOL));
    put("const.dtype_u8", static_cast<long>(DataType::kUINT8));
    put("const.dtype_fp8", static_cast<long>(DataType::kFP8));
    put("const.severity_internal_error", static_cast<long>(ILogger::Severity::kINTERNAL_ERROR));
    put("const.severity_error", static_cast<long>(ILogger::Severity::kERROR));
    put("const.severity_warning", static_cast<long>(ILogger::Severity::kWARNING));
    put("const.severity_info", static_cast<long>(ILogger::Severity::kINFO));
    put("const.severity_verbose", static_cast<long>(ILogger::Severity::kVERBOSE));
    return 0;
}
