// Ternary bytes to i2_s and back, four bytes of codes a thread. See product.cuh for the layout of a block.
//
// A word w of codes lies in block w / 8; its field f holds four neighbouring weights, which as int8 are the word
//
//     w / 8 * 32 + 8 * f + w % 8
//
// Launch: block (256), grid (enough for every word). `refused` counts words that are not what they should be;
// it starts at 0 and what is written beside a refused word means nothing.

// Behind the codes of `words` words come the float32 scale and 28 bytes of zeros.
constexpr int TAIL_WORDS = 8;

__device__ __forceinline__ size_t weights_of(size_t word, int field) { return word / 8 * 32 + 8 * field + word % 8; }

extern "C" __global__ void pack(const unsigned* __restrict__ ternary, unsigned* __restrict__ packed, float scale,
                                unsigned* refused, size_t words) {
    const size_t word = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (word >= words) {
        if (word < words + TAIL_WORDS) packed[word] = word == words ? __float_as_uint(scale) : 0;
        return;
    }
    unsigned joined = 0, strange = 0;
#pragma unroll
    for (int field = 0; field < 4; ++field) {
        const unsigned four = ternary[weights_of(word, field)];
        const unsigned code = ((four & 0x03030303u) + 0x01010101u) & 0x03030303u;  // -1, 0, 1 to 0, 1, 2; 2 to 3
        strange |= (four & 0xfcfcfcfcu) ^ ((four >> 1 & 0x01010101u) * 0xfcu);     // the upper bits repeat the sign
        strange |= code & code >> 1;
        joined |= code << (6 - 2 * field);
    }
    packed[word] = joined;
    if (strange) atomicAdd(refused, 1u);
}

extern "C" __global__ void unpack(const unsigned* __restrict__ packed, unsigned* __restrict__ ternary,
                                  unsigned* refused, size_t words) {
    const size_t word = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (word >= words) return;
    const unsigned joined = packed[word];
#pragma unroll
    for (int field = 0; field < 4; ++field) {
        const unsigned code = joined >> (6 - 2 * field) & 0x03030303u;
        const unsigned zeros = ~(code | code >> 1) & 0x01010101u;
        ternary[weights_of(word, field)] = (code >> 1 & 0x01010101u) | zeros * 0xffu;  // 0, 1, 2 to -1, 0, 1
    }
    if (joined & joined >> 1 & 0x55555555u) atomicAdd(refused, 1u);
}
