/* Activations.
 *
 * Each loop body takes n <= 16 elements; n is 16 but for the tail, which runs the same operations on the lanes it has.
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
