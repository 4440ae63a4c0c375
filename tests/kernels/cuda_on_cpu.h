// Run CUDA sources on the CPU: enough of CUDA's words for kernels/gpu, each thread of a block a fiber.
//
// Threads meet at barriers: of the block, or of a warp for every operation the lanes do together. Between two
// barriers a thread runs alone, and the schedule says which one next: the first that can, the last, or any. So what
// depends on an order that no barrier makes differs between schedules, or from the right result in all of them.
// Shared memory and the targets of unfinished copies hold noise; behind shared memory lies a page nobody may touch.
#pragma once
#define CUDA_ON_CPU
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)

struct uint3 {
    unsigned x, y, z;
};
struct uint4 {
    uint32_t x, y, z, w;
};
struct float4 {
    float x, y, z, w;
};
static uint3 threadIdx, blockIdx, blockDim;
static uint4* shared_memory;

constexpr unsigned char NOISE = 0xA5;

// ---- fibers -------------------------------------------------------------------------------------------------

struct Barrier {
    size_t members, arrived, turn;
};

struct Copy {
    uint4* to;
    const uint4* from;
    bool there;
};

struct Fiber {
    ucontext_t start;
    jmp_buf at;
    std::unique_ptr<char[]> stack;
    uint3 thread;
    bool started, done;
    Barrier* waits;
    size_t turn;
    uint32_t sent[2][10];  // two, so that a lane may send the next while others still read
    unsigned sendings;
    std::vector<Copy> copies;
};

static std::vector<Fiber> fibers;
static std::vector<Barrier> warps;
static Barrier block;
static size_t running;
static jmp_buf scheduler;
static std::function<void()> body;

static void arrive(Barrier& barrier) {
    if (++barrier.arrived == barrier.members) barrier.arrived = 0, ++barrier.turn;
}

static void meet(Barrier& barrier) {
    Fiber& self = fibers[running];
    self.waits = &barrier;
    self.turn = barrier.turn;
    arrive(barrier);
    if (!_setjmp(self.at)) _longjmp(scheduler, 1);
}

static void enter() {
    body();
    Fiber& self = fibers[running];
    self.done = true;
    if (--block.members && block.arrived == block.members) block.arrived = 0, ++block.turn;  // it waits for no dead
    _longjmp(scheduler, 1);
}

static void resume(size_t which) {
    running = which;
    Fiber& fiber = fibers[which];
    threadIdx = fiber.thread;
    if (_setjmp(scheduler)) return;
    if (fiber.started) _longjmp(fiber.at, 1);
    fiber.started = true;
    setcontext(&fiber.start);
}

enum Schedule { FORWARD, REVERSE, RANDOM };
static uint64_t dice;

static size_t any(size_t below) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((dice >> 33) % below);
}

// Run the threads of a block to their ends; false if none can go on.
static bool run_block(Schedule schedule) {
    const size_t count = fibers.size();
    for (size_t left = count; left;) {
        const size_t first = schedule == RANDOM ? any(count) : 0;
        size_t found = count;
        for (size_t i = 0; i < count && found == count; ++i) {
            const size_t which = schedule == REVERSE ? count - 1 - i : (first + i) % count;
            const Fiber& fiber = fibers[which];
            if (!fiber.done && (!fiber.waits || fiber.waits->turn != fiber.turn)) found = which;
        }
        if (found == count) return false;
        fibers[found].waits = nullptr;
        resume(found);
        left -= fibers[found].done;
    }
    return true;
}

static void start_block() {
    constexpr size_t STACK = 64 * 1024;
    const size_t count = fibers.size();
    warps.assign((count + 31) / 32, {});
    block = {count, 0, 0};
    for (size_t i = 0; i < count; ++i) {
        Fiber& fiber = fibers[i];
        if (!fiber.stack) fiber.stack.reset(new char[STACK]);
        ++warps[i / 32].members;
        fiber.thread = {(unsigned)i % blockDim.x, (unsigned)i / blockDim.x, 0};
        fiber.started = fiber.done = false;
        fiber.waits = nullptr;
        fiber.sendings = 0;
        fiber.copies.clear();
        getcontext(&fiber.start);
        fiber.start.uc_stack.ss_sp = fiber.stack.get();
        fiber.start.uc_stack.ss_size = STACK;
        makecontext(&fiber.start, enter, 0);
    }
}

// ---- CUDA's words -------------------------------------------------------------------------------------------

static void __syncthreads() { meet(block); }

// Send ten words to the lanes of the warp; gives the place where those of lane 0 lie.
struct Lanes {
    size_t first;
    unsigned which;
    const uint32_t* operator[](size_t lane) const { return fibers[first + lane].sent[which]; }
};
static Lanes exchange(const uint32_t* words, size_t count) {
    Fiber& self = fibers[running];
    const Lanes lanes{running / 32 * 32, self.sendings++ % 2};
    memcpy(self.sent[lanes.which], words, count * 4);
    meet(warps[running / 32]);
    return lanes;
}

static int __shfl_xor_sync(unsigned, int value, int lanes) {
    return (int)exchange((const uint32_t*)&value, 1)[(running % 32) ^ (size_t)lanes][0];
}

static int __dp4a(int a, int b, int sum) {
    for (int byte = 0; byte < 4; ++byte) sum += (int8_t)(a >> 8 * byte) * (int8_t)(b >> 8 * byte);
    return sum;
}

