/* The definitions of dropout and Gaussian noise. */
#include "reference.h"

/* The stream of sample n of those that begin with the stream's own. */
static hg_random_stream stream_of(const hg_random_stream *stream, ptrdiff_t n) {
  hg_random_stream own = *stream;
  own.sample += (uint32_t)n;
  return own;
}

void hg_reference_dropout_forward(const hg_random_stream *stream, float rate, ptrdiff_t samples, ptrdiff_t count,
                                  hg_activation input_activation, const float *x, float *y, uint32_t *mask) {
  const ptrdiff_t words = hg_dropout_mask_count(count);
  for (ptrdiff_t i = 0; i < samples * words; i++) mask[i] = 0;
  for (ptrdiff_t n = 0; n < samples; n++) {
    const hg_random_stream own = stream_of(stream, n);
    for (ptrdiff_t j = 0; j < count; j++) {
      const double value = x[n * count + j];
      const bool kept = hg_reference_random_word(&own, (uint64_t)j) >= floor(rate * 4294967296.0 + 0.5);
      y[n * count + j] = kept ? (float)(value / (1 - (double)rate)) : 0;
      if (kept && (input_activation != HG_ACTIVATION_RELU || value > 0)) mask[n * words + j / 32] |= 1u << j % 32;
    }
  }
}

void hg_reference_dropout_backward(float rate, ptrdiff_t samples, ptrdiff_t count, const float *dy,
                                   const uint32_t *mask, hg_activation input_activation, const float *x, float *dx) {
  const ptrdiff_t words = hg_dropout_mask_count(count);
  for (ptrdiff_t n = 0; n < samples; n++)
    for (ptrdiff_t j = 0; j < count; j++) {
      const ptrdiff_t i = n * count + j;
      double d = dy[i] / (1 - (double)rate);
      /* A ReLU is in the mask. */
      if (input_activation != HG_ACTIVATION_RELU) d = hg_reference_gated(input_activation, x, i, d);
      dx[i] = mask[n * words + j / 32] >> j % 32 & 1 ? (float)d : 0;
    }
}

void hg_reference_gaussian_noise(const hg_random_stream *stream, float deviation, ptrdiff_t samples, ptrdiff_t count,
                                 const float *x, float *y) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    const hg_random_stream own = stream_of(stream, n);
    for (ptrdiff_t j = 0; j < count; j++)
      y[n * count + j] = (float)(x[n * count + j] + (double)deviation * hg_reference_normal(&own, (uint64_t)j));
  }
}
