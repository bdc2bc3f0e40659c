/* Layers that draw random numbers while training. */
#include "isa.h"

ptrdiff_t hg_dropout_mask_count(ptrdiff_t count) { return hg_ceil_div(count, HG_RUN); }

/* Both in double: 1 - rate would round twice, and rate 2^32 + 1/2 is no float. */
static float dropout_scale(float rate) { return (float)(1 / (1 - (double)rate)); }
static uint32_t dropout_threshold(float rate) { return (uint32_t)((double)rate * 0x1p32 + 0.5); }

void hg_dropout_forward(const hg_random_stream *stream, float rate, ptrdiff_t samples, ptrdiff_t count,
                        hg_activation input_activation, const float *x, float *y, uint32_t *mask,
                        const hg_parallel *parallel) {
  const hg_noise_job job = {.stream = *stream,
                            .threshold = dropout_threshold(rate),
                            .scale = dropout_scale(rate),
                            .samples = samples,
                            .count = count,
                            .activation = input_activation,
                            .in = x,
                            .out = y,
                            .kept = mask};
  hg_run(hg_kernels_in_use()->dropout_forward, &job, parallel);
}

void hg_dropout_backward(float rate, ptrdiff_t samples, ptrdiff_t count, const float *dy, const uint32_t *mask,
                         hg_activation input_activation, const float *x, float *dx, const hg_parallel *parallel) {
  const hg_noise_job job = {.scale = dropout_scale(rate),
                            .samples = samples,
                            .count = count,
                            .activation = input_activation,
                            .in = dy,
                            .x = x,
                            .out = dx,
                            .mask = mask};
  hg_run(hg_kernels_in_use()->dropout_backward, &job, parallel);
}

void hg_gaussian_noise(const hg_random_stream *stream, float deviation, ptrdiff_t samples, ptrdiff_t count,
                       const float *x, float *y, const hg_parallel *parallel) {
  const hg_noise_job job = {
      .stream = *stream, .scale = deviation, .samples = samples, .count = count, .in = x, .out = y};
  hg_run(hg_kernels_in_use()->gaussian_noise, &job, parallel);
}
