/* The definitions of likelihoods: one loop in the order of the formula, in double. */
#include "reference.h"

void hg_reference_bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                                   float *loss, float *dlogits) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = n * count; j < (n + 1) * count; j++) {
      const double l = logits[j], t = targets[j];
      sum += (l <= 0 ? 0 : l) - l * t + log1p(exp(-fabs(l)));
      if (dlogits) dlogits[j] = (float)(hg_reference_activated(HG_ACTIVATION_SIGMOID, l) - t);
    }
    if (loss) loss[n] = (float)sum;
  }
}

/* The sum over elements of a function of the difference to the target, which tells its slope too. */
static void sum_of_distances(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                             float *dy, double (*distance)(double difference, double *slope)) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0, slope = 0;
    for (ptrdiff_t j = n * count; j < (n + 1) * count; j++) {
      sum += distance((double)y[j] - targets[j], &slope);
      if (dy) dy[j] = (float)slope;
    }
    if (loss) loss[n] = (float)sum;
  }
}

static double squared_distance(double d, double *slope) {
  *slope = 2 * d;
  return d * d;
}

static double absolute_distance(double d, double *slope) {
  *slope = d > 0 ? 1 : d < 0 ? -1 : d;
  return fabs(d);
}

static double huber_distance(double d, double *slope) {
  *slope = d > 1 ? 1 : d < -1 ? -1 : d;
  return fabs(d) <= 1 ? d * d / 2 : fabs(d) - 0.5;
}

void hg_reference_squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                                float *dy) {
  sum_of_distances(samples, count, y, targets, loss, dy, squared_distance);
}

void hg_reference_absolute_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                                 float *dy) {
  sum_of_distances(samples, count, y, targets, loss, dy, absolute_distance);
}

void hg_reference_huber_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy) {
  sum_of_distances(samples, count, y, targets, loss, dy, huber_distance);
}

static const double two_pi = 6.283185307179586;

void hg_reference_gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                           float *loss, float *dy) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = n * count; j < (n + 1) * count; j++) {
      const double difference = (double)y[j] - targets[j];
      sum += difference * difference / variance + log(two_pi * variance);
      if (dy) dy[j] = (float)(difference / variance);
    }
    if (loss) loss[n] = (float)(sum / 2);
  }
}

void hg_reference_gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                 const float *targets, float *loss, float *dheads) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t p = n * pixels; p < (n + 1) * pixels; p++)
      for (ptrdiff_t c = 0; c < channels; c++) {
        const ptrdiff_t m = p * 2 * channels + c, v = m + channels;
        const double head = heads[v], lv = hg_reference_clamped(head), d = (double)heads[m] - targets[p * channels + c];
        sum += d * d * exp(-lv) + lv + log(two_pi);
        if (dheads) dheads[m] = (float)(d * exp(-lv));
        if (dheads) dheads[v] = lv < head || lv > head ? 0 : (float)((1 - d * d * exp(-lv)) / 2);
      }
    if (loss) loss[n] = (float)(sum / 2);
  }
}

void hg_reference_softmax_cross_entropy(ptrdiff_t samples, ptrdiff_t classes, const float *logits,
                                        const int32_t *labels, float *loss, float *dlogits) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    const float *l = logits + n * classes;
    double greatest = l[0], sum = 0;
    for (ptrdiff_t j = 0; j < classes; j++) greatest = l[j] > greatest ? l[j] : greatest;
    for (ptrdiff_t j = 0; j < classes; j++) sum += exp(l[j] - greatest);
    if (loss) loss[n] = (float)(log(sum) - (l[labels[n]] - greatest));
    for (ptrdiff_t j = 0; dlogits && j < classes; j++)
      dlogits[n * classes + j] = (float)(exp(l[j] - greatest) / sum - (j == labels[n]));
  }
}
