// What the network sees, on the GPU: the two crops of a frame, converted, resampled, normalised, in
// one launch; and the statistics of the result.
//
// The definition is crates/core/src/preprocess.rs; this text computes the same numbers in the same
// order. Plain CUDA C without an include: NVRTC compiles it for the device, the host's C++ compiler
// compiles the same text for the tests (host.h). No barrier, no shared memory, no atomics: a thread
// depends on no other. Compiled without contraction to fused multiply-add, so that every operation
// rounds as on the CPU.
//
// `Params` has its twin in src/params.rs; a test compares the two.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// PixelFormat, by its place in PixelFormat::ALL.
enum { NV12 = 0, I420 = 1, YUY2 = 2, UYVY = 3, BGRX = 4, RGB = 5, GRAY8 = 6 };

struct View {
    u64 plane[3];    // the crop's bytes of each plane, from its first (chroma) column and row
    u64 first[2];    // u32: for each output column/row, its first source pixel
    u64 weights[2];  // float: for each output column/row, `taps` weights
    u64 out;         // float: 3 × out_size[1] × out_size[0]
    u32 stride[3];   // bytes from row to row of each plane
    u32 taps[2];     // weights of one output, across and down
    u32 odd[2];      // 1 where the crop begins in the second column/row of a chroma block
    u32 out_size[2]; // width, height
    u32 format;
    u32 backward;    // 1: channels leave as B, G, R
    int yuv[6];      // 16.16: y offset, y gain, Cr→R, Cb→G, Cr→G, Cb→B
    float mean[3];   // in the order of the channels that leave
    float inv[3];    // 1 / std
    u32 reserved;
};

struct Params {
    View view[2];    // B-mode, elastogram
    u64 sums;        // double: 2 views × 3 channels × rows × (sum, sum of squares); 0: not wanted
};

__device__ static inline float clip8(int v) {
    v >>= 16;
    return (float)(v < 0 ? 0 : v > 255 ? 255 : v);
}

// The R'G'B' of one pixel of the crop, 0..=255. Chroma is replicated, as in Frame::rgb_span.
__device__ static inline void pixel(const View* v, u32 x, u32 y, float rgb[3]) {
    const u8* p0 = (const u8*)v->plane[0];
    if (v->format >= BGRX) {
        const u8* row = p0 + (size_t)y * v->stride[0];
        if (v->format == GRAY8) {
            rgb[0] = rgb[1] = rgb[2] = (float)row[x];
        } else if (v->format == RGB) {
            row += 3 * x;
            rgb[0] = (float)row[0]; rgb[1] = (float)row[1]; rgb[2] = (float)row[2];
        } else {
            row += 4 * x;
            rgb[0] = (float)row[2]; rgb[1] = (float)row[1]; rgb[2] = (float)row[0];
        }
        return;
    }
    int luma, cb, cr;
    u32 cx = (x + v->odd[0]) >> 1;
    if (v->format == NV12) {
        const u8* c = (const u8*)v->plane[1] + (size_t)((y + v->odd[1]) >> 1) * v->stride[1] + 2 * cx;
        luma = p0[(size_t)y * v->stride[0] + x];
        cb = c[0];
        cr = c[1];
    } else if (v->format == I420) {
        size_t cy = (y + v->odd[1]) >> 1;
        luma = p0[(size_t)y * v->stride[0] + x];
        cb = ((const u8*)v->plane[1])[cy * v->stride[1] + cx];
        cr = ((const u8*)v->plane[2])[cy * v->stride[2] + cx];
    } else {
        const u8* row = p0 + (size_t)y * v->stride[0];
        u32 l = v->format == YUY2 ? 0 : 1;
        luma = row[2 * (x + v->odd[0]) + l];
        cb = row[4 * cx + (1 - l)];
        cr = row[4 * cx + (3 - l)];
    }
    int g = (luma - v->yuv[0]) * v->yuv[1] + 0x8000;
    cb -= 128;
    cr -= 128;
    rgb[0] = clip8(g + v->yuv[2] * cr);
    rgb[1] = clip8(g + v->yuv[3] * cb + v->yuv[4] * cr);
    rgb[2] = clip8(g + v->yuv[5] * cb);
}

// Grid: columns, rows, 2 views. Every output number is the sum over source rows of (the sum over
// source columns), each in rising order from 0: the reference's two passes, without its scratch.
extern "C" __global__ void sonofuse_preprocess(const Params* params) {
    const View* v = &params->view[blockIdx.z];
    u32 x = blockIdx.x * blockDim.x + threadIdx.x;
    u32 y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= v->out_size[0] || y >= v->out_size[1]) return;
    const float* wx = (const float*)v->weights[0] + (size_t)x * v->taps[0];
    const float* wy = (const float*)v->weights[1] + (size_t)y * v->taps[1];
    u32 x0 = ((const u32*)v->first[0])[x];
    u32 y0 = ((const u32*)v->first[1])[y];
    float sum[3] = {0.0f, 0.0f, 0.0f};
    for (u32 j = 0; j < v->taps[1]; ++j) {
        float across[3] = {0.0f, 0.0f, 0.0f};
        for (u32 i = 0; i < v->taps[0]; ++i) {
            float w = wx[i];
            // A tent's table may end in zeros; adding 0 · code would change nothing.
            if (w == 0.0f) continue;
            float rgb[3];
            pixel(v, x0 + i, y0 + j, rgb);
            for (int c = 0; c < 3; ++c) across[c] += w * rgb[c];
        }
        for (int c = 0; c < 3; ++c) sum[c] += wy[j] * across[c];
    }
    float* out = (float*)v->out;
    size_t plane = (size_t)v->out_size[0] * v->out_size[1];
    size_t at = (size_t)y * v->out_size[0] + x;
    for (int c = 0; c < 3; ++c) {
        float code = sum[v->backward ? 2 - c : c];
        out[c * plane + at] = (code - v->mean[c]) * v->inv[c];
    }
}

// Sum and sum of squares of each row of each channel of both inputs; the host adds the rows. Grid:
// rows, 3 channels, 2 views.
extern "C" __global__ void sonofuse_statistics(const Params* params) {
    const View* v = &params->view[blockIdx.z];
    u32 y = blockIdx.x * blockDim.x + threadIdx.x;
    u32 channel = blockIdx.y;
    u32 width = v->out_size[0], height = v->out_size[1];
    if (y >= height) return;
    const float* row = (const float*)v->out + ((size_t)channel * height + y) * width;
    double sum = 0.0, squares = 0.0;
    for (u32 x = 0; x < width; ++x) {
        double value = row[x];
        sum += value;
        squares += value * value;
    }
    double* to = (double*)params->sums + 2 * (((size_t)blockIdx.z * 3 + channel) * height + y);
    to[0] = sum;
    to[1] = squares;
}

// A network for checks on machines without TensorRT: the mean of everything that it is fed, once of
// each input. One thread; slow, and no part of the product's way.
extern "C" __global__ void sonofuse_check_mean(const Params* params, float* answer) {
    u32 z = threadIdx.x;
    if (blockIdx.x != 0 || z >= 2) return;
    const View* v = &params->view[z];
    size_t n = (size_t)3 * v->out_size[0] * v->out_size[1];
    const float* in = (const float*)v->out;
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i) sum += in[i];
    answer[z] = (float)(sum / (double)n);
}

// Writes to the address that it is given: a check that survives a lost device gives one that nobody
// owns.
extern "C" __global__ void sonofuse_check_fault(int* address) {
    *(volatile int*)address = 1;
}
