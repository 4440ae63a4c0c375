// A half as a float, exactly. Needs no header of CUDA's, which NVRTC might not find.
//
// A test that runs the kernels on the CPU defines CUDA_ON_CPU and brings its own.

#ifndef CUDA_ON_CPU

__device__ __forceinline__ float widened(unsigned short half) {
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(half));
    return wide;
}

#endif
