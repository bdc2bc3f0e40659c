#include "isa.h"

/* No value made here, nor any between, is denormal: the floating-point mode does not matter. */

void hg_random_bits(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out) {
  hg_kernels_in_use()->random_bits(stream, first, count, out);
}

void hg_random_uniform(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  hg_kernels_in_use()->random_uniform(stream, first, count, out);
}

void hg_random_normal(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  hg_kernels_in_use()->random_normal(stream, first, count, out);
}
