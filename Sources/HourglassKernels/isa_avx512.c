/* AVX-512 with FMA, 32 registers of 16 floats. */
#include "isa.h"

#ifdef __x86_64__
#define HG_NAME "avx512"
#define HG_TABLE hg_kernels_avx512
#define HG_HAS_FMA true
#define HG_LANES 16
#define HG_BLOCK 8192
#define HG_STREAMS true
#define HG_TILE_GROUPS 4

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,fma")
#endif

#include "simd/kernels.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
