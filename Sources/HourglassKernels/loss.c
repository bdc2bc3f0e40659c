#include "isa.h"

void hg_bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                         float *dlogits) {
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->bernoulli_logits(samples, count, logits, targets, loss, dlogits);
  hg_flush_end(mode);
}

void hg_squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                      float *dy) {
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->squared_error(samples, count, y, targets, loss, dy);
  hg_flush_end(mode);
}
