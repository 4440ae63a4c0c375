// Read memory and do nothing with it: the speed that a product which reads every weight once is measured against.
//
// Launch: block (256), grid (ceil(count / 1024)); a thread reads four vectors, as many at a time as gemv.cu does.

extern "C" __global__ void read_all(const uint4* __restrict__ from, unsigned* __restrict__ found, size_t count) {
    const size_t first = (size_t)blockIdx.x * 1024 + threadIdx.x;
    unsigned joined = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i)
        if (first + i * 256 < count) {
            const uint4 vector = from[first + i * 256];
            joined |= vector.x | vector.y | vector.z | vector.w;
        }
    if (joined == 0xffffffffu) atomicAdd(found, 1u);  // or the compiler would leave the reading away
}
