#include "check.h"
#include "isa.h"

const char *hg_adam(const hg_adam_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
                    float *v) {
  if (!options) return "the options are NULL";
  if (options->size != sizeof *options) return "options.size is not sizeof(hg_adam_options)";
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && m && v) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->adam(options, count, gradient, weights, m, v);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_sgd(const hg_sgd_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m) {
  if (!options) return "the options are NULL";
  if (options->size != sizeof *options) return "options.size is not sizeof(hg_sgd_options)";
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && (m || options->momentum == 0)) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->sgd(options, count, gradient, weights, m);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_moving_average(ptrdiff_t count, float decay, const float *x, float *average) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((x && average) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->moving_average(count, decay, x, average);
  hg_flush_end(mode);
  return NULL;
}
