/* Loops over the flat vector that update it: the optimisers, penalties of weights, clipping and moving averages. */
#include "transcendental.h"

/* The two corrections become factors, step = learning_rate / correction1 and inverse2 = 1 / correction2, so that one
 * division and one square root remain for each weight. */
typedef struct adam_factors {
  float scale, beta1, rest1, beta2, rest2, epsilon, decay, step, inverse2;
} adam_factors;

INLINE void adam_part(const adam_factors *f, const float *gradient, float *weights, float *m, float *v, ptrdiff_t n) {
  const v16 g = v16_load_part(gradient, n) * f->scale, w = v16_load_part(weights, n);
  const v16 mean = v16_load_part(m, n) * f->beta1 + v16_rounded(g * f->rest1);
  const v16 square = v16_load_part(v, n) * f->beta2 + v16_rounded((g * g) * f->rest2);
  const v16 update = mean / (v16_sqrt(square * f->inverse2) + f->epsilon);
  const v16 decayed = w - w * f->decay;
  v16_put_part(m, mean, n);
  v16_put_part(v, square, n);
  v16_put_part(weights, decayed - update * f->step, n);
}

static void adam(const hg_adam_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
                 float *v) {
  const adam_factors f = {
      .scale = options->gradient_scale,
      .beta1 = options->beta1,
      .rest1 = 1 - options->beta1,
      .beta2 = options->beta2,
      .rest2 = 1 - options->beta2,
      .epsilon = options->epsilon,
      .decay = options->learning_rate * options->weight_decay,
      .step = options->learning_rate / options->correction1,
      .inverse2 = 1 / options->correction2,
  };
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) adam_part(&f, gradient + i, weights + i, m + i, v + i, 16);
  if (i < count) adam_part(&f, gradient + i, weights + i, m + i, v + i, count - i);
}

INLINE void sgd_part(const hg_sgd_options *o, const float *gradient, float *weights, float *m, ptrdiff_t n) {
  const v16 w = v16_load_part(weights, n), g = v16_load_part(gradient, n);
  v16 direction = w * o->weight_decay + v16_rounded(g * o->gradient_scale);
  if (m) {
    const v16 moment = v16_load_part(m, n) * o->momentum + direction;
    v16_put_part(m, moment, n);
    direction = o->nesterov ? moment * o->momentum + direction : moment;
  }
  v16_put_part(weights, w - direction * o->learning_rate, n);
}

static void sgd(const hg_sgd_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m) {
  const hg_sgd_options o = *options;
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) sgd_part(&o, gradient + i, weights + i, m ? m + i : NULL, 16);
  if (i < count) sgd_part(&o, gradient + i, weights + i, m ? m + i : NULL, count - i);
}

INLINE void rmsprop_part(const hg_rmsprop_options *o, float rest, const float *gradient, float *weights, float *v,
                         float *m, ptrdiff_t n) {
  const v16 g = v16_load_part(gradient, n) * o->gradient_scale;
  const v16 square = v16_load_part(v, n) * o->alpha + v16_rounded((g * g) * rest);
  v16 step = g / (v16_sqrt(square) + o->epsilon);
  v16_put_part(v, square, n);
  if (m) {
    step = v16_load_part(m, n) * o->momentum + step;
    v16_put_part(m, step, n);
  }
  v16_put_part(weights, v16_load_part(weights, n) - step * o->learning_rate, n);
}

static void rmsprop(const hg_rmsprop_options *options, ptrdiff_t count, const float *gradient, float *weights, float *v,
                    float *m) {
  const hg_rmsprop_options o = *options;
  const float rest = 1 - o.alpha;
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) rmsprop_part(&o, rest, gradient + i, weights + i, v + i, m ? m + i : NULL, 16);
  if (i < count) rmsprop_part(&o, rest, gradient + i, weights + i, v + i, m ? m + i : NULL, count - i);
}

INLINE void adagrad_part(const hg_adagrad_options *o, const float *gradient, float *weights, float *v, ptrdiff_t n) {
  const v16 g = v16_load_part(gradient, n) * o->gradient_scale, old = v16_load_part(v, n), square = g * g + old;
  v16_put_part(v, square, n);
  v16_put_part(weights, v16_load_part(weights, n) - g / (v16_sqrt(square) + o->epsilon) * o->learning_rate, n);
}

static void adagrad(const hg_adagrad_options *options, ptrdiff_t count, const float *gradient, float *weights,
                    float *v) {
  const hg_adagrad_options o = *options;
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) adagrad_part(&o, gradient + i, weights + i, v + i, 16);
  if (i < count) adagrad_part(&o, gradient + i, weights + i, v + i, count - i);
}

INLINE void adadelta_part(const hg_adadelta_options *o, float rest, const float *gradient, float *weights, float *v,
                          float *u, ptrdiff_t n) {
  const v16 g = v16_load_part(gradient, n) * o->gradient_scale, old = v16_load_part(u, n);
  const v16 square = v16_load_part(v, n) * o->rho + v16_rounded((g * g) * rest);
  const v16 step = g * (v16_sqrt(old + o->epsilon) / v16_sqrt(square + o->epsilon));
  v16_put_part(v, square, n);
  v16_put_part(u, old * o->rho + v16_rounded((step * step) * rest), n);
  v16_put_part(weights, v16_load_part(weights, n) - step * o->learning_rate, n);
}

static void adadelta(const hg_adadelta_options *options, ptrdiff_t count, const float *gradient, float *weights,
                     float *v, float *u) {
  const hg_adadelta_options o = *options;
  const float rest = 1 - o.rho;
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) adadelta_part(&o, rest, gradient + i, weights + i, v + i, u + i, 16);
  if (i < count) adadelta_part(&o, rest, gradient + i, weights + i, v + i, u + i, count - i);
}

/* The sign of w on l1, and 0 (or NaN) for w itself. */
INLINE void penalize_part(float scale, float l2, float l1, const float *weights, float *gradient, ptrdiff_t n) {
  const v16 w = v16_load_part(weights, n), zero = v16_splat(0);
  const v16 slope = v16_select(w > zero, v16_splat(l1), v16_select(w < zero, v16_splat(-l1), w * l1));
  v16_put_part(gradient, v16_load_part(gradient, n) * scale + (w * l2 + slope), n);
}

static void penalize(ptrdiff_t count, float scale, float l2, float l1, const float *weights, float *gradient) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) penalize_part(scale, l2, l1, weights + i, gradient + i, 16);
  if (i < count) penalize_part(scale, l2, l1, weights + i, gradient + i, count - i);
}

/* NaN stays NaN. */
INLINE void clip_part(float scale, float limit, float *gradient, ptrdiff_t n) {
  const v16 g = v16_load_part(gradient, n) * scale, most = v16_splat(limit);
  v16_put_part(gradient, v16_select(g > most, most, v16_select(g < -most, -most, g)), n);
}

static void clip(ptrdiff_t count, float scale, float limit, float *gradient) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) clip_part(scale, limit, gradient + i, 16);
  if (i < count) clip_part(scale, limit, gradient + i, count - i);
}

INLINE void moving_average_part(float decay, float rest, const float *x, float *average, ptrdiff_t n) {
  const v16 before = v16_load_part(average, n), value = v16_load_part(x, n);
  v16_put_part(average, before * decay + v16_rounded(value * rest), n);
}

static void moving_average(ptrdiff_t count, float decay, const float *x, float *average) {
  const float rest = 1 - decay;
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) moving_average_part(decay, rest, x + i, average + i, 16);
  if (i < count) moving_average_part(decay, rest, x + i, average + i, count - i);
}
