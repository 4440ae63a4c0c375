// Activations to int8, a block a token; every step rounds where the CPU's does, so the bits are the CPU's.
//
// Launch: block (256), grid (batch), shared memory 32 bytes. x and q are (batch, cols); scales and sums (batch).
#include "block.cuh"

// scale = 127 / max(|x|, 1e-5), q = round(x * scale) to even, sum = Σ q. A token that holds a NaN or an infinity
// has the scale NaN, q = 0 and a sum that no q has, so that no product of it looks like a number.
extern "C" __global__ void quantize_rows(const float* __restrict__ x, signed char* __restrict__ q,
                                         float* __restrict__ scales, int* __restrict__ sums, int cols) {
    x += (size_t)blockIdx.x * cols;
    q += (size_t)blockIdx.x * cols;

    constexpr int INFINITE = 0x7f800000;  // magnitudes compare as integers do, and NaN is above infinity
    int largest = __float_as_int(1e-5f);
#pragma unroll 4
    for (int i = threadIdx.x; i < cols; i += THREADS) largest = max(largest, __float_as_int(x[i]) & 0x7fffffff);
    largest = over_block(largest, [](int a, int b) { return max(a, b); });

    const bool finite = largest < INFINITE;
    const float scale = finite ? __fdiv_rn(127.0f, __int_as_float(largest)) : __int_as_float(0x7fc00000);
    int sum = 0;
#pragma unroll 4
    for (int i = threadIdx.x; i < cols; i += THREADS) {
        const float rounded = rintf(__fmul_rn(x[i], scale));
        const int value = finite ? (int)fminf(fmaxf(rounded, -128.0f), 127.0f) : 0;
        q[i] = (signed char)value;
        sum += value;
    }
    sum = over_block(sum, [](int a, int b) { return a + b; });
    if (threadIdx.x == 0) scales[blockIdx.x] = scale, sums[blockIdx.x] = finite ? sum : (int)0x80000000;
}

// The sums of tokens that come quantized.
extern "C" __global__ void sum_rows(const signed char* __restrict__ q, int* __restrict__ sums, int cols) {
    int sum = 0;
#pragma unroll 4
    for (int i = threadIdx.x; i < cols; i += THREADS) sum += q[(size_t)blockIdx.x * cols + i];
    sum = over_block(sum, [](int a, int b) { return a + b; });
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
