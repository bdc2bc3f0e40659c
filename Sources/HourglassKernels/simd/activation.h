/* Activations.
 *
 * Each loop body takes 16 elements; what is left of a range is padded to as many, or goes by a body that takes n <= 16.
 * So the value of an element does not depend on its place, nor on how a range is divided. */
#include "transcendental.h"

/* 1 / (1 + exp(-x)): 0 where exp(-x) overflows, 1 where it vanishes. */
INLINE v16 v16_sigmoid(v16 x) { return 1.0f / (1.0f + v16_exp(-x)); }

/* tanh within 3 ulp (2.50): the sign of x on (1 - t) / (1 + t) with t = exp(-2 |x|); 1 - t is found without rounding
 * t. */
INLINE v16 v16_tanh(v16 x) {
  const v16 e = v16_expm1_negative(-2.0f * v16_abs(x));
  return v16_flip(v16_abs(e / (e + 2.0f)), (v16i)x & INT32_MIN);
}

/* Softplus within 2 ulp (1.78): max(x, 0) + ln(1 + exp(-|x|)). */
INLINE v16 v16_softplus(v16 x) { return v16_relu(x) + v16_log1p_unit(v16_exp(-v16_abs(x))); }

/* s / (2 (1 + |s|)) would do for a tanh of it: tanh(ln(1 + u)) = n / (n + 2) with n = u (u + 2), u = exp(s), which is 1
 * to float's precision from s = 10 on. Within 4 ulp. */
INLINE v16 v16_tanh_softplus(v16 s) {
  const v16 u = v16_exp(v16_select(s > v16_splat(20), v16_splat(20), s)), n = u * (u + 2.0f);
  return n / (n + 2.0f);
}

/* What a leaky ReLU multiplies sums below 0 by: it stands in ten-thousandths above the lowest byte. */
INLINE float leaky_slope(hg_activation activation) {
  const int32_t parts = (int32_t)activation >> 8;
  return parts ? (float)parts / 10000.0f : 0.01f;
}

/* min(max(s, least), most); NaN stays NaN. */
INLINE v16 v16_within(v16 s, float least, float most) {
  s = v16_select(s <= v16_splat(least), v16_splat(least), s);
  return v16_select(s >= v16_splat(most), v16_splat(most), s);
}
INLINE v16 v16_if_within(v16 s, float least, float most, v16 inside) {
  return v16_select((s > v16_splat(least)) & (s < v16_splat(most)), inside, v16_splat(0));
}

INLINE v16 v16_normal_distribution(v16 x, v16 e);

INLINE v16 v16_activate(hg_activation activation, v16 s) {
  switch ((int32_t)activation & 0xff) {
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
      return v16_select(s > v16_splat(0), s, s * leaky_slope(activation));
    case HG_ACTIVATION_SELU:
      return v16_select(s > v16_splat(0), s * (float)HG_SELU_SCALE,
                        v16_expm1_negative(s) * (float)(HG_SELU_SCALE * HG_SELU_ALPHA));
    case HG_ACTIVATION_RELU6:
      return v16_within(s, 0, 6);
    case HG_ACTIVATION_HARD_SIGMOID:
      return v16_within(s * (1 / 6.0f) + 0.5f, 0, 1);
    case HG_ACTIVATION_HARD_TANH:
      return v16_within(s, -1, 1);
    case HG_ACTIVATION_GELU:
      return s * v16_normal_distribution(s, v16_exp(-0.5f * (s * s)));
    case HG_ACTIVATION_SILU:
      return s * v16_sigmoid(s);
    case HG_ACTIVATION_MISH:
      return s * v16_tanh_softplus(s);
    case HG_ACTIVATION_HARD_SWISH:
      return s * v16_within(s * (1 / 6.0f) + 0.5f, 0, 1);
    default:
      return s;
  }
}

/* dy a'(y). A closed ReLU passes zero, whatever dy is. */
INLINE v16 v16_activate_backward(hg_activation activation, v16 y, v16 dy) {
  switch ((int32_t)activation & 0xff) {
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
      return v16_select(y > v16_splat(0), dy, dy * leaky_slope(activation));
    case HG_ACTIVATION_SELU:
      return dy *
             v16_select(y > v16_splat(0), v16_splat((float)HG_SELU_SCALE), y + (float)(HG_SELU_SCALE * HG_SELU_ALPHA));
    case HG_ACTIVATION_RELU6:
      return v16_if_within(y, 0, 6, dy);
    case HG_ACTIVATION_HARD_SIGMOID:
      return v16_if_within(y, 0, 1, dy * (1 / 6.0f));
    case HG_ACTIVATION_HARD_TANH:
      return v16_if_within(y, -1, 1, dy);
    default:
      return dy;
  }
}

INLINE void activate_all(hg_activation activation, ptrdiff_t count, const float *x, float *y) {
  for (ptrdiff_t i = 0; i < count; i += 16) v16_store(y + i, v16_activate(activation, v16_load(x + i)));
}

