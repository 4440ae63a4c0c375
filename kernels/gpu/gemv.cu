// A few tokens times a matrix: every weight is read once, straight into the registers that multiply it.
//
// A block takes 16 rows, and its warps take turns along the columns, 256 at a time: as many loads are under way
// as the matrix has bytes, even where the rows are few. Lane 4 g + t holds the t-th piece of rows g and g + 8 and,
// as token g, the activations that piece meets: exactly the fragments of `multiply_add`, so nothing moves between
// lanes. At the end the warps' sums meet in shared memory.
//
//            t = 0      1       2       3     next warp …
//          ┌───────┬───────┬───────┬───────┬─
//   row g  │ 64 columns in 16 bytes, each  │
//          └───────┴───────┴───────┴───────┴─
//
// Launch: block (32, warps <= 16), grid (ceil(rows / 16), matrices), shared memory warps * 512 * TILES bytes.
// TILES * 8 >= batch; cols is a multiple of 128; weights and q lie on 16-byte boundaries.
#include "product.cuh"
#include "tensor.cuh"

constexpr int MAX_THREADS = 512;  // of a block: the registers have to do for 16 warps

constexpr int AHEAD = 2;  // chunks a warp waits for at once: it has few, and each takes as long as memory is away

struct Pieces {
    uint4 upper, lower;  // of rows g and g + 8
};

// Four codes of both rows for two of the 32-bit words: one fragment.
#define FRAGMENT(first, second)                                                            \
    {                                                                                      \
        codes(now.upper.first, field), codes(now.lower.first, field),                      \
            codes(now.upper.second, field), codes(now.lower.second, field)                 \
    }

template <int TILES>
__device__ __forceinline__ void gemv(PRODUCT_ARGUMENTS) {
    THIS_MATRIX;
    const int group = threadIdx.x / 4, quarter = threadIdx.x % 4;
    const int row = blockIdx.x * 16 + group;
    const int pieces = cols / 64, chunks = (pieces + 3) / 4;

    // Rows and pieces behind the end read the last one instead: `store` drops such rows, zero activations such pieces.
    const uint4* upper = weights + (size_t)min(row, rows - 1) * pieces;
    const uint4* lower = weights + (size_t)min(row + 8, rows - 1) * pieces;
    const auto load = [&](int chunk) {
        const int piece = min(chunk * 4 + quarter, pieces - 1);
        return Pieces{upper[piece], lower[piece]};
    };

    constexpr int SETS = TILES == 1 ? 2 : 1;  // so that no multiplication need wait for the one before
    int acc[TILES][SETS][4] = {};
    const int turn = blockDim.y;
    Pieces coming[AHEAD] = {};
#pragma unroll
    for (int i = 0; i < AHEAD; ++i)
        if ((int)threadIdx.y + i * turn < chunks) coming[i] = load(threadIdx.y + i * turn);
    for (int chunk = threadIdx.y; chunk < chunks; chunk += turn) {
        const Pieces now = coming[0];
#pragma unroll
        for (int i = 1; i < AHEAD; ++i) coming[i - 1] = coming[i];
        if (chunk + AHEAD * turn < chunks) coming[AHEAD - 1] = load(chunk + AHEAD * turn);
        const int piece = chunk * 4 + quarter;
#pragma unroll
        for (int tile = 0; tile < TILES; ++tile) {
            const int token = tile * 8 + group;
            const uint4* from = q + (size_t)token * (cols / 16) + piece_columns(piece);
            uint4 met[4] = {};  // all four are asked for before the first is waited for
            if (token < batch && piece < pieces)
#pragma unroll
                for (int field = 0; field < 4; ++field) met[field] = from[2 * field];
#pragma unroll
            for (int field = 0; field < 4; ++field) {
                const unsigned first[4] = FRAGMENT(x, y), second[4] = FRAGMENT(z, w);
                multiply_add(acc[tile][0], first, met[field].x, met[field].y);
                multiply_add(acc[tile][SETS - 1], second, met[field].z, met[field].w);
            }
        }
    }

    constexpr int SUMS = TILES * 128;
    int* partial = (int*)shared_memory;  // (warps, TILES, 4, 32 lanes)
#pragma unroll
    for (int i = 0; i < TILES * 4; ++i) {
        const auto& of_tile = acc[i / 4];
        const int sum = of_tile[0][i % 4] + (SETS == 2 ? of_tile[SETS - 1][i % 4] : 0);
        partial[threadIdx.y * SUMS + i * 32 + threadIdx.x] = sum;
    }
    __syncthreads();
    THIS_PRODUCT;
    for (int at = threadIdx.y * 32 + threadIdx.x; at < SUMS; at += blockDim.y * 32) {
        int sum = 0;
        for (int warp = 0; warp < (int)blockDim.y; ++warp) sum += partial[warp * SUMS + at];
        const int lane = at % 32, which = at / 32 % 4, tile = at / 128;
        product.store(blockIdx.x * 16 + lane / 4 + which / 2 * 8, tile * 8 + lane % 4 * 2 + which % 2, sum);
    }
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS) gemv_8(PRODUCT_ARGUMENTS) {
    gemv<1>(weights, q, sums, scales, weight_scales, out, rows, cols, batch);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS) gemv_16(PRODUCT_ARGUMENTS) {
    gemv<2>(weights, q, sums, scales, weight_scales, out, rows, cols, batch);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS) gemv_32(PRODUCT_ARGUMENTS) {
    gemv<4>(weights, q, sums, scales, weight_scales, out, rows, cols, batch);
}
