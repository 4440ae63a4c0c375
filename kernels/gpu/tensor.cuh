// The two instructions of sm_80 that the products are made of: the matrix multiply and the copy that waits for nobody.
//
// A test that runs the kernels on the CPU defines CUDA_ON_CPU and brings its own.

#ifndef CUDA_ON_CPU

extern __shared__ uint4 shared_memory[];

// sum (16, 8) += a (16, 32) · b (32, 8), a warp together. With group = lane / 4 and quarter = lane % 4 a lane holds
//
//     a[0]  row group      columns 4 quarter …      a[2]  the same row    columns 16 + 4 quarter …
//     a[1]  row group + 8  columns 4 quarter …      a[3]  the same row    columns 16 + 4 quarter …
//     b0    token group    columns 4 quarter …      b1    the same token  columns 16 + 4 quarter …
//     sum[0], sum[1]  row group      tokens 2 quarter, 2 quarter + 1
//     sum[2], sum[3]  row group + 8  the same tokens
//
// Which column of the matrix a column of a and b is matters to nobody, as long as the two agree.
__device__ __forceinline__ void multiply_add(int (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+r"(sum[0]), "+r"(sum[1]), "+r"(sum[2]), "+r"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Copy 16 bytes into shared memory, or zeros where `there` is false: then nothing is read.
__device__ __forceinline__ void start_copy(uint4* shared, const uint4* global, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(shared)),
                 "l"(global), "r"(there ? 16 : 0)
                 : "memory");
}

// Until every copy this thread has started is done; the other threads' need a barrier too.
__device__ __forceinline__ void finish_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

#endif
