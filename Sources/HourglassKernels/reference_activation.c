/* The definitions of activations: one loop, in double. */
#include "reference.h"

void hg_reference_activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = (float)hg_reference_activated(activation, x[i]);
}

void hg_reference_activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy,
                                      float *dx) {
  for (ptrdiff_t i = 0; i < count; i++) dx[i] = (float)hg_reference_gated(activation, y, i, dy[i]);
}

void hg_reference_activation_backward_input(hg_activation activation, ptrdiff_t count, const float *x, const float *dy,
                                            float *dx) {
  const double root = 2.5066282746310002; /* of 2 pi */
  for (ptrdiff_t i = 0; i < count; i++) {
    const double s = x[i], sigmoid = 1 / (1 + exp(-s)), t = tanh((s <= 0 ? 0 : s) + log1p(exp(-fabs(s))));
    double slope = 1;
    switch (activation) {
      case HG_ACTIVATION_GELU:
        slope = erfc(-s / sqrt(2)) / 2 + s * exp(-s * s / 2) / root;
        break;
      case HG_ACTIVATION_SILU:
        slope = sigmoid * (1 + s * (1 - sigmoid));
        break;
      case HG_ACTIVATION_MISH:
        slope = t + s * (1 - t * t) * sigmoid;
        break;
      default: /* hard swish */
        slope = s <= -3 ? 0 : s >= 3 ? 1 : s / 3 + 0.5;
    }
    dx[i] = (float)(dy[i] * slope);
  }
}

void hg_reference_prelu_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *slope, float *y) {
  for (ptrdiff_t i = 0; i < positions * channels; i++)
    y[i] = x[i] > 0 ? x[i] : (float)((double)slope[i % channels] * x[i]);
}

void hg_reference_prelu_backward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *dy,
                                 const float *slope, bool accumulate, float *dx, float *dslope) {
  for (ptrdiff_t c = 0; c < channels && dslope; c++) {
    double sum = accumulate ? dslope[c] : 0;
    for (ptrdiff_t i = c; i < positions * channels; i += channels) sum += x[i] > 0 ? 0 : (double)x[i] * dy[i];
    dslope[c] = (float)sum;
  }
  for (ptrdiff_t i = 0; i < positions * channels && dx; i++)
    dx[i] = x[i] > 0 ? dy[i] : (float)((double)slope[i % channels] * dy[i]);
}

void hg_reference_softmax_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, float *y) {
  for (ptrdiff_t m = 0; m < positions; m++, x += channels, y += channels) {
    double greatest = -INFINITY, sum = 0;
    for (ptrdiff_t c = 0; c < channels; c++) greatest = x[c] > greatest ? x[c] : greatest;
    for (ptrdiff_t c = 0; c < channels; c++) sum += exp(x[c] - greatest);
    for (ptrdiff_t c = 0; c < channels; c++) y[c] = (float)(exp(x[c] - greatest) / sum);
  }
}

void hg_reference_softmax_backward(ptrdiff_t positions, ptrdiff_t channels, const float *y, const float *dy,
                                   float *dx) {
  for (ptrdiff_t m = 0; m < positions; m++, y += channels, dy += channels, dx += channels) {
    double sum = 0;
    for (ptrdiff_t c = 0; c < channels; c++) sum += (double)y[c] * dy[c];
    for (ptrdiff_t c = 0; c < channels; c++) dx[c] = (float)(y[c] * (dy[c] - sum));
  }
}
