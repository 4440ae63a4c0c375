// What every product shares: how codes are read, and what becomes of a finished sum.
//
// Weights are i2_s bytes as they are stored: a block of 128 columns is 32 bytes, and byte p of it holds the
// columns p, p + 32, p + 64 and p + 96 at the bits 7:6, 5:4, 3:2 and 1:0. So in a 32-bit word of weights
//
//     codes(word, field)  =  (word >> (6 - 2 * field)) & 0x03030303
//
// is four codes of four neighbouring columns, ready to meet one 32-bit word of int8 activations. A "piece" is
// 16 bytes of weights, half a block: 64 columns, whose field f meets the 16 activations at
//
//     piece_columns(piece) + 2 * f     counted in 16 bytes
//
// A code is one more than its weight, so Σ code · q − Σ q = Σ weight · q: `store` takes the second sum away.

__device__ __forceinline__ unsigned codes(unsigned word, int field) { return (word >> (6 - 2 * field)) & 0x03030303u; }

__device__ __forceinline__ int piece_columns(int piece) { return piece / 2 * 8 + piece % 2; }

// Where the sums of one matrix go. `out` is (batch, rows): float32, or int32 where `scales` is null.
struct Product {
    const int* sums;      // (batch), Σ q of each token
    const float* scales;  // (batch), what each token was quantized with
    const float* weight_scale;
    void* out;
    int rows, batch;

    // The CPU's epilogue, step by step, so that the bits are the CPU's.
    __device__ __forceinline__ void store(int row, int token, int sum) const {
        if (row >= rows || token >= batch) return;
        const size_t at = (size_t)token * rows + row;
        sum = (int)((unsigned)sum - (unsigned)sums[token]);
        if (scales)
            ((float*)out)[at] = __fmul_rn(__fdiv_rn(__int2float_rn(sum), scales[token]), *weight_scale);
        else
            ((int*)out)[at] = sum;
    }
};

// The arguments of every product kernel. blockIdx.y is the matrix where several of one shape lie in a row.
#define PRODUCT_ARGUMENTS                                                                                     \
    const uint4 *__restrict__ weights, const uint4 *__restrict__ q, const int *__restrict__ sums,             \
        const float *__restrict__ scales, const float *__restrict__ weight_scales, void *__restrict__ out,    \
        int rows, int cols, int batch

#define THIS_MATRIX                                      \
    weights += (size_t)blockIdx.y * rows * (cols / 64); \
    q += (size_t)blockIdx.y * batch * (cols / 16)

#define THIS_PRODUCT                                                                                              \
    const Product product{sums + (size_t)blockIdx.y * batch, scales ? scales + (size_t)blockIdx.y * batch : scales, \
                          weight_scales + blockIdx.y, (int*)out + (size_t)blockIdx.y * batch * rows, rows, batch}
