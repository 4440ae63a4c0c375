// The float arithmetic of a forward pass, but for attention and products; arrays are C-contiguous float32.
//
// Launch: block (256). rms_norm: a block a token, shared memory LANES_ROOM. The others: a thread an element.
#include "block.cuh"
#include "quantize.cuh"
#include "order.cuh"

// x (tokens, cols), weight (cols) -> y (tokens, cols): x / sqrt(mean(x^2) + eps) * weight. And what `quantize_row` makes
// of it, which nearly always comes next: a launch takes longer than the work.
extern "C" __global__ void rms_norm(const float* __restrict__ x, const float* __restrict__ weight, float* y,
                                    signed char* __restrict__ q, float* __restrict__ scales, int* __restrict__ sums,
                                    int cols, float eps) {
    x += (size_t)blockIdx.x * cols;
    y += (size_t)blockIdx.x * cols;
    const double total = lanes_sum<double>(cols, [&](int i) { return __fmul_rn(x[i], x[i]); });
    const float mean = __double2float_rn(__ddiv_rn(total, (double)cols));
    const float factor = __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(mean, eps)));
    for (int i = threadIdx.x; i < cols; i += THREADS) y[i] = __fmul_rn(__fmul_rn(x[i], factor), weight[i]);
    // No barrier: every number of the row is written and read by one and the same thread.
    quantize_row(y, q + (size_t)blockIdx.x * cols, scales + blockIdx.x, sums + blockIdx.x, cols);
}

#define ELEMENT                                                       \
    const size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;      \
    if (i >= count) return

// x (tokens, heads, size), cos and sin (tokens, pairs) -> y: dimensions i and i + pairs turned, those behind as they are.
extern "C" __global__ void rope(const float* __restrict__ x, const float* __restrict__ cos,
                                const float* __restrict__ sin, float* __restrict__ y, size_t count, int heads,
                                int size, int pairs) {
    ELEMENT;
    const int at = (int)(i % size);
    if (at >= 2 * pairs) {
        y[i] = x[i];
        return;
    }
    const size_t angle = i / size / heads * pairs + at % pairs;
    const float c = cos[angle], s = sin[angle];
    y[i] = at < pairs ? __fsub_rn(__fmul_rn(x[i], c), __fmul_rn(x[i + pairs], s))
                      : __fadd_rn(__fmul_rn(x[i - pairs], s), __fmul_rn(x[i], c));
}

// max(gate, 0)^2 * up, elementwise.
extern "C" __global__ void relu2(const float* __restrict__ gate, const float* __restrict__ up, float* __restrict__ y,
                                 size_t count) {
    ELEMENT;
    const float positive = gate[i] < 0.0f ? 0.0f : gate[i];  // NaN stays
    y[i] = __fmul_rn(__fmul_rn(positive, positive), up[i]);
}

// gate / (1 + exp(-gate)) * up, elementwise.
extern "C" __global__ void silu(const float* __restrict__ gate, const float* __restrict__ up, float* __restrict__ y,
                                size_t count) {
    ELEMENT;
    y[i] = __fmul_rn(__fdiv_rn(gate[i], __fadd_rn(1.0f, exponential(-gate[i]))), up[i]);
}

extern "C" __global__ void add(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y,
                               size_t count) {
    ELEMENT;
    y[i] = __fadd_rn(a[i], b[i]);
}

// x (tokens, width) into the rows of `kept` (capacity, width) from *start on.
extern "C" __global__ void keep(const float* __restrict__ x, const int* __restrict__ start, float* __restrict__ kept,
                                size_t count, int width, int capacity) {
    ELEMENT;
    const size_t position = (size_t)*start + i / width;
    if (*start >= 0 && position < (size_t)capacity) kept[position * width + i % width] = x[i];
}
