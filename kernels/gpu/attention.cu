// Causal attention over a cache, in three steps: scores, their shares, the values weighed by them.
//
// Token t of a launch is the position *start + behind + t, and sees itself and all before it. The number lies on the
// device, so that a recorded launch can be repeated for the next token; what is launched for positions not there yet
// returns at once. q (tokens, heads, size) float32; k and v (capacity, served, size) float32 or float16, each of
// `served` heads for heads / served of q; scores and shares (tokens, heads, stride) float32.
#include "block.cuh"
#include "half.cuh"
#include "order.cuh"

__device__ __forceinline__ float value(const float* from, size_t at) { return from[at]; }
__device__ __forceinline__ float value(const unsigned short* from, size_t at) { return widened(from[at]); }

#define WHERE const int *__restrict__ start, int behind, int heads, int served, int size, int capacity, int stride

// Half a warp a position and served head. Launch: block (256), grid (ceil(positions * served / 16), tokens).
template <typename Stored>
__device__ __forceinline__ void scores_of(const float* q, const Stored* k, float* scores, float scale, WHERE) {
    const int token = blockIdx.y, last = min(*start + behind + token, capacity - 1);
    const int pair = (int)(blockIdx.x * (THREADS / LANES));
    if (pair / served > last) return;  // the whole block
    const int mine = pair + (int)threadIdx.x / LANES, lane = threadIdx.x % LANES;
    const int position = mine / served, head = mine % served, group = heads / served;
    const Stored* key = k + ((size_t)min(position, last) * served + head) * size;
    for (int one = head * group; one < (head + 1) * group; ++one) {
        const float* query = q + ((size_t)token * heads + one) * size;
        float sum = 0;
        for (int i = lane; i < size; i += LANES) sum = plus(sum, __fmul_rn(query[i], value(key, i)));
        sum = over_lanes(sum);
        if (lane == 0 && position <= last)
            scores[((size_t)token * heads + one) * stride + position] = __fmul_rn(sum, scale);
    }
}

extern "C" __global__ void scores_f32(const float* __restrict__ q, const float* __restrict__ k,
                                      float* __restrict__ scores, float scale, WHERE) {
    scores_of(q, k, scores, scale, start, behind, heads, served, size, capacity, stride);
}

extern "C" __global__ void scores_f16(const float* __restrict__ q, const unsigned short* __restrict__ k,
                                      float* __restrict__ scores, float scale, WHERE) {
    scores_of(q, k, scores, scale, start, behind, heads, served, size, capacity, stride);
}

// exp(score - largest) / sum, where the scores were. Launch: a block of 256 a token and head, shared memory LANES_ROOM.
extern "C" __global__ void shares(float* __restrict__ scores, WHERE) {
    float* row = scores + (size_t)blockIdx.x * stride;
    const int count = min(*start + behind + (int)blockIdx.x / heads, capacity - 1) + 1;
    float largest = __int_as_float((int)0xff800000);
    for (int i = threadIdx.x; i < count; i += THREADS) largest = fmaxf(largest, row[i]);  // a NaN shows in the sum
    const auto larger = [](int a, int b) { return __float_as_int(fmaxf(__int_as_float(a), __int_as_float(b))); };
    largest = __int_as_float(over_block(__float_as_int(largest), larger));
    for (int i = threadIdx.x; i < count; i += THREADS) row[i] = exponential(__fsub_rn(row[i], largest));
    // No barrier: every number of the row is written and read by one and the same thread.
    const float factor = __fdiv_rn(1.0f, lanes_sum<float>(count, [&](int i) { return row[i]; }));
    for (int i = threadIdx.x; i < count; i += THREADS) row[i] = __fmul_rn(row[i], factor);
}

// The values added one position after the other: the first warp adds 32 dimensions, all of them fetch and multiply.
// Launch: block (32, 8), grid (ceil(size / 32), tokens * heads), shared memory POSITIONS * 128 bytes.
constexpr int POSITIONS = 128, FETCHES = POSITIONS / 8;
template <typename Stored>
__device__ __forceinline__ void weighed_by(const float* shares, const Stored* v, float* out, WHERE) {
    const int which = blockIdx.y, token = which / heads, head = which % heads / (heads / served);
    const int count = min(*start + behind + token, capacity - 1) + 1;
    const int dimension = blockIdx.x * 32 + threadIdx.x;
    shares += (size_t)which * stride;
    v += (size_t)head * size + min(dimension, size - 1);
    float* products = (float*)shared_memory;

    float met[FETCHES], share[FETCHES];
    const auto fetch = [&](int first) {
#pragma unroll
        for (int i = 0; i < FETCHES; ++i) {
            const int position = min(first + i * 8 + (int)threadIdx.y, count - 1);
            share[i] = shares[position];
            met[i] = value(v, (size_t)position * served * size);
        }
    };
    fetch(0);
    float sum = 0;
    for (int first = 0; first < count; first += POSITIONS) {
#pragma unroll
        for (int i = 0; i < FETCHES; ++i)
            products[(i * 8 + threadIdx.y) * 32 + threadIdx.x] = __fmul_rn(share[i], met[i]);
        __syncthreads();
        if (first + POSITIONS < count) fetch(first + POSITIONS);  // under way while the first warp adds
        if (threadIdx.y == 0)
#pragma unroll 8
            for (int i = 0; i < min(POSITIONS, count - first); ++i) sum = plus(sum, products[i * 32 + threadIdx.x]);
        __syncthreads();
    }
    if (threadIdx.y == 0 && dimension < size) out[(size_t)which * size + dimension] = sum;
}

extern "C" __global__ void weighed_f32(const float* __restrict__ shares, const float* __restrict__ v,
                                       float* __restrict__ out, WHERE) {
    weighed_by(shares, v, out, start, behind, heads, served, size, capacity, stride);
}

extern "C" __global__ void weighed_f16(const float* __restrict__ shares, const unsigned short* __restrict__ v,
                                       float* __restrict__ out, WHERE) {
    weighed_by(shares, v, out, start, behind, heads, served, size, capacity, stride);
}
