// Lets the host's C++ compiler build preprocess.cu: the words of CUDA C that it uses, and a launch
// that runs one thread after another. For tests; no part of the product.
#pragma once
#include <cstddef>

#define __global__
#define __device__

struct HostIndex { unsigned x, y, z; };
static thread_local HostIndex threadIdx, blockIdx, blockDim, gridDim;

template <class Thread>
static void host_launch(HostIndex grid, HostIndex block, Thread thread) {
    gridDim = grid;
    blockDim = block;
    for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
    for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x)
    for (threadIdx.z = 0; threadIdx.z < block.z; ++threadIdx.z)
    for (threadIdx.y = 0; threadIdx.y < block.y; ++threadIdx.y)
    for (threadIdx.x = 0; threadIdx.x < block.x; ++threadIdx.x)
        thread();
}
