/* The Gaussian latent, its divergence and the importance-weighted bound. A loop body takes n <= 16 elements, as in
 * activation.h; element j of a sample belongs to partial sum j mod 16. */
#include "transcendental.h"

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
  v16_put_part(dmeans, mean * beta + d, n);
  v16_store_part(dlog_variances, v16_select(clamped, v16_splat(0), 0.5f * dlv), n);
}

static void gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                     const float *dz, float beta, float *dheads) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *mean = heads + sample * 2 * units, *lv = mean + units;
    const float *e = noise ? noise + sample * units : NULL, *d = dz + sample * units;
    float *dmean = dheads + sample * 2 * units, *dlv = dmean + units;
    for (ptrdiff_t i = 0; i < units; i += 16)
      gaussian_backward_part(mean + i, lv + i, e ? e + i : NULL, d + i, beta, dmean + i, dlv + i,
                             hg_min(16, units - i));
  }
}

/* Lanes beyond n hold zeros and add nothing. */
INLINE v16 log_ratio_part(const float *log_variances, const float *noise, const float *z, v16 sum, ptrdiff_t n) {
  const v16 lv = clamp_log_variance(v16_load_part(log_variances, n));
  const v16 e = v16_load_part(noise, n), code = v16_load_part(z, n);
  return sum + ((code * code - v16_rounded(e * e)) - lv);
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
  const v16 code = v16_load_part(z, n), error = v16_load_part(dz, n), d = code * weight + error;
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
    for (ptrdiff_t i = 0; i < units; i += 16)
      log_ratio_backward_part(lv + i, e + i, code + i, weights[sample], d + i, dmean + i, dlv + i,
                              hg_min(16, units - i));
  }
}

/* 16 units, all samples: twice their divergences in the order of the samples, then the gradients. */
RARE void free_bits_part(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits, float beta,
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
    const v16 mean = v16_load_part(means, n), before = v16_load_part(dmeans, n);
    v16_store_part(dmeans, mean * weight + before, n);
    v16_store_part(dmeans + units, v16_load_part(dmeans + units, n) + dlv, n);
  }
}

/* For the units [first, last). */
static void gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, ptrdiff_t first, ptrdiff_t last, const float *heads,
                               float free_bits, float beta, float *dheads) {
  ptrdiff_t i = first;
  for (; i + 16 <= last; i += 16) free_bits_part(samples, units, heads + i, free_bits, beta, dheads + i, 16);
  if (i < last) free_bits_part(samples, units, heads + i, free_bits, beta, dheads + i, last - i);
}

/* e^(log w - greatest) in place of the weights, added to a sum in the first n lanes. */
INLINE v16 importance_part(const float *loss, const float *ratio, float greatest, float *weights, v16 sum,
                           ptrdiff_t n) {
  const v16 w = v16_exp(-(v16_load_part(loss, n) + v16_load_part(ratio, n)) - greatest);
  v16_store_part(weights, w, n);
  return sum + v16_keep(w, n);
}

/* The greatest weight is divided by first, so that no exponential overflows and the sum is 1 at least. */
static void importance_bound(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss, const float *ratio,
                             float *bound, float *weights, float *dy) {
  for (ptrdiff_t image = 0; image < images; image++) {
    const float *l = loss + image * draws, *r = ratio + image * draws;
    float *w = weights + image * draws;
    float greatest = -(l[0] + r[0]);
    for (ptrdiff_t k = 1; k < draws; k++) greatest = -(l[k] + r[k]) > greatest ? -(l[k] + r[k]) : greatest;
    v16 sums = v16_splat(0);
    ptrdiff_t k = 0;
    for (; k + 16 <= draws; k += 16) sums = importance_part(l + k, r + k, greatest, w + k, sums, 16);
    if (k < draws) sums = importance_part(l + k, r + k, greatest, w + k, sums, draws - k);
    const float sum = v16_sum(sums);
    /* v16_log takes numbers only; a sum that is NaN stays NaN. */
    bound[image] = sum == sum ? greatest + v16_log(v16_splat(sum / (float)draws))[0] : sum;
    for (k = 0; k < draws; k++) {
      w[k] /= sum;
      float *row = dy ? dy + (image * draws + k) * count : NULL;
      ptrdiff_t i = 0;
      for (; row && i + 16 <= count; i += 16) v16_store(row + i, v16_load(row + i) * w[k]);
      if (row && i < count) v16_store_part(row + i, v16_load_part(row + i, count - i) * w[k], count - i);
    }
  }
}
