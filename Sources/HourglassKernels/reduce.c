#include "isa.h"

void hg_sum_shards(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients, bool accumulate,
                   float *sum) {
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->sum_shards(count, shards, stride, gradients, accumulate, sum);
  hg_flush_end(mode);
}

/* Compares bits only. */
ptrdiff_t hg_first_nonfinite(ptrdiff_t count, const float *x) { return hg_kernels_in_use()->first_nonfinite(count, x); }

double hg_sum_of_squares(ptrdiff_t count, const float *x) {
  const uint64_t mode = hg_flush_begin();
  const double sum = hg_kernels_in_use()->sum_of_squares(count, x);
  hg_flush_end(mode);
  return sum;
}
