/* The definitions of the pointwise calls: one loop in the order of the formula, in double. */
#include "reference.h"

void hg_reference_activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y) {
  for (ptrdiff_t i = 0; i < count; i++) y[i] = (float)hg_reference_activated(activation, x[i]);
}

void hg_reference_activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy,
                                      float *dx) {
  for (ptrdiff_t i = 0; i < count; i++) dx[i] = (float)hg_reference_gated(activation, y, i, dy[i]);
}

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

/* NaN stays NaN. */
static double clamped(double log_variance) {
  if (log_variance < HG_LOG_VARIANCE_MIN) return HG_LOG_VARIANCE_MIN;
  if (log_variance > HG_LOG_VARIANCE_MAX) return HG_LOG_VARIANCE_MAX;
  return log_variance;
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
        const double head = heads[v], lv = clamped(head), d = (double)heads[m] - targets[p * channels + c];
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

void hg_reference_gaussian_latent_forward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                          float *z, float *kl) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = 0; j < units; j++) {
      const double mean = heads[n * 2 * units + j], lv = clamped(heads[n * 2 * units + units + j]);
      z[n * units + j] = noise ? (float)(mean + exp(lv / 2) * noise[n * units + j]) : (float)mean;
      sum += mean * mean + exp(lv) - 1 - lv;
    }
    if (kl) kl[n] = (float)(sum / 2);
  }
}

void hg_reference_gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                           const float *dz, float beta, float *dheads) {
  for (ptrdiff_t n = 0; n < samples; n++)
    for (ptrdiff_t j = 0; j < units; j++) {
      const double mean = heads[n * 2 * units + j], head = heads[n * 2 * units + units + j], lv = clamped(head);
      const double d = dz[n * units + j], e = noise ? noise[n * units + j] : 0;
      dheads[n * 2 * units + j] = (float)(d + beta * mean);
      dheads[n * 2 * units + units + j] =
          lv < head || lv > head ? 0 : (float)(d * e * exp(lv / 2) / 2 + beta * (exp(lv) - 1) / 2);
    }
}

void hg_reference_gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits,
                                     float beta, float *dheads) {
  for (ptrdiff_t j = 0; j < units; j++) {
    double sum = 0;
    for (ptrdiff_t n = 0; n < samples; n++) {
      const double mean = heads[n * 2 * units + j], lv = clamped(heads[n * 2 * units + units + j]);
      sum += (mean * mean + exp(lv) - 1 - lv) / 2;
    }
    if (!(sum / samples > free_bits)) continue;
    for (ptrdiff_t n = 0; n < samples; n++) {
      const double mean = heads[n * 2 * units + j], head = heads[n * 2 * units + units + j], lv = clamped(head);
      float *dmean = dheads + n * 2 * units + j, *dlv = dmean + units;
      *dmean = (float)(*dmean + beta * mean);
      if (!(lv < head || lv > head)) *dlv = (float)(*dlv + beta * (exp(lv) - 1) / 2);
    }
  }
}

void hg_reference_gaussian_log_ratio(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                     const float *z, float *ratio) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = 0; j < units; j++) {
      const double code = z[n * units + j], e = noise[n * units + j];
      sum += code * code - e * e - clamped(heads[n * 2 * units + units + j]);
    }
    ratio[n] = (float)(sum / 2);
  }
}

void hg_reference_gaussian_log_ratio_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads,
                                              const float *noise, const float *z, const float *weights, const float *dz,
                                              float *dheads) {
  for (ptrdiff_t n = 0; n < samples; n++)
    for (ptrdiff_t j = 0; j < units; j++) {
      const double head = heads[n * 2 * units + units + j], lv = clamped(head), w = weights[n];
      const double d = dz[n * units + j] + w * z[n * units + j];
      dheads[n * 2 * units + j] = (float)d;
      dheads[n * 2 * units + units + j] =
          lv < head || lv > head ? 0 : (float)((d * noise[n * units + j] * exp(lv / 2) - w) / 2);
    }
}

void hg_reference_importance_bound(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss,
                                   const float *ratio, float *bound, float *weights, float *dy) {
  for (ptrdiff_t i = 0; i < images; i++) {
    double greatest = -INFINITY, sum = 0;
    for (ptrdiff_t n = i * draws; n < (i + 1) * draws; n++) greatest = fmax(greatest, -((double)loss[n] + ratio[n]));
    for (ptrdiff_t n = i * draws; n < (i + 1) * draws; n++) sum += exp(-((double)loss[n] + ratio[n]) - greatest);
    bound[i] = (float)(greatest + log(sum / draws));
    for (ptrdiff_t n = i * draws; n < (i + 1) * draws; n++) {
      const double weight = exp(-((double)loss[n] + ratio[n]) - greatest) / sum;
      weights[n] = (float)weight;
      for (ptrdiff_t j = 0; dy && j < count; j++) dy[n * count + j] = (float)(weight * dy[n * count + j]);
    }
  }
}

