// A row of activations to int8, by a block; every step rounds where the CPU does, so the bits are the CPU's. Needs block.cuh.

// scale = 127 / max(|x|, 1e-5), q = round(x * scale) to even, sum = Σ q. A row that holds a NaN or an infinity has the
// scale NaN, q = 0 and a sum that no q has, so that no product of it looks like a number. Thread t reads the numbers t,
// t + THREADS, … alone. Needs 32 bytes of shared memory.
__device__ __forceinline__ void quantize_row(const float* x, signed char* q, float* scales, int* sums, int cols) {
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
    if (threadIdx.x == 0) *scales = scale, *sums = finite ? sum : (int)0x80000000;
}
