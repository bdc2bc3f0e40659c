/* What the definitions have in common: activations in double. */
#ifndef HG_REFERENCE_H
#define HG_REFERENCE_H

#include <math.h>

#include "include/hourglass_reference.h"

static inline double hg_reference_activated(hg_activation activation, double s) {
  switch (activation) {
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
      return s > 0 ? s : s / 100;
    default:
      return s;
  }
}

/* a'(s) times the error, the derivative by the output y[i] = a(s), which is not read where a is linear. A closed ReLU
 * passes zero, whatever the error is. */
static inline double hg_reference_gated(hg_activation activation, const float *y, ptrdiff_t i, double error) {
  switch (activation) {
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
      return y[i] > 0 ? error : error / 100;
    default:
      return error;
  }
}

#endif
