#include "isa.h"

void hg_adam(const hg_adam_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
             float *v) {
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->adam(options, count, gradient, weights, m, v);
  hg_flush_end(mode);
}

void hg_sgd(const hg_sgd_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m) {
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->sgd(options, count, gradient, weights, m);
  hg_flush_end(mode);
}
