// Activations to int8, a block a token.
//
// Launch: block (256), grid (batch), shared memory 32 bytes. x and q are (batch, cols); scales and sums (batch).
#include "block.cuh"
#include "quantize.cuh"

extern "C" __global__ void quantize_rows(const float* __restrict__ x, signed char* __restrict__ q,
                                         float* __restrict__ scales, int* __restrict__ sums, int cols) {
    const size_t row = (size_t)blockIdx.x * cols;
    quantize_row(x + row, q + row, scales + blockIdx.x, sums + blockIdx.x, cols);
}

// The sums of tokens that come quantized.
extern "C" __global__ void sum_rows(const signed char* __restrict__ q, int* __restrict__ sums, int cols) {
    int sum = 0;
#pragma unroll 4
    for (int i = threadIdx.x; i < cols; i += THREADS) sum += q[(size_t)blockIdx.x * cols + i];
    sum = over_block(sum, [](int a, int b) { return a + b; });
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
