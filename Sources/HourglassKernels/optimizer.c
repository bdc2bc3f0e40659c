/* Updates of the flat vector. */
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

const char *hg_rmsprop(const hg_rmsprop_options *options, ptrdiff_t count, const float *gradient, float *weights,
                       float *v, float *m) {
  if (!options) return "the options are NULL";
  if (options->size != sizeof *options) return "options.size is not sizeof(hg_rmsprop_options)";
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && v && (m || options->momentum == 0)) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->rmsprop(options, count, gradient, weights, v, m);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_adagrad(const hg_adagrad_options *options, ptrdiff_t count, const float *gradient, float *weights,
                       float *v) {
  if (!options) return "the options are NULL";
  if (options->size != sizeof *options) return "options.size is not sizeof(hg_adagrad_options)";
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && v) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->adagrad(options, count, gradient, weights, v);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_adadelta(const hg_adadelta_options *options, ptrdiff_t count, const float *gradient, float *weights,
                        float *v, float *u) {
  if (!options) return "the options are NULL";
  if (options->size != sizeof *options) return "options.size is not sizeof(hg_adadelta_options)";
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && v && u) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->adadelta(options, count, gradient, weights, v, u);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_penalize(ptrdiff_t count, float scale, float l2, float l1, const float *weights, float *gradient) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->penalize(count, scale, l2, l1, weights, gradient);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_clip(ptrdiff_t count, float scale, float limit, float *gradient) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays(gradient || count == 0));
  if (!(limit > 0)) return "the limit is not above 0";
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->clip(count, scale, limit, gradient);
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
