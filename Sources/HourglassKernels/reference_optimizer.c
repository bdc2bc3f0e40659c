/* The definitions of updates: one loop in the order of the formula, in double. */
#include "reference.h"

void hg_reference_adam(const hg_adam_options *o, ptrdiff_t count, const float *gradient, float *weights, float *m,
                       float *v) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double g = (double)o->gradient_scale * gradient[i];
    const double mean = o->beta1 * (double)m[i] + (1 - (double)o->beta1) * g;
    const double square = o->beta2 * (double)v[i] + (1 - (double)o->beta2) * g * g;
    const double w = weights[i] - (double)o->learning_rate * o->weight_decay * weights[i];
    m[i] = (float)mean;
    v[i] = (float)square;
    weights[i] = (float)(w - o->learning_rate * (mean / o->correction1) / (sqrt(square / o->correction2) + o->epsilon));
  }
}

void hg_reference_sgd(const hg_sgd_options *o, ptrdiff_t count, const float *gradient, float *weights, float *m) {
  for (ptrdiff_t i = 0; i < count; i++) {
    double direction = (double)o->gradient_scale * gradient[i] + (double)o->weight_decay * weights[i];
    if (m) {
      const double moment = direction + (double)o->momentum * m[i];
      direction = o->nesterov ? direction + o->momentum * moment : moment;
      m[i] = (float)moment;
    }
    weights[i] = (float)(weights[i] - o->learning_rate * direction);
  }
}

void hg_reference_rmsprop(const hg_rmsprop_options *o, ptrdiff_t count, const float *gradient, float *weights, float *v,
                          float *m) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double g = (double)o->gradient_scale * gradient[i];
    const double square = o->alpha * (double)v[i] + (1 - (double)o->alpha) * g * g;
    const double step = (m ? (double)o->momentum * m[i] : 0) + g / (sqrt(square) + o->epsilon);
    v[i] = (float)square;
    if (m) m[i] = (float)step;
    weights[i] = (float)(weights[i] - o->learning_rate * step);
  }
}

void hg_reference_adagrad(const hg_adagrad_options *o, ptrdiff_t count, const float *gradient, float *weights,
                          float *v) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double g = (double)o->gradient_scale * gradient[i], square = v[i] + g * g;
    v[i] = (float)square;
    weights[i] = (float)(weights[i] - o->learning_rate * g / (sqrt(square) + o->epsilon));
  }
}

void hg_reference_adadelta(const hg_adadelta_options *o, ptrdiff_t count, const float *gradient, float *weights,
                           float *v, float *u) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double g = (double)o->gradient_scale * gradient[i], rho = o->rho, rest = 1 - (double)o->rho;
    const double square = rho * v[i] + rest * g * g;
    const double step = g * sqrt((double)u[i] + o->epsilon) / sqrt(square + o->epsilon);
    v[i] = (float)square;
    u[i] = (float)(rho * u[i] + rest * step * step);
    weights[i] = (float)(weights[i] - o->learning_rate * step);
  }
}

void hg_reference_penalize(ptrdiff_t count, float scale, float l2, float l1, const float *weights, float *gradient) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double w = weights[i];
    gradient[i] = (float)((double)scale * gradient[i] + l2 * w + (w > 0 ? l1 : w < 0 ? -l1 : l1 * w));
  }
}

void hg_reference_clip(ptrdiff_t count, float scale, float limit, float *gradient) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const double g = (double)scale * gradient[i];
    gradient[i] = (float)(g > limit ? limit : g < -limit ? -limit : g);
  }
}

void hg_reference_moving_average(ptrdiff_t count, float decay, const float *x, float *average) {
  for (ptrdiff_t i = 0; i < count; i++) average[i] = (float)((double)decay * average[i] + (1 - (double)decay) * x[i]);
}
