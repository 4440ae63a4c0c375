// Run w2a8.cu on the CPU: enough of CUDA's words for that file, each thread of a block a fiber.
//
// A shuffle stores a value, lets every other thread reach the same point, reads, and waits again. The
// scheduler resumes the threads in turn, forwards or backwards, so a result that depends on the order shows.
#pragma once
#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline

struct uint4 {
    uint32_t x, y, z, w;
};
struct Index {
    int x, y;
};
static Index threadIdx, blockIdx, blockDim;

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(64 * 1024);
    Index thread;
    int sent;
    bool done;
};
static std::vector<Fiber> fibers;
static size_t running;
static ucontext_t scheduler;
static std::function<void()> body;

static void wait_for_the_others() { swapcontext(&fibers[running].context, &scheduler); }

static int __shfl_xor_sync(unsigned, int value, int lanes) {
    const size_t self = running;
    fibers[self].sent = value;
    wait_for_the_others();
    const int received = fibers[self ^ (size_t)lanes].sent;
    wait_for_the_others();
    return received;
}

static int __dp4a(int a, int b, int sum) {
    for (int byte = 0; byte < 4; ++byte) sum += (int8_t)(a >> 8 * byte) * (int8_t)(b >> 8 * byte);
    return sum;
}

static void enter() {
    body();
    fibers[running].done = true;
}

static void run_block(bool backwards) {
    for (size_t i = 0; i < fibers.size(); ++i) {
        Fiber& fiber = fibers[i];
        fiber.thread = {(int)i % blockDim.x, (int)i / blockDim.x};
        fiber.done = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, enter, 0);
    }
    for (bool busy = true; busy;) {
        busy = false;
        for (size_t i = 0; i < fibers.size(); ++i) {
            running = backwards ? fibers.size() - 1 - i : i;
            if (fibers[running].done) continue;
            busy = true;
            threadIdx = fibers[running].thread;
            swapcontext(&scheduler, &fibers[running].context);
        }
    }
}

using Kernel = void (*)(const uint4*, const uint4*, const int*, int*, int, int, int);

extern "C" void launch(Kernel kernel, bool backwards, int grid_x, int grid_y, int block_x, int block_y,
                       const uint4* weights, const uint4* q, const int* sums, int* products, int rows, int cols,
                       int batch) {
    blockDim = {block_x, block_y};
    fibers.resize((size_t)block_x * block_y);
    body = [=] { kernel(weights, q, sums, products, rows, cols, batch); };
    for (int y = 0; y < grid_y; ++y)
        for (int x = 0; x < grid_x; ++x) {
            blockIdx = {x, y};
            run_block(backwards);
        }
}
