/* The definitions of activations: one loop, in double. */
#include "reference.h"

void hg_reference_activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = (float)hg_reference_activated(activation, x[i]);
}

void hg_reference_activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy,
                                      float *dx) {
  for (ptrdiff_t i = 0; i < count; i++) dx[i] = (float)hg_reference_gated(activation, y, i, dy[i]);
}

void hg_reference_gelu_forward(ptrdiff_t count, const float *x, float *y) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = (float)(x[i] * (erfc(-x[i] / sqrt(2)) / 2));
}

void hg_reference_gelu_backward(ptrdiff_t count, const float *x, const float *dy, float *dx) {
  const double root = 2.5066282746310002; /* of 2 pi */
  for (ptrdiff_t i = 0; i < count; i++) {
    const double s = x[i];
    dx[i] = (float)(dy[i] * (erfc(-s / sqrt(2)) / 2 + s * exp(-s * s / 2) / root));
  }
}
