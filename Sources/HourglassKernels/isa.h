/* The table of kernels: one per instruction set, all compiled from the same sources (simd/), chosen once. */
#ifndef HG_ISA_H
#define HG_ISA_H

#include "include/hourglass_kernels.h"
#include "jobs.h"

/* What the kernels cannot do without; a build that lacks it would compute something else, or refuse every call. */
#if PTRDIFF_MAX < INT64_MAX
#error "the kernels need a processor with 64-bit addresses"
#elif __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the kernels need a processor that is little-endian: random words lie in memory in that order"
#elif defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "the kernels need IEEE 754 arithmetic: compile them without -ffast-math, -Ofast and -ffinite-math-only"
#elif defined(__clang__) ? __clang_major__ < 14 : __GNUC__ < 11
#error "the kernels need gcc 11 or later, or clang 14 or later"
#endif

typedef struct hg_kernels {
  const char *name;
  bool fma;
  ptrdiff_t panel; /* columns of a panel, see hg_panel_width */
#define HG_PART(name) hg_part name;
#define HG_LOOP(result, name, ...) result (*name)(__VA_ARGS__);
#include "ops.def"
} hg_kernels;

/* The table in use; chosen at the first call. */
const hg_kernels *hg_kernels_in_use(void);

/* One table per instruction set that this compiler and this processor family can have. */
extern const hg_kernels hg_kernels_baseline;
#if defined(__x86_64__)
extern const hg_kernels hg_kernels_avx2, hg_kernels_avx512;
#elif defined(__aarch64__)
extern const hg_kernels hg_kernels_neon;
#endif

#endif
