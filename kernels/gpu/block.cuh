// One number out of the threads of a block.

#ifndef CUDA_ON_CPU
extern __shared__ uint4 shared_memory[];
#endif

constexpr int THREADS = 256, WARPS = THREADS / 32;

// Every thread gets all threads' values joined. Needs 32 bytes of shared memory.
template <typename Join>
__device__ __forceinline__ int over_block(int value, Join join) {
    int* partial = (int*)shared_memory;
#pragma unroll
    for (int lanes = 16; lanes > 0; lanes /= 2) value = join(value, __shfl_xor_sync(0xffffffffu, value, lanes));
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;
    __syncthreads();
    value = partial[0];
#pragma unroll
    for (int warp = 1; warp < WARPS; ++warp) value = join(value, partial[warp]);
    __syncthreads();  // the next call may write
    return value;
}
