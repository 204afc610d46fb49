// A stand-in for the CUDA driver whose device is the host: memory, streams, graphs, and the kernels of
// preprocess.cu compiled for the host. Checks what a driver would not forgive, and fails on demand.
//
// Keys (fake_set / fake_get): what to play and what was counted.
//   devices, compute (87 = sm_87), integrated, no-map      the device
//   deferred        work runs when the stream is waited for, not when it is put onto it
//   memory-left     bytes until allocations are refused (-1: endless)
//   fail-in, fail-code   the call after that many answers this number, once
//   lost            every call answers this number until the context is reset
//   lost-for-good   the reset does not help
//   no-capture, capture-breaks, graph-forgets   ways in which graphs fail
//   no-ptx, no-cubin   images are refused
//   init            what cuInit answers (803: driver and kernel module differ)
//   set-flags       what setting the primary context's flags answers (708: it exists already)
//   context-flags   how the primary context waits (4: asleep)
//   live            objects that were made and not destroyed
//   violations      copies outside of allocations, destroyed twice, memory freed under work
//   calls, launches, graph-launches, uploaded
//   pending, done   work on the stream that waits, and that ran
// A test of another process writes lines `key value` into the file that SONOFUSE_STAND_IN names; they
// are set each time the file's text changes.
#include "host.h"
#include "preprocess.cu"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

typedef std::function<void()> Work;
typedef std::vector<Work> Works;
typedef void* Handle;

static std::recursive_mutex mutex;
static std::map<std::string, long long> keys;
static std::map<u64, size_t> memory;   // device and pinned, by address
static std::set<Handle> objects;       // streams, events, modules, graphs, executable graphs
static Works queue;
static u64 queued = 0, done = 0;         // how much work was put onto the stream, and how much ran
static std::map<Handle, u64> recorded;   // how much was queued before each event
static Works* recording = nullptr;
static int retained = 0;
static thread_local int current = 0;

typedef std::lock_guard<std::recursive_mutex> Lock;

extern "C" void fake_set(const char* key, long long value) { Lock lock(mutex); keys[key] = value; }
extern "C" long long fake_get(const char* key) {
    Lock lock(mutex);
    if (!strcmp(key, "pending")) return (long long)queue.size();
    if (!strcmp(key, "done")) return (long long)done;
    if (!strcmp(key, "live")) return (long long)(memory.size() + objects.size()) + retained;
    return keys.count(key) ? keys[key] : 0;
}

// Whether this thread has a context: asked by the stand-in of TensorRT.
extern "C" int fake_current() { return current; }

static long long get(const char* key) { auto it = keys.find(key); return it == keys.end() ? 0 : it->second; }
static void violation(const char* what) {
    ++keys["violations"];
    fprintf(stderr, "stand-in driver: %s\n", what);
}

static void read_settings() {
    static const char* path = getenv("SONOFUSE_STAND_IN");
    static std::string before;
    FILE* file = path ? fopen(path, "r") : nullptr;
    if (!file) return;
    char text[4096];
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[size] = 0;
    if (before == text) return;
    before = text;
    char key[64];
    long long value;
    int used;
    for (const char* at = text; sscanf(at, "%63s %lld%n", key, &value, &used) == 2; at += used) keys[key] = value;
}

// Every call but those of errors passes here.
static int enter(bool needs_context = true) {
    read_settings();
    ++keys["calls"];
    if (get("lost")) return (int)get("lost");
    auto it = keys.find("fail-in");
    if (it != keys.end() && it->second >= 0 && it->second-- == 0) {
        int code = (int)get("fail-code");
        if (code == 700 || code == 719) keys["lost"] = code;
        return code;
    }
    if (needs_context && !current) return 201;
    return 0;
}
static bool initialised = false;
#define NEEDS_INIT if (!initialised) return 3
#define ENTER(...) Lock lock(mutex); if (int code = enter(__VA_ARGS__)) return code

static bool inside(u64 address, size_t bytes) {
    auto it = memory.upper_bound(address);
    if (it == memory.begin()) return false;
    --it;
    return address + bytes <= it->first + it->second;
}

static void put(Work work) {
    if (recording) { recording->push_back(work); return; }
    ++queued;
    if (get("deferred")) queue.push_back(work);
    else { ++done; work(); }
}
// Runs what was queued before `until`, and no more.
static int drain(u64 until = ~0ull) {
    Works works;
    size_t count = until <= done ? 0 : until - done < queue.size() ? until - done : queue.size();
    works.assign(queue.begin(), queue.begin() + count);
    queue.erase(queue.begin(), queue.begin() + count);
    done += count;
    for (auto& work : works) work();
    return (int)get("lost");
}

