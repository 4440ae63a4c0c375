// The last matrix of a model: float weights with sums in lanes, int8 weights with exact ones.
//
// x (batch, cols), weights (rows, cols) -> out (batch, rows) float32.
#include "block.cuh"
#include "half.cuh"
#include "order.cuh"

// Eight neighbours from `column` on, a multiple of eight; 0 behind the end of the row.
struct Eight {
    float of[8];
};

__device__ __forceinline__ Eight eight(const float* row, int column, int cols) {
    Eight got = {};
    if (cols % 8 == 0) {
        const float4 low = *(const float4*)(row + column), high = *(const float4*)(row + column + 4);
        got = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
    } else {
        for (int i = 0; i < 8; ++i)
            if (column + i < cols) got.of[i] = row[column + i];
    }
    return got;
}

__device__ __forceinline__ Eight eight(const unsigned short* row, int column, int cols) {
    Eight got = {};
    if (cols % 8 == 0) {
        const uint4 pairs = *(const uint4*)(row + column);
        const unsigned words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
#pragma unroll
        for (int i = 0; i < 8; ++i) got.of[i] = widened((unsigned short)(words[i / 2] >> i % 2 * 16));
    } else {
        for (int i = 0; i < 8; ++i)
            if (column + i < cols) got.of[i] = widened(row[column + i]);
    }
    return got;
}

// Two threads a row, each with eight of its lanes. Launch: block (256), grid (ceil(rows / 128), ceil(batch / TOKENS)).
// Where cols is a multiple of eight, x and weights lie on 16-byte boundaries.
template <int TOKENS, typename Stored>
__device__ __forceinline__ void dense(const float* x, const Stored* weights, float* out, int rows, int cols,
                                      int batch) {
    const int row = (int)(blockIdx.x * (THREADS / 2) + threadIdx.x / 2), first = blockIdx.y * TOKENS;
    weights += (size_t)min(row, rows - 1) * cols;
    x += (size_t)first * cols;
    float acc[TOKENS][8] = {};
#pragma unroll 4
    for (int column = threadIdx.x % 2 * 8; column < cols; column += LANES) {
        const Eight weight = eight(weights, column, cols);
#pragma unroll
        for (int token = 0; token < TOKENS; ++token) {
            if (first + token >= batch) break;
            const Eight met = eight(x + (size_t)token * cols, column, cols);
#pragma unroll
            for (int i = 0; i < 8; ++i) acc[token][i] = plus(acc[token][i], __fmul_rn(weight.of[i], met.of[i]));
        }
    }
#pragma unroll
    for (int token = 0; token < TOKENS; ++token) {
        auto& sums = acc[token];
#pragma unroll
        for (int i = 0; i < 8; ++i)
            sums[i] = plus(sums[i], __int_as_float(__shfl_xor_sync(0xffffffffu, __float_as_int(sums[i]), 1)));
#pragma unroll
        for (int apart = 4; apart > 0; apart /= 2)
#pragma unroll
            for (int i = 0; i < apart; ++i) sums[i] = plus(sums[i], sums[i + apart]);
        if (threadIdx.x % 2 == 0 && row < rows && first + token < batch)
            out[(size_t)(first + token) * rows + row] = sums[0];
    }
}

extern "C" __global__ void dense_f32_1(const float* __restrict__ x, const float* __restrict__ weights,
                                       float* __restrict__ out, int rows, int cols, int batch) {
    dense<1>(x, weights, out, rows, cols, batch);
}

extern "C" __global__ void dense_f32_4(const float* __restrict__ x, const float* __restrict__ weights,
                                       float* __restrict__ out, int rows, int cols, int batch) {
    dense<4>(x, weights, out, rows, cols, batch);
}

extern "C" __global__ void dense_f16_1(const float* __restrict__ x, const unsigned short* __restrict__ weights,
                                       float* __restrict__ out, int rows, int cols, int batch) {
    dense<1>(x, weights, out, rows, cols, batch);
}

extern "C" __global__ void dense_f16_4(const float* __restrict__ x, const unsigned short* __restrict__ weights,
                                       float* __restrict__ out, int rows, int cols, int batch) {
    dense<4>(x, weights, out, rows, cols, batch);
}

// A warp a row. Launch: block (32, 8), grid (ceil(rows / 8), ceil(batch / SOME)). Where cols is a multiple of 16, q and
// weights lie on 16-byte boundaries.
constexpr int SOME = 4;
extern "C" __global__ void dense_int8(const signed char* __restrict__ q, const float* __restrict__ scales,
                                      const signed char* __restrict__ weights,
                                      const float* __restrict__ row_scales, float* __restrict__ out, int rows,
                                      int cols, int batch) {
    const int row = (int)(blockIdx.x * 8 + threadIdx.y), first = blockIdx.y * SOME;
    if (row >= rows) return;  // the whole warp
    weights += (size_t)row * cols;
    q += (size_t)first * cols;
    const int tokens = min(SOME, batch - first);
    int acc[SOME] = {};
    if (cols % 16 == 0) {
#pragma unroll 4
        for (int column = threadIdx.x * 16; column < cols; column += 512) {
            const uint4 w = *(const uint4*)(weights + column);
#pragma unroll
            for (int token = 0; token < SOME; ++token) {
                if (token >= tokens) break;
                const uint4 met = *(const uint4*)(q + (size_t)token * cols + column);
                acc[token] = __dp4a((int)w.x, (int)met.x, acc[token]);
                acc[token] = __dp4a((int)w.y, (int)met.y, acc[token]);
                acc[token] = __dp4a((int)w.z, (int)met.z, acc[token]);
                acc[token] = __dp4a((int)w.w, (int)met.w, acc[token]);
            }
        }
    } else {
        for (int column = threadIdx.x; column < cols; column += 32)
#pragma unroll
            for (int token = 0; token < SOME; ++token)
                if (token < tokens) acc[token] += weights[column] * q[(size_t)token * cols + column];
    }
#pragma unroll
    for (int token = 0; token < SOME; ++token) {
        int sum = acc[token];
        for (int apart = 16; apart > 0; apart /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, apart);
        if (threadIdx.x == 0 && token < tokens)
            out[(size_t)(first + token) * rows + row] =
                __fmul_rn(__fdiv_rn(__int2float_rn(sum), scales[first + token]), row_scales[row]);
    }
}
