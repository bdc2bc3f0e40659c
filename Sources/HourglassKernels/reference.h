/* What the definitions have in common. */
#ifndef HG_REFERENCE_H
#define HG_REFERENCE_H

#include <math.h>

#include "include/hourglass_reference.h"

/* What a leaky ReLU multiplies sums below 0 by. */
static inline double hg_reference_slope(hg_activation activation) {
  const int32_t parts = (int32_t)activation >> 8;
  return parts ? (double)parts / 10000 : 0.01;
}

static inline double hg_reference_within(double s, double least, double most) {
  return s <= least ? least : s >= most ? most : s;
}

static inline double hg_reference_activated(hg_activation activation, double s) {
  switch ((int32_t)activation & 0xff) {
    case HG_ACTIVATION_RELU:
      return s <= 0 ? 0 : s;
    case HG_ACTIVATION_SIGMOID:
      return 1 / (1 + exp(-s));
    case HG_ACTIVATION_TANH:
      return tanh(s);
    case HG_ACTIVATION_SOFTPLUS:
      return (s <= 0 ? 0 : s) + log1p(exp(-fabs(s)));
    case HG_ACTIVATION_ELU:
      return s > 0 ? s : expm1(s);
    case HG_ACTIVATION_LEAKY_RELU:
      return s > 0 ? s : s * hg_reference_slope(activation);
    case HG_ACTIVATION_SELU:
      return HG_SELU_SCALE * (s > 0 ? s : HG_SELU_ALPHA * expm1(s));
    case HG_ACTIVATION_RELU6:
      return hg_reference_within(s, 0, 6);
    case HG_ACTIVATION_HARD_SIGMOID:
      return hg_reference_within(s / 6 + 0.5, 0, 1);
    case HG_ACTIVATION_HARD_TANH:
      return hg_reference_within(s, -1, 1);
    case HG_ACTIVATION_GELU:
      return s * (erfc(-s / sqrt(2)) / 2);
    case HG_ACTIVATION_SILU:
      return s / (1 + exp(-s));
    case HG_ACTIVATION_MISH:
      return s * tanh((s <= 0 ? 0 : s) + log1p(exp(-fabs(s))));
    case HG_ACTIVATION_HARD_SWISH:
      return s * hg_reference_within(s / 6 + 0.5, 0, 1);
    default:
      return s;
  }
}

/* a'(s) times the error, the derivative by the output y[i] = a(s), which is not read where a is linear. A closed ReLU
 * passes zero, whatever the error is. */
static inline double hg_reference_gated(hg_activation activation, const float *y, ptrdiff_t i, double error) {
  switch ((int32_t)activation & 0xff) {
    case HG_ACTIVATION_RELU:
      return y[i] > 0 ? error : 0;
    case HG_ACTIVATION_SIGMOID:
      return error * y[i] * (1 - (double)y[i]);
    case HG_ACTIVATION_TANH:
      return error * (1 - (double)y[i]) * (1 + (double)y[i]);
    case HG_ACTIVATION_SOFTPLUS:
      return error * -expm1(-(double)y[i]);
    case HG_ACTIVATION_ELU:
      return y[i] > 0 ? error : error * ((double)y[i] + 1);
    case HG_ACTIVATION_LEAKY_RELU:
      return y[i] > 0 ? error : error * hg_reference_slope(activation);
    case HG_ACTIVATION_SELU:
      return error * (y[i] > 0 ? HG_SELU_SCALE : y[i] + HG_SELU_SCALE * HG_SELU_ALPHA);
    case HG_ACTIVATION_RELU6:
      return y[i] > 0 && y[i] < 6 ? error : 0;
    case HG_ACTIVATION_HARD_SIGMOID:
      return y[i] > 0 && y[i] < 1 ? error / 6 : 0;
    case HG_ACTIVATION_HARD_TANH:
      return y[i] > -1 && y[i] < 1 ? error : 0;
    default:
      return error;
  }
}

#define HG_FOR(index, extent) for (ptrdiff_t index = 0; index < (extent); index++)

/* Indices of x[n, h, w, c] and y[n, p, q, k]. */
static inline ptrdiff_t hg_reference_large(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c) {
  const ptrdiff_t pixel = g->large_pixel_stride ? g->large_pixel_stride : g->large_channels;
  const ptrdiff_t row = g->large_row_stride ? g->large_row_stride : g->large_width * pixel;
  return n * (g->large_sample_stride ? g->large_sample_stride : g->large_height * row) + h * row + w * pixel + c;
}
static inline ptrdiff_t hg_reference_small(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t p, ptrdiff_t q, ptrdiff_t k) {
  const ptrdiff_t pixel = g->small_pixel_stride ? g->small_pixel_stride : g->small_channels;
  const ptrdiff_t row = g->small_row_stride ? g->small_row_stride : g->small_width * pixel;
  return n * (g->small_sample_stride ? g->small_sample_stride : g->small_height * row) + p * row + q * pixel + k;
}

/* A log-variance within the range of its use; NaN stays NaN. */
static inline double hg_reference_clamped(double log_variance) {
  if (log_variance < HG_LOG_VARIANCE_MIN) return HG_LOG_VARIANCE_MIN;
  if (log_variance > HG_LOG_VARIANCE_MAX) return HG_LOG_VARIANCE_MAX;
  return log_variance;
}

/* Word i of a stream, and its normal value i. */
uint32_t hg_reference_random_word(const hg_random_stream *stream, uint64_t i);
double hg_reference_normal(const hg_random_stream *stream, uint64_t i);

#endif
