// The product where there are no tensor cores for bytes (before sm_80): a warp computes one row for eight tokens.
//
// A lane takes one piece of weights at a time, 64 columns; the lanes' sums meet by shuffles.
//
// Launch: block (32, rows a block), grid (ceil(rows / rows a block) * ceil(batch / 8), matrices).
// cols is a multiple of 128; weights and q lie on 16-byte boundaries.
#include "product.cuh"

constexpr int TOKENS = 8;
constexpr unsigned FULL_WARP = 0xffffffffu;

__device__ __forceinline__ int dot(uint4 w, int field, uint4 q, int sum) {
    sum = __dp4a((int)codes(w.x, field), (int)q.x, sum);
    sum = __dp4a((int)codes(w.y, field), (int)q.y, sum);
    sum = __dp4a((int)codes(w.z, field), (int)q.z, sum);
    return __dp4a((int)codes(w.w, field), (int)q.w, sum);
}

extern "C" __global__ void portable(PRODUCT_ARGUMENTS) {
    THIS_MATRIX;
    const int row_blocks = (rows + blockDim.y - 1) / blockDim.y;
    const int row = blockIdx.x % row_blocks * blockDim.y + threadIdx.y;
    if (row >= rows) return;  // the whole warp leaves: a warp is one row
    const int first = blockIdx.x / row_blocks * TOKENS;
    const int pieces = cols / 64, vectors = cols / 16;

    int acc[TOKENS] = {};
    for (int piece = threadIdx.x; piece < pieces; piece += 32) {
        const uint4 w = weights[(size_t)row * pieces + piece];
#pragma unroll
        for (int token = 0; token < TOKENS; ++token) {
            if (first + token >= batch) break;
            const uint4* met = q + (size_t)(first + token) * vectors + piece_columns(piece);
#pragma unroll
            for (int field = 0; field < 4; ++field) acc[token] = dot(w, field, met[2 * field], acc[token]);
        }
    }
    THIS_PRODUCT;
#pragma unroll
    for (int token = 0; token < TOKENS; ++token) {
        for (int lanes = 16; lanes > 0; lanes /= 2) acc[token] += __shfl_xor_sync(FULL_WARP, acc[token], lanes);
        if (threadIdx.x == 0) product.store(row, first + token, acc[token]);
    }
}
