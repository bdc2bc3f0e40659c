/* The definitions of likelihoods: one loop in the order of the formula, in double. Targets that are NaN are missing. */
#include "reference.h"

void hg_reference_bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                                   float *loss, float *dlogits) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = n * count; j < (n + 1) * count; j++) {
      const double l = logits[j], t = targets[j];
      if (isnan(t)) {
        if (dlogits) dlogits[j] = 0;
        continue;
      }
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
      sum += distance(isnan(targets[j]) ? 0 : (double)y[j] - targets[j], &slope);
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

static double log_cosh_distance(double d, double *slope) {
  *slope = tanh(d);
  return fabs(d) + log1p(exp(-2 * fabs(d))) - log(2);
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

void hg_reference_log_cosh_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                                 float *dy) {
  sum_of_distances(samples, count, y, targets, loss, dy, log_cosh_distance);
}

void hg_reference_poisson(ptrdiff_t samples, ptrdiff_t count, const float *log_rates, const float *targets, float *loss,
                          float *dlog_rates) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = n * count; j < (n + 1) * count; j++) {
      const double l = log_rates[j], t = targets[j];
      const bool seen = !isnan(t);
      if (seen) sum += exp(l) - t * l + lgamma(t + 1);
      if (dlog_rates) dlog_rates[j] = seen ? (float)(exp(l) - t) : 0;
    }
    if (loss) loss[n] = (float)sum;
  }
}

void hg_reference_multinomial(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                              float *loss, float *dlogits) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    const float *l = logits + n * count, *t = targets + n * count;
    double greatest = -HUGE_VAL, sum = 0, total = 0, terms = 0;
    for (ptrdiff_t j = 0; j < count; j++) greatest = !isnan(t[j]) && !(l[j] <= greatest) ? l[j] : greatest;
    for (ptrdiff_t j = 0; j < count; j++) sum += isnan(t[j]) ? 0 : exp(l[j] - greatest);
    for (ptrdiff_t j = 0; j < count; j++) total += isnan(t[j]) ? 0 : t[j];
    for (ptrdiff_t j = 0; j < count; j++) {
      if (isnan(t[j])) {
        if (dlogits) dlogits[n * count + j] = 0;
        continue;
      }
      const double log_p = l[j] - greatest - log(sum);
      terms += lgamma(t[j] + 1.0) - t[j] * log_p;
      if (dlogits) dlogits[n * count + j] = (float)(total * exp(log_p) - t[j]);
    }
    if (loss) loss[n] = (float)(terms - lgamma(total + 1));
  }
}

static const double two_pi = 6.283185307179586;

void hg_reference_gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                           float *loss, float *dy) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = n * count; j < (n + 1) * count; j++) {
      const bool seen = !isnan(targets[j]);
      const double difference = seen ? (double)y[j] - targets[j] : 0;
      sum += difference * difference / variance + (seen ? log(two_pi * variance) : 0);
      if (dy) dy[j] = (float)(difference / variance);
    }
    if (loss) loss[n] = (float)(sum / 2);
  }
}

/* The sum over elements of a function of the two numbers that the output has of each, the second one clamped, which
 * tells its slopes by both. */
static void sum_of_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                         const float *targets, float *loss, float *dheads,
                         double (*term)(double first, double second, double target, double slopes[2])) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t p = n * pixels; p < (n + 1) * pixels; p++)
      for (ptrdiff_t c = 0; c < channels; c++) {
        const ptrdiff_t first = p * 2 * channels + c, second = first + channels;
        const double head = heads[second], clamped = hg_reference_clamped(head), t = targets[p * channels + c];
        double slopes[2] = {0, 0};
        if (!isnan(t)) sum += term(heads[first], clamped, t, slopes);
        if (dheads) dheads[first] = (float)slopes[0];
        if (dheads) dheads[second] = clamped < head || clamped > head ? 0 : (float)slopes[1];
      }
    if (loss) loss[n] = (float)sum;
  }
}

static double gaussian_term(double mean, double lv, double t, double slopes[2]) {
  const double d = mean - t;
  slopes[0] = d * exp(-lv);
  slopes[1] = (1 - d * d * exp(-lv)) / 2;
  return (d * d * exp(-lv) + lv + log(two_pi)) / 2;
}

/* digamma(z) from z + 20 up, where its series is exact to double. */
static double digamma(double z) {
  double sum = 0;
  for (int k = 0; k < 20; k++) sum -= 1 / (z + k);
  const double x = z + 20, q = 1 / (x * x);
  return sum + log(x) - 1 / (2 * x) - q * (1.0 / 12 - q * (1.0 / 120 - q * (1.0 / 252 - q / 240)));
}

static double negative_binomial_term(double l, double lr, double t, double slopes[2]) {
  const double m = exp(l), r = exp(lr);
  slopes[0] = r * (m - t) / (r + m);
  slopes[1] = r * (digamma(r) - digamma(t + r) + log1p(m / r) + (t - m) / (r + m));
  return lgamma(r) + lgamma(t + 1) - lgamma(t + r) + r * log1p(m / r) - (t > 0 ? t * (l - log(r + m)) : 0);
}

/* ln(1 + exp(x)) */
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

/* F(a) - F(b) = F(a) F(-b) (1 - exp(b - a)), which keeps its digits where both ends are far out. */
static double discretized_logistic_term(double mean, double ls, double t, double slopes[2]) {
  const double s = exp(ls), a = (t + 0.5 / 255 - mean) / s, b = (t - 0.5 / 255 - mean) / s, w = 1 / (255 * s);
  const bool lowest = t<0.5 / 255, highest = t> 1 - 0.5 / 255;
  const double above = highest ? 0 : 1 / (1 + exp(a)), below = lowest ? 0 : 1 / (1 + exp(-b));
  slopes[0] = (above - below) / s;
  slopes[1] = (highest ? 0 : a * above) - (lowest ? 0 : b * below) + (lowest || highest ? 0 : w / expm1(w));
  return (highest ? 0 : softplus(-a)) + (lowest ? 0 : softplus(b)) - (lowest || highest ? 0 : log1p(-exp(-w)));
}

void hg_reference_gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                 const float *targets, float *loss, float *dheads) {
  sum_of_heads(samples, pixels, channels, heads, targets, loss, dheads, gaussian_term);
}

void hg_reference_negative_binomial(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                    const float *targets, float *loss, float *dheads) {
  sum_of_heads(samples, pixels, channels, heads, targets, loss, dheads, negative_binomial_term);
}

void hg_reference_discretized_logistic(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                       const float *targets, float *loss, float *dheads) {
  sum_of_heads(samples, pixels, channels, heads, targets, loss, dheads, discretized_logistic_term);
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