/* Word i mod 4 of block i div 4 of the stream. */
static uint32_t random_word(const hg_random_stream *stream, uint64_t i) {
  uint32_t counter[4] = {(uint32_t)(i / 4), stream->sample, stream->step, stream->stream};
  uint32_t key[2] = {(uint32_t)stream->seed, (uint32_t)(stream->seed >> 32)};
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = (uint64_t)0xD2511F53 * counter[0], product1 = (uint64_t)0xCD9E8D57 * counter[2];
    counter[0] = (uint32_t)(product1 >> 32) ^ counter[1] ^ key[0];
    counter[1] = (uint32_t)product1;
    counter[2] = (uint32_t)(product0 >> 32) ^ counter[3] ^ key[1];
    counter[3] = (uint32_t)product0;
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter[i % 4];
}

void hg_reference_random_bits(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out) {
  for (ptrdiff_t i = 0; i < count; i++) out[i] = random_word(stream, (uint64_t)(first + i));
}

static double uniform(const hg_random_stream *stream, uint64_t i) {
  return ((random_word(stream, i) >> 9) + 0.5) / 8388608;
}

static double normal(const hg_random_stream *stream, uint64_t i) {
  const double turn = 6.283185307179586;
  const uint64_t pair = i & ~(uint64_t)1;
  const double radius = sqrt(-2 * log(uniform(stream, pair))), angle = turn * uniform(stream, pair + 1);
  return radius * (i % 2 ? sin(angle) : cos(angle));
}

void hg_reference_random_normal(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  for (ptrdiff_t i = 0; i < count; i++) out[i] = (float)normal(stream, (uint64_t)(first + i));
}

/* The stream of sample n of those that begin with the stream's own. */
static hg_random_stream stream_of(const hg_random_stream *stream, ptrdiff_t n) {
  hg_random_stream own = *stream;
  own.sample += (uint32_t)n;
  return own;
}

void hg_reference_dropout_forward(const hg_random_stream *stream, float rate, ptrdiff_t samples, ptrdiff_t count,
                                  hg_activation input_activation, const float *x, float *y, uint32_t *mask) {
  const ptrdiff_t words = hg_dropout_mask_count(count);
  for (ptrdiff_t i = 0; i < samples * words; i++) mask[i] = 0;
  for (ptrdiff_t n = 0; n < samples; n++) {
    const hg_random_stream own = stream_of(stream, n);
    for (ptrdiff_t j = 0; j < count; j++) {
      const double value = x[n * count + j];
      const bool kept = random_word(&own, (uint64_t)j) >= floor(rate * 4294967296.0 + 0.5);
      y[n * count + j] = kept ? (float)(value / (1 - (double)rate)) : 0;
      if (kept && (input_activation != HG_ACTIVATION_RELU || value > 0)) mask[n * words + j / 32] |= 1u << j % 32;
    }
  }
}

void hg_reference_dropout_backward(float rate, ptrdiff_t samples, ptrdiff_t count, const float *dy,
                                   const uint32_t *mask, hg_activation input_activation, const float *x, float *dx) {
  const ptrdiff_t words = hg_dropout_mask_count(count);
  for (ptrdiff_t n = 0; n < samples; n++)
    for (ptrdiff_t j = 0; j < count; j++) {
      const ptrdiff_t i = n * count + j;
      double d = dy[i] / (1 - (double)rate);
      /* A ReLU is in the mask. */
      if (input_activation != HG_ACTIVATION_RELU) d = hg_reference_gated(input_activation, x, i, d);
      dx[i] = mask[n * words + j / 32] >> j % 32 & 1 ? (float)d : 0;
    }
}

void hg_reference_gaussian_noise(const hg_random_stream *stream, float deviation, ptrdiff_t samples, ptrdiff_t count,
                                 const float *x, float *y) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    const hg_random_stream own = stream_of(stream, n);
    for (ptrdiff_t j = 0; j < count; j++)
      y[n * count + j] = (float)(x[n * count + j] + (double)deviation * normal(&own, (uint64_t)j));
  }
}

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

void hg_reference_moving_average(ptrdiff_t count, float decay, const float *x, float *average) {
  for (ptrdiff_t i = 0; i < count; i++) average[i] = (float)((double)decay * average[i] + (1 - (double)decay) * x[i]);
}
