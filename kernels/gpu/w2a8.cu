// Ternary weights times int8 activations with exact int32 sums, on the i2_s bytes as they are stored.
//
// One warp computes one row of weights for TOKENS rows of activations. A lane takes 16 bytes of weights
// at a time: the lower or upper half of a 32-byte block, 64 columns. Byte p of a block holds the columns
// p, p + 32, p + 64 and p + 96 at the bits 7:6, 5:4, 3:2 and 1:0, so in a 32-bit word of weights
//
//     (word >> (6 - 2 * field)) & 0x03030303
//
// is four codes of four neighbouring columns, ready for a dot product with one 32-bit word of
// activations. A code is one more than its weight; the sum of the activations is subtracted at the end.
//
// Launch: block (32, rows a block), grid (ceil(rows / rows a block), ceil(batch / TOKENS)).
// weights (rows, cols / 4) and q (batch, cols) lie on 16-byte boundaries; cols is a multiple of 128.
// sums (batch) is the sum of each row of q; products is (batch, rows).

constexpr unsigned FULL_WARP = 0xffffffffu;
constexpr unsigned LOW_BITS = 0x03030303u;

__device__ __forceinline__ int dot16(uint4 weights, int shift, uint4 q, int sum) {
    sum = __dp4a((int)((weights.x >> shift) & LOW_BITS), (int)q.x, sum);
    sum = __dp4a((int)((weights.y >> shift) & LOW_BITS), (int)q.y, sum);
    sum = __dp4a((int)((weights.z >> shift) & LOW_BITS), (int)q.z, sum);
    return __dp4a((int)((weights.w >> shift) & LOW_BITS), (int)q.w, sum);
}

template <int TOKENS>
__device__ __forceinline__ void w2a8(const uint4* weights, const uint4* q, const int* sums, int* products,
                                     int rows, int cols, int batch) {
    const int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;  // the whole warp leaves: a warp is one row
    const int first = blockIdx.y * TOKENS;
    const int pieces = cols / 64;      // of 16 bytes in a row of weights
    const int q_pieces = cols / 16;    // of 16 columns in a row of activations
    const uint4* row_weights = weights + (size_t)row * pieces;

    int acc[TOKENS] = {};
    for (int piece = threadIdx.x; piece < pieces; piece += 32) {
        const uint4 w = row_weights[piece];
        const int block = piece / 2, half = piece % 2;
#pragma unroll
        for (int token = 0; token < TOKENS; ++token) {
            if (first + token >= batch) break;
            const uint4* x = q + (size_t)(first + token) * q_pieces + block * 8 + half;
#pragma unroll
            for (int field = 0; field < 4; ++field) acc[token] = dot16(w, 6 - 2 * field, x[2 * field], acc[token]);
        }
    }

#pragma unroll
    for (int token = 0; token < TOKENS; ++token) {
        for (int lanes = 16; lanes > 0; lanes /= 2) acc[token] += __shfl_xor_sync(FULL_WARP, acc[token], lanes);
        if (threadIdx.x == 0 && first + token < batch)
            products[(size_t)(first + token) * rows + row] = acc[token] - sums[first + token];
    }
}

extern "C" __global__ void w2a8_gemv(const uint4* weights, const uint4* q, const int* sums, int* products,
                                     int rows, int cols, int batch) {
    w2a8<1>(weights, q, sums, products, rows, cols, batch);
}

extern "C" __global__ void w2a8_gemm(const uint4* weights, const uint4* q, const int* sums, int* products,
                                     int rows, int cols, int batch) {
    w2a8<8>(weights, q, sums, products, rows, cols, batch);
}
