/* What every processor of the family has; without FMA on x86-64, so its bits differ from the others'. */
#include "isa.h"

#define HG_NAME "baseline"
#define HG_TABLE hg_kernels_baseline
#if defined(__FMA__) || defined(__aarch64__)
#define HG_HAS_FMA true
#else
#define HG_HAS_FMA false
#endif
#define HG_LANES 4
#define HG_BLOCK 4096
#define HG_STREAMS false
#define HG_TILE_GROUPS 1
#define HG_TILE_ROWS 3
#define HG_SMALL

#include "simd/kernels.h"