/* Calls body(activation, ...) with one that the compiler knows but for the slope of a leaky ReLU. */
#define EACH_ACTIVATION(activation, body, ...)                                                               \
  switch ((int32_t)(activation)&0xff) {                                                                      \
    case HG_ACTIVATION_RELU:                                                                                 \
      return body(HG_ACTIVATION_RELU, __VA_ARGS__);                                                          \
    case HG_ACTIVATION_SIGMOID:                                                                              \
      return body(HG_ACTIVATION_SIGMOID, __VA_ARGS__);                                                       \
    case HG_ACTIVATION_TANH:                                                                                 \
      return body(HG_ACTIVATION_TANH, __VA_ARGS__);                                                          \
    case HG_ACTIVATION_SOFTPLUS:                                                                             \
      return body(HG_ACTIVATION_SOFTPLUS, __VA_ARGS__);                                                      \
    case HG_ACTIVATION_ELU:                                                                                  \
      return body(HG_ACTIVATION_ELU, __VA_ARGS__);                                                           \
    case HG_ACTIVATION_LEAKY_RELU:                                                                           \
      return body((hg_activation)(HG_ACTIVATION_LEAKY_RELU | (int32_t)(activation) >> 8 << 8), __VA_ARGS__); \
    case HG_ACTIVATION_SELU:                                                                                 \
      return body(HG_ACTIVATION_SELU, __VA_ARGS__);                                                          \
    case HG_ACTIVATION_RELU6:                                                                                \
      return body(HG_ACTIVATION_RELU6, __VA_ARGS__);                                                         \
    case HG_ACTIVATION_HARD_SIGMOID:                                                                         \
      return body(HG_ACTIVATION_HARD_SIGMOID, __VA_ARGS__);                                                  \
    case HG_ACTIVATION_HARD_TANH:                                                                            \
      return body(HG_ACTIVATION_HARD_TANH, __VA_ARGS__);                                                     \
    case HG_ACTIVATION_GELU:                                                                                 \
      return body(HG_ACTIVATION_GELU, __VA_ARGS__);                                                          \
    case HG_ACTIVATION_SILU:                                                                                 \
      return body(HG_ACTIVATION_SILU, __VA_ARGS__);                                                          \
    case HG_ACTIVATION_MISH:                                                                                 \
      return body(HG_ACTIVATION_MISH, __VA_ARGS__);                                                          \
    case HG_ACTIVATION_HARD_SWISH:                                                                           \
      return body(HG_ACTIVATION_HARD_SWISH, __VA_ARGS__);                                                    \
    default:                                                                                                 \
      return body(HG_ACTIVATION_LINEAR, __VA_ARGS__);                                                        \
  }

/* Whole vectors; what is left of a range goes through one that is padded, so that there is one body of each. */
static __attribute__((noinline)) void activate_vectors(hg_activation activation, ptrdiff_t count, const float *x,
                                                       float *y) {
  EACH_ACTIVATION(activation, activate_all, count, x, y);
}

static void activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y) {
  const ptrdiff_t rest = count % 16, whole = count - rest;
  activate_vectors(activation, whole, x, y);
  if (rest == 0) return;
  float last[16];
  v16_store(last, v16_load_part(x + whole, rest));
  activate_vectors(activation, 16, last, last);
  v16_store_part(y + whole, v16_load(last), rest);
}

INLINE void gate_all(hg_activation activation, ptrdiff_t count, const float *y, const float *dy, float *dx) {
  for (ptrdiff_t i = 0; i < count; i += 16)
    v16_store(dx + i, v16_activate_backward(activation, v16_load(y + i), v16_load(dy + i)));
}

static __attribute__((noinline)) void gate_vectors(hg_activation activation, ptrdiff_t count, const float *y,
                                                   const float *dy, float *dx) {
  EACH_ACTIVATION(activation, gate_all, count, y, dy, dx);
}

/* The rest of a range of errors, by whole vectors of what they are found from. */
INLINE void errors_of_rest(void (*vectors)(hg_activation, ptrdiff_t, const float *, const float *, float *),
                           hg_activation activation, const float *of, const float *dy, float *dx, ptrdiff_t n) {
  float values[16], errors[16];
  v16_store(values, v16_load_part(of, n)), v16_store(errors, v16_load_part(dy, n));
  vectors(activation, 16, values, errors, errors);
  v16_store_part(dx, v16_load(errors), n);
}

static void activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy, float *dx) {
  const ptrdiff_t rest = count % 16, whole = count - rest;
  gate_vectors(activation, whole, y, dy, dx);
  if (rest) errors_of_rest(gate_vectors, activation, y + whole, dy + whole, dx + whole, rest);
}

