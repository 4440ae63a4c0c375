// The order of sums and the exponential of kernels/ops/order.py, which says what they are: the bits are the CPU's.
//
// Sums and products are named by how they round, so that no compiler fuses them.

constexpr int LANES = 16;
constexpr int CHUNK = 4096;  // numbers that wait in shared memory to be added

__device__ __forceinline__ float plus(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }

// The lanes of half a warp, a thread a lane, joined; all threads of the warp have to come.
__device__ __forceinline__ float over_lanes(float sum) {
#pragma unroll
    for (int apart = LANES / 2; apart > 0; apart /= 2)
        sum = plus(sum, __int_as_float(__shfl_xor_sync(0xffffffffu, __float_as_int(sum), apart)));
    return sum;
}

// Every thread of the block gets the sum of `term(i)` for i below `count`: floats, added as `Sum`.
// Needs LANES_ROOM bytes of shared memory.
constexpr int LANES_ROOM = CHUNK * 4 + LANES * 8;
template <typename Sum, typename Term>
__device__ __forceinline__ Sum lanes_sum(int count, Term term) {
    float* waiting = (float*)shared_memory;
    Sum* lanes = (Sum*)(waiting + CHUNK);
    Sum sum = 0;
    for (int first = 0; first < count; first += CHUNK) {
        const int some = min(CHUNK, count - first);
        for (int i = threadIdx.x; i < some; i += THREADS) waiting[i] = term(first + i);
        __syncthreads();
        if (threadIdx.x < LANES)
#pragma unroll 8
            for (int i = threadIdx.x; i < some; i += LANES) sum = plus(sum, (Sum)waiting[i]);
        __syncthreads();
    }
    if (threadIdx.x < LANES) lanes[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int apart = LANES / 2; apart > 0; apart /= 2)
            for (int lane = 0; lane < apart; ++lane) lanes[lane] = plus(lanes[lane], lanes[lane + apart]);
    __syncthreads();
    return lanes[0];
}

__device__ __forceinline__ float power_of_two(int exponent) { return __int_as_float((exponent + 127) << 23); }

__device__ __forceinline__ float exponential(float x) {
    constexpr float MAGIC = 12582912.0f, LOG2_E = 1.4426950408889634f;
    constexpr float LN2_HIGH = 355.0f / 512, LN2_LOW = 0.6931471805599453 - 355.0 / 512;
    x = x < -105.0f ? -105.0f : x > 89.0f ? 89.0f : x;  // and NaN as it is
    const float shifted = __fadd_rn(__fmul_rn(x, LOG2_E), MAGIC);
    const float n = __fsub_rn(shifted, MAGIC);
    const float r = __fsub_rn(__fsub_rn(x, __fmul_rn(n, LN2_HIGH)), __fmul_rn(n, LN2_LOW));
    constexpr double TERMS[] = {1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0};
    float result = (float)TERMS[0];
#pragma unroll
    for (int degree = 1; degree < 8; ++degree) result = __fadd_rn(__fmul_rn(result, r), (float)TERMS[degree]);
    const int exponent = __float_as_int(shifted) - __float_as_int(MAGIC), half = exponent >> 1;
    return __fmul_rn(__fmul_rn(result, power_of_two(half)), power_of_two(exponent - half));
}
