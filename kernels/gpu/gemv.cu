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

// `where` gives the product whose sums these are, once they are there: until then its pointers need no registers.
template <int TILES, typename Where>
__device__ __forceinline__ void gemv(const uint4* weights, const uint4* q, int rows, int cols, int batch, int block,
                                     Where where) {
    const int group = threadIdx.x / 4, quarter = threadIdx.x % 4;
    const int row = block * 16 + group;
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
    const Product product = where();
    for (int at = threadIdx.y * 32 + threadIdx.x; at < SUMS; at += blockDim.y * 32) {
        int sum = 0;
        for (int warp = 0; warp < (int)blockDim.y; ++warp) sum += partial[warp * SUMS + at];
        const int lane = at % 32, which = at / 32 % 4, tile = at / 128;
        product.store(block * 16 + lane / 4 + which / 2 * 8, tile * 8 + lane % 4 * 2 + which % 2, sum);
    }
}

#define WHOLE_GRID(TILES)                                                  \
    THIS_MATRIX;                                                            \
    gemv<TILES>(weights, q, rows, cols, batch, blockIdx.x, [=] {            \
        THIS_PRODUCT;                                                       \
        return product;                                                     \
    })

extern "C" __global__ void __launch_bounds__(MAX_THREADS) gemv_8(PRODUCT_ARGUMENTS) {
    WHOLE_GRID(1);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS) gemv_16(PRODUCT_ARGUMENTS) {
    WHOLE_GRID(2);
}

extern "C" __global__ void __launch_bounds__(MAX_THREADS) gemv_32(PRODUCT_ARGUMENTS) {
    WHOLE_GRID(4);
}

// Up to three matrices of one width and the same activations, as the attention of a model has them: alone, small ones
// would leave most of a device idle. Launch: grid (the sum of their ceil(rows / 16)), else as above; rows may be 0.
extern "C" __global__ void __launch_bounds__(MAX_THREADS) gemv_three(
    const uint4* __restrict__ weights_0, const uint4* __restrict__ weights_1, const uint4* __restrict__ weights_2,
    const uint4* __restrict__ q, const int* __restrict__ sums, const float* __restrict__ scales,
    const float* __restrict__ weight_scale_0, const float* __restrict__ weight_scale_1,
    const float* __restrict__ weight_scale_2, void* __restrict__ out_0, void* __restrict__ out_1,
    void* __restrict__ out_2, int rows_0, int rows_1, int rows_2, int cols, int batch) {
    const int first = (rows_0 + 15) / 16, both = first + (rows_1 + 15) / 16;
    const int which = ((int)blockIdx.x >= first) + ((int)blockIdx.x >= both);
    const auto mine = [=](auto zero, auto one, auto two) { return which == 0 ? zero : which == 1 ? one : two; };
    const int rows = mine(rows_0, rows_1, rows_2);
    gemv<1>(mine(weights_0, weights_1, weights_2), q, rows, cols, batch, blockIdx.x - mine(0, first, both), [=] {
        const float* weight_scale = mine(weight_scale_0, weight_scale_1, weight_scale_2);
        return Product{sums, scales, weight_scale, mine(out_0, out_1, out_2), rows, batch};
    });
}
