/* Activations and the Gaussian latent.
 *
 * Each loop body takes n <= 16 elements; n is 16 but for the tail, which runs the same operations on the lanes it has.
 * So the value of an element does not depend on its place, nor on how a range is divided. */
#include "transcendental.h"

/* 1 / (1 + exp(-x)): 0 where exp(-x) overflows, 1 where it vanishes. */
INLINE v16 v16_sigmoid(v16 x) { return 1.0f / (1.0f + v16_exp(-x)); }

/* Within 3 ulp (2.50): the sign of x on (1 - t) / (1 + t) with t = exp(-2 |x|), 1 - t being found without rounding t.
 */
INLINE v16 v16_tanh(v16 x) {
  const v16 e = v16_expm1_negative(-2.0f * v16_abs(x));
  return v16_flip(v16_abs(e / (e + 2.0f)), (v16i)x & INT32_MIN);
}

/* Within 2 ulp (1.78): max(x, 0) + ln(1 + exp(-|x|)). */
INLINE v16 v16_softplus(v16 x) { return v16_relu(x) + v16_log1p_unit(v16_exp(-v16_abs(x))); }

INLINE v16 v16_activate(hg_activation activation, v16 s) {
  switch (activation) {
    case HG_ACTIVATION_RELU:
      return v16_select(s <= v16_splat(0), v16_splat(0), s); /* +0 for denormals and -0, NaN for NaN */
    case HG_ACTIVATION_SIGMOID:
      return v16_sigmoid(s);
    case HG_ACTIVATION_TANH:
      return v16_tanh(s);
    case HG_ACTIVATION_SOFTPLUS:
      return v16_softplus(s);
    case HG_ACTIVATION_ELU:
      return v16_select(s > v16_splat(0), s, v16_expm1_negative(s));
    case HG_ACTIVATION_LEAKY_RELU:
      return v16_select(s > v16_splat(0), s, s * 0.01f);
    default:
      return s;
  }
}

/* dy a'(y). A closed ReLU passes zero, whatever dy is. */
INLINE v16 v16_activate_backward(hg_activation activation, v16 y, v16 dy) {
  switch (activation) {
    case HG_ACTIVATION_RELU:
      return v16_select(y > v16_splat(0), dy, v16_splat(0));
    case HG_ACTIVATION_SIGMOID:
      return dy * (y * (1.0f - y));
    case HG_ACTIVATION_TANH:
      return dy * ((1.0f - y) * (1.0f + y));
    case HG_ACTIVATION_SOFTPLUS:
      return dy * -v16_expm1_negative(-y);
    case HG_ACTIVATION_ELU:
      return v16_select(y > v16_splat(0), dy, dy * (y + 1.0f));
    case HG_ACTIVATION_LEAKY_RELU:
      return v16_select(y > v16_splat(0), dy, dy * 0.01f);
    default:
      return dy;
  }
}

INLINE void activate_part(hg_activation activation, const float *x, float *y, ptrdiff_t n) {
  v16_store_part(y, v16_activate(activation, v16_load_part(x, n)), n);
}

INLINE void activate_all(hg_activation activation, ptrdiff_t count, const float *x, float *y) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) activate_part(activation, x + i, y + i, 16);
  if (i < count) activate_part(activation, x + i, y + i, count - i);
}

static void activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y) {
  switch (activation) {
    case HG_ACTIVATION_RELU:
      return activate_all(HG_ACTIVATION_RELU, count, x, y);
    case HG_ACTIVATION_SIGMOID:
      return activate_all(HG_ACTIVATION_SIGMOID, count, x, y);
    case HG_ACTIVATION_TANH:
      return activate_all(HG_ACTIVATION_TANH, count, x, y);
    case HG_ACTIVATION_SOFTPLUS:
      return activate_all(HG_ACTIVATION_SOFTPLUS, count, x, y);
    case HG_ACTIVATION_ELU:
      return activate_all(HG_ACTIVATION_ELU, count, x, y);
    case HG_ACTIVATION_LEAKY_RELU:
      return activate_all(HG_ACTIVATION_LEAKY_RELU, count, x, y);
    default:
      return activate_all(HG_ACTIVATION_LINEAR, count, x, y);
  }
}

INLINE void gate_part(hg_activation activation, const float *y, const float *dy, float *dx, ptrdiff_t n) {
  v16_store_part(dx, v16_activate_backward(activation, v16_load_part(y, n), v16_load_part(dy, n)), n);
}

INLINE void gate_all(hg_activation activation, ptrdiff_t count, const float *y, const float *dy, float *dx) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) gate_part(activation, y + i, dy + i, dx + i, 16);
  if (i < count) gate_part(activation, y + i, dy + i, dx + i, count - i);
}

