// Many tokens times a matrix, on the tensor cores: bytes are copied while the ones before are multiplied.
//
// A block takes 128 rows and 64 tokens, 256 columns at a time. Its eight warps are four along the rows (32 each)
// and two along the tokens (32 each); as in gemv.cu a lane's pieces are the fragments, and 2-bit codes become bytes
// in registers.
//
//   a stage in 16-byte slots      weights (128 rows, 4)  8 KB       q (64 tokens, 16)  16 KB
//
// A slot of q stands in its line at a place that depends on the token too, so that the eight lanes that read
// together find eight different banks. There are two stages, one being filled while the other is multiplied.
//
// Launch: block (32, 8), grid (ceil(rows / 128) * ceil(batch / 64), matrices), shared memory 48 KB.
// cols is a multiple of 128; weights and q lie on 16-byte boundaries.
#include "product.cuh"
#include "tensor.cuh"

constexpr int ROWS = 128, TOKENS = 64, W_SLOTS = 4, Q_SLOTS = 16;
constexpr int STAGE = ROWS * W_SLOTS + TOKENS * Q_SLOTS;
constexpr int SUM_LINE = ROWS + 4;  // the lanes of a fragment meet different banks
constexpr int THREADS = 256;

__device__ __forceinline__ int q_at(int token, int slot) {
    return ROWS * W_SLOTS + token * Q_SLOTS + (slot ^ (token & 1) << 1 ^ (slot >> 1 & 4));
}

// Start to copy SLOTS slots of each of COUNT lines from a matrix (lines, width); zeros behind its ends.
template <int SLOTS, int COUNT, typename At>
__device__ __forceinline__ void fetch(const uint4* from, int lines, int width, int first, int step, int thread, At at) {
    const int slot = thread % SLOTS, column = step * SLOTS + slot;
#pragma unroll
    for (int i = 0; i < COUNT * SLOTS / THREADS; ++i) {
        const int line = thread / SLOTS + i * (THREADS / SLOTS);
        const bool there = first + line < lines && column < width;
        start_copy(at(line, slot), there ? from + (size_t)(first + line) * width + column : from, there);
    }
}

// 32 rows, 32 tokens and 256 columns of a stage.
__device__ __forceinline__ void multiply(int (&acc)[2][4][4], const uint4* stage, int first_row, int first_token,
                                         int lane) {
    const int group = lane / 4, quarter = lane % 4;
    uint4 w[4];  // of rows group, group + 8, group + 16, group + 24
#pragma unroll
    for (int i = 0; i < 4; ++i) w[i] = stage[(first_row + i * 8 + group) * W_SLOTS + quarter];
#pragma unroll
    for (int field = 0; field < 4; ++field) {
        unsigned a[2][2][4];  // (16 rows, 32 columns) each
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            a[i / 2][0][i % 2] = codes(w[i].x, field), a[i / 2][0][i % 2 + 2] = codes(w[i].y, field);
            a[i / 2][1][i % 2] = codes(w[i].z, field), a[i / 2][1][i % 2 + 2] = codes(w[i].w, field);
        }
#pragma unroll
        for (int tile = 0; tile < 4; ++tile) {
            const uint4 met = stage[q_at(first_token + tile * 8 + group, piece_columns(quarter) + 2 * field)];
#pragma unroll
            for (int i = 0; i < 2; ++i) multiply_add(acc[i][tile], a[i][0], met.x, met.y);
#pragma unroll
            for (int i = 0; i < 2; ++i) multiply_add(acc[i][tile], a[i][1], met.z, met.w);
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 2) gemm(PRODUCT_ARGUMENTS) {
    THIS_MATRIX;
    const int lane = threadIdx.x, thread = threadIdx.y * 32 + lane;
    const int warp_row = threadIdx.y % 4 * 32, warp_token = threadIdx.y / 4 * 32;
    const int row_blocks = (rows + ROWS - 1) / ROWS;
    const int first_row = blockIdx.x % row_blocks * ROWS, first_token = blockIdx.x / row_blocks * TOKENS;

    const auto fill = [&](int step) {
        uint4* stage = shared_memory + step % 2 * STAGE;
        fetch<W_SLOTS, ROWS>(weights, rows, cols / 64, first_row, step, thread,
                       [=](int row, int slot) { return stage + row * W_SLOTS + slot; });
        fetch<Q_SLOTS, TOKENS>(q, batch, cols / 16, first_token, step, thread,
                       [=](int token, int slot) { return stage + q_at(token, slot); });
    };

    int acc[2][4][4] = {};
    const int steps = (cols + 255) / 256;
    fill(0);
    for (int step = 0; step < steps; ++step) {
        finish_copies();
        __syncthreads();  // this stage is there for all, and nobody reads the other one any more
        if (step + 1 < steps) fill(step + 1);
        multiply(acc, shared_memory + step % 2 * STAGE, warp_row, warp_token, lane);
    }

    __syncthreads();  // the stages are free, and hold the sums now: (64 tokens, 128 rows), stored row by row
    int* found = (int*)shared_memory;
#pragma unroll
    for (int i = 0; i < 32; ++i) {
        const int row = warp_row + i / 16 * 16 + i % 4 / 2 * 8 + lane / 4;
        const int token = warp_token + i / 4 % 4 * 8 + lane % 4 * 2 + i % 2;
        found[token * SUM_LINE + row] = acc[i / 16][i / 4 % 4][i % 4];
    }
    __syncthreads();
    THIS_PRODUCT;
    for (int i = thread; i < ROWS * TOKENS; i += THREADS)
        product.store(first_row + i % ROWS, first_token + i / ROWS, found[i / ROWS * SUM_LINE + i % ROWS]);
}
