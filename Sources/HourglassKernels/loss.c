/* Likelihoods: outputs compared with targets. */
#include "check.h"
#include "isa.h"

/* A likelihood that compares each output with its target. */
static const char *compared(void (*kernel)(ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *),
                            ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                            float *dy) {
  HG_CHECK(hg_check_count(samples, count));
  HG_CHECK(hg_check_arrays((y && targets) || samples * count == 0));
  const uint64_t mode = hg_flush_begin();
  kernel(samples, count, y, targets, loss, dy);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                                float *loss, float *dlogits) {
  return compared(hg_kernels_in_use()->bernoulli_logits, samples, count, logits, targets, loss, dlogits);
}

const char *hg_softmax_cross_entropy(ptrdiff_t samples, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                     float *loss, float *dlogits) {
  HG_CHECK(hg_check_count(samples, classes));
  HG_CHECK(hg_check_arrays(samples == 0 || (labels && (logits || classes == 0))));
  for (ptrdiff_t n = 0; n < samples; n++)
    if (labels[n] < 0 || labels[n] >= classes) return "a label is none of the classes";
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->softmax_cross_entropy(samples, classes, logits, labels, loss, dlogits);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                             float *dy) {
  return compared(hg_kernels_in_use()->squared_error, samples, count, y, targets, loss, dy);
}

const char *hg_absolute_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy) {
  return compared(hg_kernels_in_use()->absolute_error, samples, count, y, targets, loss, dy);
}

const char *hg_huber_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                           float *dy) {
  return compared(hg_kernels_in_use()->huber_error, samples, count, y, targets, loss, dy);
}

const char *hg_log_cosh_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy) {
  return compared(hg_kernels_in_use()->log_cosh_error, samples, count, y, targets, loss, dy);
}

const char *hg_poisson(ptrdiff_t samples, ptrdiff_t count, const float *log_rates, const float *targets, float *loss,
                       float *dlog_rates) {
  return compared(hg_kernels_in_use()->poisson, samples, count, log_rates, targets, loss, dlog_rates);
}

const char *hg_multinomial(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                           float *dlogits) {
  return compared(hg_kernels_in_use()->multinomial, samples, count, logits, targets, loss, dlogits);
}

const char *hg_gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                        float *loss, float *dy) {
  HG_CHECK(hg_check_count(samples, count));
  HG_CHECK(hg_check_arrays((y && targets) || samples * count == 0));
  if (!(variance >= 0x1p-126f && variance <= 0x1p124f)) return "the variance is not between 2^-126 and 2^124";
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->gaussian(samples, count, variance, y, targets, loss, dy);
  hg_flush_end(mode);
  return NULL;
}

/* A likelihood with two numbers of the output for each target. */
static const char *headed(void (*kernel)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *, float *,
                                         float *),
                          ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                          const float *targets, float *loss, float *dheads) {
  HG_CHECK(hg_check_count(pixels, channels));
  HG_CHECK(hg_check_count(samples, 2 * pixels * channels));
  HG_CHECK(hg_check_arrays((heads && targets) || samples * pixels * channels == 0));
  const uint64_t mode = hg_flush_begin();
  kernel(samples, pixels, channels, heads, targets, loss, dheads);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                              const float *targets, float *loss, float *dheads) {
  return headed(hg_kernels_in_use()->gaussian_heads, samples, pixels, channels, heads, targets, loss, dheads);
}

const char *hg_negative_binomial(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                 const float *targets, float *loss, float *dheads) {
  return headed(hg_kernels_in_use()->negative_binomial, samples, pixels, channels, heads, targets, loss, dheads);
}

const char *hg_discretized_logistic(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                    const float *targets, float *loss, float *dheads) {
  return headed(hg_kernels_in_use()->discretized_logistic, samples, pixels, channels, heads, targets, loss, dheads);
}
