/* AVX2 with FMA, 16 registers of 8 floats. */
#include "isa.h"

#ifdef __x86_64__
#define HG_NAME "avx2"
#define HG_TABLE hg_kernels_avx2
#define HG_HAS_FMA true
#define HG_LANES 8
#define HG_BLOCK 4096
#define HG_STREAMS false
#define HG_TILE_GROUPS 2

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif

#include "simd/kernels.h"

#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
