// Runs the kernels on the host: reads jobs from standard input, writes results to standard output.
// Job: u32 upload bytes, width, height; the upload, whose addresses are offsets from its start.
// Result: 6 · width · height floats (B-mode, elastogram), 12 · height · 2 doubles.
#include "host.h"
#include "preprocess.cu"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

static bool take(void* to, size_t bytes) { return fread(to, 1, bytes, stdin) == bytes; }

int main(int argc, char** argv) {
    if (argc > 1 && !strcmp(argv[1], "layout")) {
        printf("%zu %zu %zu %zu %zu %zu %zu\n", sizeof(Params), sizeof(View), offsetof(View, out),
               offsetof(View, stride), offsetof(View, yuv), offsetof(View, inv), offsetof(Params, sums));
        return 0;
    }
    u32 job[3];
    while (take(job, sizeof job)) {
        // Exactly as long as the upload, so that reading past it is noticed.
        std::unique_ptr<void, void (*)(void*)> upload(malloc(job[0]), free);
        if (!take(upload.get(), job[0])) return 1;
        size_t plane = (size_t)job[1] * job[2];
        std::vector<float> out(6 * plane);
        std::vector<double> sums(12 * job[2] * 2);
        Params params;
        memcpy(&params, upload.get(), sizeof params);
        u64 base = (u64)(uintptr_t)upload.get();
        for (int i = 0; i < 2; ++i) {
            View& v = params.view[i];
            for (u64* p : {&v.plane[0], &v.plane[1], &v.plane[2], &v.first[0], &v.first[1], &v.weights[0], &v.weights[1]})
                *p += base;
            v.out = (u64)(uintptr_t)(out.data() + 3 * plane * i);
        }
        params.sums = (u64)(uintptr_t)sums.data();
        HostIndex block = {32, 8, 1};
        host_launch({(job[1] + 31) / 32, (job[2] + 7) / 8, 2}, block, [&] { sonofuse_preprocess(&params); });
        host_launch({(job[2] + 63) / 64, 3, 2}, {64, 1, 1}, [&] { sonofuse_statistics(&params); });
        fwrite(out.data(), 4, out.size(), stdout);
        fwrite(sums.data(), 8, sums.size(), stdout);
        fflush(stdout);
    }
}