/* dy a'(y) in loops of which an activation is a small part: those that no tile fuses are a call. */
INLINE v16 v16_gate(hg_activation activation, v16 y, v16 dy) {
  if (activation == HG_ACTIVATION_LINEAR) return dy;
  if (activation == HG_ACTIVATION_RELU) return v16_activate_backward(HG_ACTIVATION_RELU, y, dy);
  float outputs[16], errors[16];
  v16_store(outputs, y), v16_store(errors, dy);
  gate_vectors(activation, 16, outputs, errors, errors);
  return v16_load(errors);
}

/* The standard normal distribution up to x, from e = exp(-x^2 / 2). The tail beyond t = |x| is e q(t), with Mills'
 * ratio
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

/* a'(x), of activations that take some values twice. The density of a standard normal value is e / sqrt(2 pi). */
INLINE v16 v16_slope_of_input(hg_activation activation, v16 s) {
  switch (activation) {
    case HG_ACTIVATION_GELU: {
      const v16 e = v16_exp(-0.5f * (s * s));
      return (s * e) * 0.398942280f + v16_normal_distribution(s, e);
    }
    case HG_ACTIVATION_SILU: {
      const v16 p = v16_sigmoid(s);
      return p * ((1.0f - p) * s + 1.0f);
    }
    case HG_ACTIVATION_MISH: {
      const v16 t = v16_tanh_softplus(s);
      return (s * v16_sigmoid(s)) * ((1.0f - t) * (1.0f + t)) + t;
    }
    default: /* hard swish */
      return v16_select(s <= v16_splat(-3), v16_splat(0),
                        v16_select(s >= v16_splat(3), v16_splat(1), s * (1 / 3.0f) + 0.5f));
  }
}

INLINE void slope_all(hg_activation activation, ptrdiff_t count, const float *x, const float *dy, float *dx) {
  for (ptrdiff_t i = 0; i < count; i += 16)
    v16_store(dx + i, v16_load(dy + i) * v16_slope_of_input(activation, v16_load(x + i)));
}

static __attribute__((noinline)) void slope_vectors(hg_activation activation, ptrdiff_t count, const float *x,
                                                    const float *dy, float *dx) {
  switch (activation) {
    case HG_ACTIVATION_GELU:
      return slope_all(HG_ACTIVATION_GELU, count, x, dy, dx);
    case HG_ACTIVATION_SILU:
      return slope_all(HG_ACTIVATION_SILU, count, x, dy, dx);
    case HG_ACTIVATION_MISH:
      return slope_all(HG_ACTIVATION_MISH, count, x, dy, dx);
    default:
      return slope_all(HG_ACTIVATION_HARD_SWISH, count, x, dy, dx);
  }
}

static void activation_backward_input(hg_activation activation, ptrdiff_t count, const float *x, const float *dy,
                                      float *dx) {
  const ptrdiff_t rest = count % 16, whole = count - rest;
  slope_vectors(activation, whole, x, dy, dx);
  if (rest) errors_of_rest(slope_vectors, activation, x + whole, dy + whole, dx + whole, rest);
}

/* v where x > 0, else slope v: x for the values, dy for the errors. */
INLINE void prelu_part(const float *x, const float *v, const float *slope, float *out, ptrdiff_t n) {
  const v16 value = v16_load_part(v, n);
  v16_store_part(out, v16_select(v16_load_part(x, n) > v16_splat(0), value, value * v16_load_part(slope, n)), n);
}

INLINE void prelu(const hg_channels_job *job, const float *v, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t channels = job->channels, end = hg_share(job->positions, part + 1, parts);
  for (ptrdiff_t m = hg_share(job->positions, part, parts); m < end; m++) {
    const float *x = job->x + m * channels, *values = v + m * channels;
    float *out = job->out + m * channels;
    ptrdiff_t c = 0;
    for (; c + 16 <= channels; c += 16) prelu_part(x + c, values + c, job->slope + c, out + c, 16);
    if (c < channels) prelu_part(x + c, values + c, job->slope + c, out + c, channels - c);
  }
}

static void prelu_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_channels_job *job = argument;
  prelu(job, job->x, part, parts);
}
static void prelu_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_channels_job *job = argument;
  prelu(job, job->dy, part, parts);
}

/* Lanes are channels; each is one chain over the positions. */
INLINE void prelu_slopes_part(const hg_channels_job *job, ptrdiff_t c, ptrdiff_t n) {
  v16 sum = job->accumulate ? v16_load_part(job->out + c, n) : v16_splat(0);
  for (ptrdiff_t i = c; i < job->positions * job->channels; i += job->channels) {
    const v16 x = v16_load_part(job->x + i, n);
    sum = v16_select(x > v16_splat(0), sum, x * v16_load_part(job->dy + i, n) + sum);
  }
  v16_store_part(job->out + c, sum, n);
}

static void prelu_slopes(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_channels_job *job = argument;
  const ptrdiff_t end = hg_share_groups(job->channels, part + 1, parts);
  for (ptrdiff_t c = hg_share_groups(job->channels, part, parts); c < end; c += 16)
    if (c + 16 <= end)
      prelu_slopes_part(job, c, 16);
    else
      prelu_slopes_part(job, c, end - c);
}