static unsigned atomicAdd(unsigned* at, unsigned more) { return std::exchange(*at, *at + more); }

template <typename To, typename From>
static To bits(From from) {
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static int __float_as_int(float value) { return bits<int>(value); }
static unsigned __float_as_uint(float value) { return bits<unsigned>(value); }
static float __int_as_float(int value) { return bits<float>(value); }
static float __int2float_rn(int value) { return (float)value; }
static float __fadd_rn(float a, float b) { return a + b; }
static float __fsub_rn(float a, float b) { return a - b; }
static float __fmul_rn(float a, float b) { return a * b; }
static float __fdiv_rn(float a, float b) { return a / b; }
static float __fsqrt_rn(float a) { return std::sqrt(a); }
static double __dadd_rn(double a, double b) { return a + b; }
static double __ddiv_rn(double a, double b) { return a / b; }
static float __double2float_rn(double a) { return (float)a; }
static int min(int a, int b) { return a < b ? a : b; }
static int max(int a, int b) { return a > b ? a : b; }

// A half as a float: the exponent moved by 112, or the bits counted where it is 0.
static float widened(unsigned short half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7fff;
    const float small = (float)rest * 0x1p-24f;
    const uint32_t wide = rest < 0x400 ? bits<uint32_t>(small) : rest < 0x7c00 ? (rest << 13) + (112u << 23) : 0x7f800000 | rest << 13;
    return bits<float>(sign | wide);
}

// mma.m16n8k32: every lane sends its fragments and computes its four sums from all of them, as the PTX manual lays
// them out. Byte i of register r of a lane of group g and quarter t is
//   of a: row g (+ 8 if r is odd), column 4 t + i (+ 16 if r > 1)      of b: column g, row 4 t + i (+ 16 if r = 1)
static void multiply_add(int (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    const uint32_t words[6] = {a[0], a[1], a[2], a[3], b0, b1};
    const Lanes lanes = exchange(words, 6);
    const size_t group = running % 32 / 4, quarter = running % 4;
    for (int i = 0; i < 4; ++i)
        for (size_t k = 0; k < 32; ++k) {
            const size_t t = k % 16 / 4, shift = k % 4 * 8, column = quarter * 2 + i % 2;
            const uint8_t left = (uint8_t)(lanes[group * 4 + t][i / 2 + k / 16 * 2] >> shift);
            const int8_t right = (int8_t)(lanes[column * 4 + t][4 + k / 16] >> shift);
            sum[i] += left * right;
        }
}

// cp.async: what is copied is read when the copy is waited for, and noise until then.
static void start_copy(uint4* shared, const uint4* global, bool there) {
    memset(shared, NOISE, sizeof *shared);
    fibers[running].copies.push_back({shared, global, there});
}
static void finish_copies() {
    for (const Copy& copy : fibers[running].copies) *copy.to = copy.there ? *copy.from : uint4{};
    fibers[running].copies.clear();
}

// ---- launching ----------------------------------------------------------------------------------------------

template <typename... Arguments, size_t... At>
static void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<At...>) {
    kernel(*(Arguments*)arguments[At]...);
}

// Makes the C function call_NAME that takes its arguments as the driver does: an array of pointers to them.
#define CALLABLE(NAME) \
    extern "C" void call_##NAME(void** arguments) { apply(NAME, arguments); }
template <typename... Arguments>
static void apply(void (*kernel)(Arguments...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<Arguments...>{});
}

// 0: done; 1: the threads wait for each other for ever.
extern "C" int launch(void (*kernel)(void**), void** arguments, int schedule, const unsigned* grid,
                      const unsigned* threads, size_t shared_bytes) {
    const size_t page = 4096, room = (shared_bytes + page - 1) / page * page;
    char* shared = (char*)mmap(nullptr, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(shared + room, page, PROT_NONE);
    shared_memory = (uint4*)(shared + room - shared_bytes);

    dice = 1;
    blockDim = {threads[0], threads[1], 1};
    fibers.resize((size_t)threads[0] * threads[1]);
    body = [=] { kernel(arguments); };
    std::vector<size_t> order((size_t)grid[0] * grid[1]);
    std::iota(order.begin(), order.end(), 0);
    if (schedule == REVERSE) std::reverse(order.begin(), order.end());
    for (size_t i = order.size(); schedule == RANDOM && i > 1; --i) std::swap(order[i - 1], order[any(i)]);
    for (size_t at : order) {
        blockIdx = {(unsigned)(at % grid[0]), (unsigned)(at / grid[0]), 0};
        memset((void*)shared_memory, NOISE, shared_bytes);
        start_block();
        if (!run_block((Schedule)schedule)) return 1;
    }
    munmap(shared, room + page);
    return 0;
}

// The same in a child that has all memory in common with us, which costs no copy of it: as a wait status.
// It tells of a deadly signal by an exit: some kernels of Linux let a dump of its memory end whoever shares that.
extern "C" int launch_apart(void (*kernel)(void**), void** arguments, int schedule, const unsigned* grid,
                            const unsigned* threads, size_t shared_bytes) {
    const pid_t child = vfork();
    if (child == 0) {
        for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) signal(number, [](int it) { _exit(128 + it); });
        _exit(launch(kernel, arguments, schedule, grid, threads, shared_bytes) ? 3 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}
