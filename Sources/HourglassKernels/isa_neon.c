/* NEON of 64-bit ARM, always with FMA: 32 registers of 4 floats. */
#include "isa.h"

#ifdef __aarch64__
#define HG_NAME "neon"
#define HG_TABLE hg_kernels_neon
#define HG_HAS_FMA true
#define HG_LANES 4
#define HG_BLOCK 4096
#define HG_STREAMS false
#define HG_TILE_GROUPS 1
#define HG_TILE_ROWS 6

#include "simd/kernels.h"
#endif