static void activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy, float *dx) {
  switch (activation) {
    case HG_ACTIVATION_RELU:
      return gate_all(HG_ACTIVATION_RELU, count, y, dy, dx);
    case HG_ACTIVATION_SIGMOID:
      return gate_all(HG_ACTIVATION_SIGMOID, count, y, dy, dx);
    case HG_ACTIVATION_TANH:
      return gate_all(HG_ACTIVATION_TANH, count, y, dy, dx);
    case HG_ACTIVATION_SOFTPLUS:
      return gate_all(HG_ACTIVATION_SOFTPLUS, count, y, dy, dx);
    case HG_ACTIVATION_ELU:
      return gate_all(HG_ACTIVATION_ELU, count, y, dy, dx);
    case HG_ACTIVATION_LEAKY_RELU:
      return gate_all(HG_ACTIVATION_LEAKY_RELU, count, y, dy, dx);
    default:
      return gate_all(HG_ACTIVATION_LINEAR, count, y, dy, dx);
  }
}

/* The standard normal distribution up to x, from e = exp(-x^2 / 2): of t = |x| the tail is e q(t), Mills' ratio, with
 *
 *   q(t) = w p(w), w = 1 / (1 + 0.3 t), relative error 2^-27.8 for t <= 14, where e vanishes,
 *
 * a fit by least squares at Chebyshev's nodes. Relative error of the tail: 4 + t^2 / 2 roundoffs of the argument of
 * the exponential, which is not split, and 8 more. */
INLINE v16 v16_normal_distribution(v16 x, v16 e) {
  const v16 w = 1.0f / (v16_abs(x) * 0.3f + 1.0f);
  v16 p = v16_splat(-0.0208782614f);
  p = p * w + 0.113806516f;
  p = p * w - 0.231400286f;
  p = p * w + 0.195974185f;
  p = p * w - 0.0828475505f;
  p = p * w + 0.0979556973f;
  p = p * w + 0.0777838584f;
  p = p * w + 0.110361191f;
  p = p * w + 0.119557241f;
  p = p * w + 0.119687407f;
  const v16 tail = e * (p * w);
  return v16_select(x < v16_splat(0), tail, 1.0f - tail);
}

INLINE void gelu_part(const float *x, float *y, ptrdiff_t n) {
  const v16 s = v16_load_part(x, n);
  v16_store_part(y, s * v16_normal_distribution(s, v16_exp(-0.5f * (s * s))), n);
}

static void gelu_forward(ptrdiff_t count, const float *x, float *y) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) gelu_part(x + i, y + i, 16);
  if (i < count) gelu_part(x + i, y + i, count - i);
}

/* The density is e / sqrt(2 pi). */
INLINE void gelu_backward_part(const float *x, const float *dy, float *dx, ptrdiff_t n) {
  const v16 s = v16_load_part(x, n), e = v16_exp(-0.5f * (s * s));
  const v16 slope = (s * e) * 0.398942280f + v16_normal_distribution(s, e);
  v16_store_part(dx, v16_load_part(dy, n) * slope, n);
}

static void gelu_backward(ptrdiff_t count, const float *x, const float *dy, float *dx) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) gelu_backward_part(x + i, dy + i, dx + i, 16);
  if (i < count) gelu_backward_part(x + i, dy + i, dx + i, count - i);
}

/* The variance is the square of the deviation, which costs no second exponential. Lanes beyond n hold zeros, and
 * 0^2 + 1 - 1 - 0 adds nothing. */
INLINE v16 gaussian_forward_part(const float *means, const float *log_variances, const float *noise, float *z, v16 sum,
                                 ptrdiff_t n) {
  const v16 mean = v16_load_part(means, n), lv = clamp_log_variance(v16_load_part(log_variances, n));
  const v16 deviation = v16_exp(0.5f * lv);
  v16_store_part(z, noise ? deviation * v16_load_part(noise, n) + mean : mean, n);
  return sum + (mean * mean + ((deviation * deviation - 1.0f) - lv));
}

static void gaussian_latent_forward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                    float *z, float *kl) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *mean = heads + sample * 2 * units, *lv = mean + units;
    const float *e = noise ? noise + sample * units : NULL;
    float *out = z + sample * units;
    v16 sum = v16_splat(0);
    ptrdiff_t i = 0;
    for (; i + 16 <= units; i += 16) sum = gaussian_forward_part(mean + i, lv + i, e ? e + i : NULL, out + i, sum, 16);
    if (i < units) sum = gaussian_forward_part(mean + i, lv + i, e ? e + i : NULL, out + i, sum, units - i);
    if (kl) kl[sample] = 0.5f * v16_sum(sum);
  }
}

INLINE void gaussian_backward_part(const float *means, const float *log_variances, const float *noise, const float *dz,
                                   float beta, float *dmeans, float *dlog_variances, ptrdiff_t n) {
  const v16 mean = v16_load_part(means, n), head = v16_load_part(log_variances, n), d = v16_load_part(dz, n);
  const v16 deviation = v16_exp(0.5f * clamp_log_variance(head));
  const v16 prior = (deviation * deviation - 1.0f) * beta;
  const v16 dlv = noise ? (d * v16_load_part(noise, n)) * deviation + prior : prior;
  const v16i clamped = (head < v16_splat(HG_LOG_VARIANCE_MIN)) | (head > v16_splat(HG_LOG_VARIANCE_MAX));
  v16_store_part(dmeans, mean * beta + d, n);
  v16_store_part(dlog_variances, v16_select(clamped, v16_splat(0), 0.5f * dlv), n);
}

