/* Layers that draw random numbers while training. */
#include "check.h"
#include "isa.h"

ptrdiff_t hg_dropout_mask_count(ptrdiff_t count) { return count < 0 ? -1 : hg_ceil_div(count, HG_RUN); }

/* In double, where nothing is rounded: rate 2^32 + 1/2 is no float. */
static uint32_t dropout_threshold(float rate) { return (uint32_t)((double)rate * 0x1p32 + 0.5); }

/* What every call asks. `arrays`: whether those are there that it needs where there are values. */
static const char *check(ptrdiff_t samples, ptrdiff_t count, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, count));
  HG_CHECK(hg_check_arrays(arrays || samples == 0 || count == 0));
  return hg_parallel_check(parallel);
}

static const char *check_rate(float rate) {
  return rate >= 0 && rate < 1 ? NULL : HG_BAD_VALUE("the rate of dropout is not within 0 and 1, or is 1");
}

const char *hg_dropout_forward(const hg_random_stream *stream, float rate, ptrdiff_t samples, ptrdiff_t count,
                               hg_activation input_activation, const float *x, float *y, uint32_t *mask,
                               const hg_parallel *parallel) {
  HG_CHECK(hg_check_stream(stream));
  HG_CHECK(check_rate(rate));
  HG_CHECK(hg_check_activation(input_activation));
  HG_CHECK(check(samples, count, x && y && mask, parallel));
  const hg_noise_job job = {.stream = *stream,
                            .threshold = dropout_threshold(rate),
                            .rate = rate,
                            .samples = samples,
                            .count = count,
                            .activation = input_activation,
                            .in = x,
                            .out = y,
                            .kept = mask};
  hg_run(hg_kernels_in_use()->dropout_forward, &job, parallel);
  return NULL;
}

const char *hg_dropout_backward(float rate, ptrdiff_t samples, ptrdiff_t count, const float *dy, const uint32_t *mask,
                                hg_activation input_activation, const float *x, float *dx,
                                const hg_parallel *parallel) {
  HG_CHECK(check_rate(rate));
  HG_CHECK(hg_check_activation(input_activation));
  HG_CHECK(check(samples, count, dy && mask && dx && (x || hg_is_fused(input_activation)), parallel));
  const hg_noise_job job = {.rate = rate,
                            .samples = samples,
                            .count = count,
                            .activation = input_activation,
                            .in = dy,
                            .x = x,
                            .out = dx,
                            .mask = mask};
  hg_run(hg_kernels_in_use()->dropout_backward, &job, parallel);
  return NULL;
}

const char *hg_gaussian_noise(const hg_random_stream *stream, float deviation, ptrdiff_t samples, ptrdiff_t count,
                              const float *x, float *y, const hg_parallel *parallel) {
  HG_CHECK(hg_check_stream(stream));
  HG_CHECK(check(samples, count, x && y, parallel));
  const hg_noise_job job = {
      .stream = *stream, .deviation = deviation, .samples = samples, .count = count, .in = x, .out = y};
  hg_run(hg_kernels_in_use()->gaussian_noise, &job, parallel);
  return NULL;
}
