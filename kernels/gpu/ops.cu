// The float arithmetic of a forward pass, but for attention and products; arrays are C-contiguous float32.
//
// Launch: block (256). rms_norm and its kind: a block a token, shared memory LANES_ROOM. The others: a
// thread an element.
#include "block.cuh"
#include "quantize.cuh"
#include "order.cuh"

// max(gate, 0)^2 * up
__device__ __forceinline__ float relu2_of(float gate, float up) {
    const float positive = gate < 0.0f ? 0.0f : gate;  // NaN stays
    return __fmul_rn(__fmul_rn(positive, positive), up);
}

// gate / (1 + exp(-gate)) * up
__device__ __forceinline__ float silu_of(float gate, float up) {
    return __fmul_rn(__fdiv_rn(gate, __fadd_rn(1.0f, exponential(-gate))), up);
}

// x (tokens, cols), weight (cols) -> y (tokens, cols): x / sqrt(mean(x^2) + eps) * weight. And what `quantize_row` makes
// of it, which nearly always comes next: a launch takes longer than the work. `term(i)` gives a number of x the first
// time, `again(i)` later; one thread asks for both.
template <typename Term, typename Again>
__device__ __forceinline__ void normed(Term term, Again again, const float* weight, float* y, signed char* q,
                                       float* scales, int* sums, int cols, float eps) {
    y += (size_t)blockIdx.x * cols;
    const double total = lanes_sum<double>(cols, [&](int i) {
        const float x = term(i);
        return __fmul_rn(x, x);
    });
    const float mean = __double2float_rn(__ddiv_rn(total, (double)cols));
    const float factor = __fdiv_rn(1.0f, __fsqrt_rn(__fadd_rn(mean, eps)));
    for (int i = threadIdx.x; i < cols; i += THREADS) y[i] = __fmul_rn(__fmul_rn(again(i), factor), weight[i]);
    // No barrier: every number of the row is written and read by one and the same thread.
    quantize_row(y, q + (size_t)blockIdx.x * cols, scales + blockIdx.x, sums + blockIdx.x, cols);
}

#define NORM float *y, signed char *__restrict__ q, float *__restrict__ scales, int *__restrict__ sums, int cols, float eps

extern "C" __global__ void rms_norm(const float* __restrict__ x, const float* __restrict__ weight, NORM) {
    x += (size_t)blockIdx.x * cols;
    const auto at = [=](int i) { return x[i]; };
    normed(at, at, weight, y, q, scales, sums, cols, eps);
}

// The same of what two arrays make elementwise, which is written to x.
#define NORM_OF(FORMULA)                                     \
    const size_t row = (size_t)blockIdx.x * cols;            \
    a += row, b += row, x += row;                            \
    const auto made = [=](int i) { return x[i] = FORMULA; }; \
    normed(made, [=](int i) { return x[i]; }, weight, y, q, scales, sums, cols, eps)

extern "C" __global__ void rms_norm_of_add(const float* __restrict__ a, const float* __restrict__ b, float* x,
                                           const float* __restrict__ weight, NORM) {
    NORM_OF(__fadd_rn(a[i], b[i]));
}

extern "C" __global__ void rms_norm_of_relu2(const float* __restrict__ a, const float* __restrict__ b, float* x,
                                             const float* __restrict__ weight, NORM) {
    NORM_OF(relu2_of(a[i], b[i]));
}

extern "C" __global__ void rms_norm_of_silu(const float* __restrict__ a, const float* __restrict__ b, float* x,
                                            const float* __restrict__ weight, NORM) {
    NORM_OF(silu_of(a[i], b[i]));
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

extern "C" __global__ void relu2(const float* __restrict__ gate, const float* __restrict__ up, float* __restrict__ y,
                                 size_t count) {
    ELEMENT;
    y[i] = relu2_of(gate[i], up[i]);
}

extern "C" __global__ void silu(const float* __restrict__ gate, const float* __restrict__ up, float* __restrict__ y,
                                size_t count) {
    ELEMENT;
    y[i] = silu_of(gate[i], up[i]);
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