static void gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                     const float *dz, float beta, float *dheads) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *mean = heads + sample * 2 * units, *lv = mean + units;
    const float *e = noise ? noise + sample * units : NULL, *d = dz + sample * units;
    float *dmean = dheads + sample * 2 * units, *dlv = dmean + units;
    ptrdiff_t i = 0;
    for (; i + 16 <= units; i += 16)
      gaussian_backward_part(mean + i, lv + i, e ? e + i : NULL, d + i, beta, dmean + i, dlv + i, 16);
    if (i < units)
      gaussian_backward_part(mean + i, lv + i, e ? e + i : NULL, d + i, beta, dmean + i, dlv + i, units - i);
  }
}

/* Lanes beyond n hold zeros and add nothing. */
INLINE v16 log_ratio_part(const float *log_variances, const float *noise, const float *z, v16 sum, ptrdiff_t n) {
  const v16 lv = clamp_log_variance(v16_load_part(log_variances, n));
  const v16 e = v16_load_part(noise, n), code = v16_load_part(z, n);
  return sum + ((code * code - e * e) - lv);
}

static void gaussian_log_ratio(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                               const float *z, float *ratio) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *lv = heads + sample * 2 * units + units, *e = noise + sample * units, *code = z + sample * units;
    v16 sum = v16_splat(0);
    ptrdiff_t i = 0;
    for (; i + 16 <= units; i += 16) sum = log_ratio_part(lv + i, e + i, code + i, sum, 16);
    if (i < units) sum = log_ratio_part(lv + i, e + i, code + i, sum, units - i);
    ratio[sample] = 0.5f * v16_sum(sum);
  }
}

INLINE void log_ratio_backward_part(const float *log_variances, const float *noise, const float *z, float weight,
                                    const float *dz, float *dmeans, float *dlog_variances, ptrdiff_t n) {
  const v16 head = v16_load_part(log_variances, n), deviation = v16_exp(0.5f * clamp_log_variance(head));
  const v16 d = v16_load_part(z, n) * weight + v16_load_part(dz, n);
  const v16 dlv = 0.5f * ((d * v16_load_part(noise, n)) * deviation - weight);
  const v16i clamped = (head < v16_splat(HG_LOG_VARIANCE_MIN)) | (head > v16_splat(HG_LOG_VARIANCE_MAX));
  v16_store_part(dmeans, d, n);
  v16_store_part(dlog_variances, v16_select(clamped, v16_splat(0), dlv), n);
}

static void gaussian_log_ratio_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                        const float *z, const float *weights, const float *dz, float *dheads) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *lv = heads + sample * 2 * units + units, *e = noise + sample * units;
    const float *code = z + sample * units, *d = dz + sample * units;
    float *dmean = dheads + sample * 2 * units, *dlv = dmean + units;
    ptrdiff_t i = 0;
    for (; i + 16 <= units; i += 16)
      log_ratio_backward_part(lv + i, e + i, code + i, weights[sample], d + i, dmean + i, dlv + i, 16);
    if (i < units)
      log_ratio_backward_part(lv + i, e + i, code + i, weights[sample], d + i, dmean + i, dlv + i, units - i);
  }
}

/* 16 units, all samples: twice their divergences in the order of the samples, then the gradients. */
INLINE void free_bits_part(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits, float beta,
                           float *dheads, ptrdiff_t n) {
  v16 sum = v16_splat(0);
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *means = heads + sample * 2 * units;
    const v16 mean = v16_load_part(means, n), lv = clamp_log_variance(v16_load_part(means + units, n));
    const v16 deviation = v16_exp(0.5f * lv);
    sum += mean * mean + ((deviation * deviation - 1.0f) - lv);
  }
  const v16 weight = v16_select(sum > v16_splat(2 * free_bits * (float)samples), v16_splat(beta), v16_splat(0));
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *means = heads + sample * 2 * units;
    float *dmeans = dheads + sample * 2 * units;
    const v16 head = v16_load_part(means + units, n), deviation = v16_exp(0.5f * clamp_log_variance(head));
    const v16i clamped = (head < v16_splat(HG_LOG_VARIANCE_MIN)) | (head > v16_splat(HG_LOG_VARIANCE_MAX));
    const v16 dlv = v16_select(clamped, v16_splat(0), 0.5f * ((deviation * deviation - 1.0f) * weight));
    v16_store_part(dmeans, v16_load_part(means, n) * weight + v16_load_part(dmeans, n), n);
    v16_store_part(dmeans + units, v16_load_part(dmeans + units, n) + dlv, n);
  }
}

static void gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits, float beta,
                               float *dheads) {
  ptrdiff_t i = 0;
  for (; i + 16 <= units; i += 16) free_bits_part(samples, units, heads + i, free_bits, beta, dheads + i, 16);
  if (i < units) free_bits_part(samples, units, heads + i, free_bits, beta, dheads + i, units - i);
}