extern "C" {
int cuInit(unsigned) {
    ENTER(false);
    if (get("init")) return (int)get("init");
    initialised = true;
    return 0;
}
int cuDriverGetVersion(int* v) { ENTER(false); *v = keys.count("driver") ? (int)get("driver") : 12020; return 0; }
int cuGetErrorName(int code, const char** text) {
    *text = code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : code == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : nullptr;
    return *text ? 0 : 1;
}
int cuGetErrorString(int code, const char** text) {
    *text = code == 700 ? "an illegal memory access was encountered" : nullptr;
    return *text ? 0 : 1;
}
int cuDeviceGetCount(int* n) { ENTER(false); NEEDS_INIT; *n = keys.count("devices") ? (int)get("devices") : 1; return 0; }
int cuDeviceGet(int* device, int index) { ENTER(false); NEEDS_INIT; *device = index; return 0; }
int cuDeviceGetName(char* name, int size, int) { ENTER(false); snprintf(name, size, "Stand-in of the tests"); return 0; }
int cuDeviceTotalMem_v2(size_t* bytes, int) { ENTER(false); *bytes = (size_t)8 << 30; return 0; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
    ENTER(false);
    int compute = keys.count("compute") ? (int)get("compute") : 80;
    switch (attribute) {
        case 75: *value = compute / 10; return 0;
        case 76: *value = compute % 10; return 0;
        case 16: *value = 8; return 0;
        case 18: *value = (int)get("integrated"); return 0;
        case 19: *value = !get("no-map"); return 0;
    }
    return 1;
}
int cuDevicePrimaryCtxSetFlags_v2(int, unsigned flags) {
    ENTER(false);
    if (get("set-flags")) return (int)get("set-flags");
    keys["context-flags"] = flags;
    return 0;
}
int cuDevicePrimaryCtxRetain(Handle* context, int) { ENTER(false); NEEDS_INIT; ++retained; *context = &retained; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) {
    Lock lock(mutex);
    if (retained-- <= 0) violation("a context was released twice");
    return 0;
}
int cuDevicePrimaryCtxReset_v2(int) {
    Lock lock(mutex);
    ++keys["resets"];
    if (get("lost-for-good")) return (int)get("lost");
    if (!get("lost")) violation("a context that works was reset");
    for (auto& entry : memory) free((void*)(uintptr_t)entry.first);
    for (auto object : objects) free(object);
    memory.clear();
    objects.clear();
    queue.clear();
    recorded.clear();
    done = queued;
    keys["lost"] = 0;
    return 0;
}
int cuCtxSetCurrent(Handle context) { ENTER(false); current = context == &retained; return 0; }
int cuMemGetInfo_v2(size_t* free, size_t* total) {
    ENTER();
    *total = (size_t)8 << 30;
    *free = keys.count("memory-left") && get("memory-left") >= 0 ? (size_t)get("memory-left") : *total;
    return 0;
}
static int allocate(u64* address, size_t bytes) {
    auto left = keys.find("memory-left");
    if (left != keys.end() && left->second >= 0) {
        if ((long long)bytes > left->second) return 2;
        left->second -= bytes;
    }
    void* block = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(block, 0xCD, bytes);
    *address = (u64)(uintptr_t)block;
    memory[*address] = bytes;
    return 0;
}
static int release(u64 address) {
    // A lost device frees nothing; the reset does.
    if (get("lost")) return (int)get("lost");
    if (!queue.empty()) violation("memory was freed under work that nobody waited for");
    drain();
    auto it = memory.find(address);
    if (it == memory.end()) { violation("freed what was not allocated"); return 1; }
    auto left = keys.find("memory-left");
    if (left != keys.end() && left->second >= 0) left->second += it->second;
    // What still reads it must not find the old values.
    memset((void*)(uintptr_t)address, 0xDD, it->second);
    free((void*)(uintptr_t)address);
    memory.erase(it);
    return 0;
}
int cuMemAlloc_v2(u64* address, size_t bytes) { ENTER(); return allocate(address, bytes); }
int cuMemFree_v2(u64 address) { Lock lock(mutex); return release(address); }
int cuMemHostAlloc(Handle* address, size_t bytes, unsigned flags) {
    ENTER();
    if (flags != 3) violation("pinned memory must be portable and mapped");
    u64 at = 0;
    int code = allocate(&at, bytes);
    *address = (Handle)(uintptr_t)at;
    return code;
}
int cuMemFreeHost(Handle address) { Lock lock(mutex); return release((u64)(uintptr_t)address); }
int cuMemHostGetDevicePointer_v2(u64* address, Handle host, unsigned) {
    ENTER();
    if (get("no-map")) return 801;
    *address = (u64)(uintptr_t)host;
    return 0;
}
int cuMemcpyHtoDAsync_v2(u64 to, const void* from, size_t bytes, Handle) {
    ENTER();
    if (!inside(to, bytes) || !inside((u64)(uintptr_t)from, bytes)) violation("an upload leaves its memory");
    keys["uploaded"] += bytes;
    put([=] { memcpy((void*)(uintptr_t)to, from, bytes); });
    return 0;
}
int cuMemcpyDtoHAsync_v2(Handle to, u64 from, size_t bytes, Handle) {
    ENTER();
    if (!inside(from, bytes) || !inside((u64)(uintptr_t)to, bytes)) violation("a download leaves its memory");
    put([=] { memcpy(to, (void*)(uintptr_t)from, bytes); });
    return 0;
}
struct Copy2d {
    size_t src_x, src_y; unsigned src_type; const void* src_host; u64 src_device; Handle src_array; size_t src_pitch;
    size_t dst_x, dst_y; unsigned dst_type; Handle dst_host; u64 dst_device; Handle dst_array; size_t dst_pitch;
    size_t width, height;
};
int cuMemcpy2DAsync_v2(const Copy2d* given, Handle) {
    ENTER();
    Copy2d copy = *given;
    if (copy.src_type != 1 || copy.dst_type != 2 || copy.src_x || copy.src_y || copy.dst_x || copy.dst_y ||
        copy.src_pitch < copy.width || copy.dst_pitch < copy.width)
        violation("a rectangle that is none");
    if (!inside(copy.dst_device, copy.dst_pitch * (copy.height - 1) + copy.width)) violation("a rectangle leaves its memory");
    keys["uploaded"] += copy.width * copy.height;
    put([=] {
        for (size_t y = 0; y < copy.height; ++y)
            memcpy((char*)(uintptr_t)copy.dst_device + y * copy.dst_pitch, (const char*)copy.src_host + y * copy.src_pitch, copy.width);
    });
    return 0;
}
int cuMemsetD8Async(u64 to, unsigned char byte, size_t bytes, Handle) {
    ENTER();
    if (!inside(to, bytes)) violation("a fill leaves its memory");
    put([=] { memset((void*)(uintptr_t)to, byte, bytes); });
    return 0;
}

static int make(Handle* handle) { *handle = malloc(8); objects.insert(*handle); return 0; }
static int destroy(Handle handle) {
    if (get("lost")) return (int)get("lost");
    if (!objects.erase(handle)) { violation("destroyed what does not exist"); return 400; }
    free(handle);
    return 0;
}
int cuStreamCreate(Handle* stream, unsigned flags) {
    ENTER();
    if (flags != 1) violation("the stream must not wait for the default stream");
    return make(stream);
}
int cuStreamDestroy_v2(Handle stream) { Lock lock(mutex); drain(); return destroy(stream); }
int cuStreamSynchronize(Handle) {
    ENTER();
    if (recording) { violation("waited while capturing"); return 900; }
    return drain();
}
int cuStreamBeginCapture_v2(Handle, unsigned mode) {
    ENTER();
    if (mode != 1) violation("capture must be thread-local");
    if (get("no-capture")) return 900;
    recording = new Works;
    return 0;
}
static std::map<Handle, Works> graphs;
int cuStreamEndCapture(Handle, Handle* graph) {
    Lock lock(mutex);
    *graph = nullptr;
    if (!recording) return 903;
    Works works;
    works.swap(*recording);
    delete recording;
    recording = nullptr;
    if (int code = enter()) return code;
    if (get("capture-breaks")) return 901;
    make(graph);
    if (get("graph-forgets") && works.size() > 1) works.erase(works.begin() + 1);
    graphs[*graph] = works;
    return 0;
}
int cuGraphInstantiateWithFlags(Handle* executable, Handle graph, unsigned long long) {
    ENTER();
    make(executable);
    graphs[*executable] = graphs[graph];
    return 0;
}
int cuGraphLaunch(Handle executable, Handle) {
    ENTER();
    ++keys["graph-launches"];
    auto it = graphs.find(executable);
    if (it == graphs.end() || !objects.count(executable)) { violation("launched what is no graph"); return 400; }
    for (auto& work : it->second) put(work);
    return 0;
}
int cuGraphExecDestroy(Handle executable) { Lock lock(mutex); graphs.erase(executable); return destroy(executable); }
int cuGraphDestroy(Handle graph) { Lock lock(mutex); graphs.erase(graph); return destroy(graph); }
int cuEventCreate(Handle* event, unsigned flags) {
    ENTER();
    if (flags != 1) violation("who waits for an event must sleep, and it must take times");
    return make(event);
}
int cuEventDestroy_v2(Handle event) { Lock lock(mutex); recorded.erase(event); return destroy(event); }
int cuEventRecord(Handle event, Handle) {
    ENTER();
    if (recording) violation("an event was recorded in a graph");
    recorded[event] = queued;
    return 0;
}
// Waits for what came before the record, not for more; one that was never recorded is done.
int cuEventSynchronize(Handle event) { ENTER(); return drain(recorded.count(event) ? recorded[event] : 0); }
int cuEventElapsedTime(float* ms, Handle, Handle) { ENTER(); *ms = 0.25f; return 0; }

int cuModuleLoadData(Handle* module, const void* image) {
    ENTER();
    bool elf = !memcmp(image, "\177ELF", 4);
    if (elf && get("no-cubin")) return 209;
    if (!elf && (get("no-ptx") || !strstr((const char*)image, ".version 8.2"))) return 218;
    // PTX for a newer architecture than the device's is no PTX for it; machine code fits its own only.
    int compute = keys.count("compute") ? (int)get("compute") : 80;
    const char* target = elf ? nullptr : strstr((const char*)image, ".target sm_");
    if (!elf && (!target || atoi(target + 11) > compute)) return 218;
    if (elf && ((const unsigned char*)image)[48] != compute) return 209;
    ++keys[elf ? "cubins" : "ptxs"];
    return make(module);
}
int cuModuleUnload(Handle module) { Lock lock(mutex); return destroy(module); }
int cuModuleGetFunction(Handle* function, Handle, const char* name) {
    ENTER();
    static const char* names[] = {"sonofuse_preprocess", "sonofuse_statistics", "sonofuse_check_mean", "sonofuse_check_fault"};
    for (auto& known : names)
        if (!strcmp(known, name)) { *function = (Handle)&known; return 0; }
    return 500;
}
int cuLaunchKernel(Handle function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned, Handle, void** arguments, void**) {
    ENTER();
    ++keys["launches"];
    std::string name = *(const char**)function;
    u64 first = *(u64*)arguments[0], second = name == "sonofuse_check_mean" ? *(u64*)arguments[1] : 0;
    HostIndex grid = {gx, gy, gz}, block = {bx, by, bz};
    if (bx * by * bz > 1024 || bz > 64) violation("a block is too large");
    put([=] {
        if (name == "sonofuse_check_fault") { keys["lost"] = 700; return; }
        const Params* params = (const Params*)(uintptr_t)first;
        if (!inside(first, sizeof(Params))) { violation("parameters outside of memory"); return; }
        for (const View& v : params->view) {
            size_t floats = (size_t)3 * v.out_size[0] * v.out_size[1];
            if (!inside(v.out, floats * 4)) { violation("an input outside of memory"); return; }
            if (name != "sonofuse_preprocess") continue;
            for (int axis = 0; axis < 2; ++axis)
                if (!inside(v.first[axis], v.out_size[axis] * 4) || !inside(v.weights[axis], v.out_size[axis] * v.taps[axis] * 4))
                    violation("a table outside of memory");
            for (u64 plane : v.plane)
                if (plane && !inside(plane, 1)) violation("a plane outside of memory");
        }
        if (name == "sonofuse_preprocess") host_launch(grid, block, [&] { sonofuse_preprocess(params); });
        else if (name == "sonofuse_statistics") host_launch(grid, block, [&] { sonofuse_statistics(params); });
        else host_launch(grid, block, [&] { sonofuse_check_mean(params, (float*)(uintptr_t)second); });
    });
    return 0;
}
}
