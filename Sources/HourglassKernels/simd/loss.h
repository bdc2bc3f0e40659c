/* Likelihoods: the loss of each sample and the error of the output it was computed from. A loop body takes
 * n <= 16 elements, as in activation.h; element j of a sample belongs to partial sum j mod 16. */
#include "transcendental.h"

/* The loop over the samples of a likelihood that compares y with targets element by element. */
INLINE void compare_all(v16 (*part)(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n),
                        ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                        float *dy) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *a = y + sample * count, *t = targets + sample * count;
    float *da = dy ? dy + sample * count : NULL;
    v16 sum = v16_splat(0);
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) sum = part(a + i, t + i, da ? da + i : NULL, sum, 16);
    if (i < count) sum = part(a + i, t + i, da ? da + i : NULL, sum, count - i);
    if (loss) loss[sample] = v16_sum(sum);
  }
}

/* One exponential, t = exp(-|l|), serves the loss, max(l, 0) - l target + ln(1 + t), and the gradient, whose sigmoid is
 * 1 / (1 + t) for l >= 0 and t / (1 + t) below. */
INLINE v16 bernoulli_part(const float *logits, const float *targets, float *dlogits, v16 sum, ptrdiff_t n) {
  const v16 l = v16_load_part(logits, n), target = v16_load_part(targets, n);
  const v16 t = v16_exp(-v16_abs(l));
  if (dlogits) {
    const v16 sigmoid = v16_select(l < v16_splat(0), t, v16_splat(1)) / (1.0f + t);
    v16_store_part(dlogits, sigmoid - target, n);
  }
  return sum + v16_keep((v16_relu(l) - l * target) + v16_log1p_unit(t), n);
}

static void bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                             float *dlogits) {
  compare_all(bernoulli_part, samples, count, logits, targets, loss, dlogits);
}

/* Lanes beyond n hold zeros and so add nothing. */
INLINE v16 squared_error_part(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 difference = v16_load_part(y, n) - v16_load_part(targets, n);
  if (dy) v16_store_part(dy, 2.0f * difference, n);
  return difference * difference + sum;
}

static void squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                          float *dy) {
  compare_all(squared_error_part, samples, count, y, targets, loss, dy);
}

/* d within [-1, 1]; NaN stays NaN. */
INLINE v16 v16_clamp_unit(v16 d) {
  d = v16_select(d < v16_splat(-1), v16_splat(-1), d);
  return v16_select(d > v16_splat(1), v16_splat(1), d);
}

INLINE v16 absolute_error_part(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 d = v16_load_part(y, n) - v16_load_part(targets, n);
  if (dy)
    v16_store_part(dy, v16_select(d > v16_splat(0), v16_splat(1), v16_select(d < v16_splat(0), v16_splat(-1), d)), n);
  return sum + v16_abs(d);
}

static void absolute_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                           float *dy) {
  compare_all(absolute_error_part, samples, count, y, targets, loss, dy);
}

/* With c = d within [-1, 1] the loss is c (d - c / 2). */
INLINE v16 huber_error_part(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 d = v16_load_part(y, n) - v16_load_part(targets, n), c = v16_clamp_unit(d);
  if (dy) v16_store_part(dy, c, n);
  return c * (d - 0.5f * c) + sum;
}

static void huber_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                        float *dy) {
  compare_all(huber_error_part, samples, count, y, targets, loss, dy);
}

#define TWO_PI 6.28318531f
#define LOG_TWO_PI 1.83787707f

INLINE v16 gaussian_part(float variance, const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 d = v16_load_part(y, n) - v16_load_part(targets, n), scaled = d / variance;
  if (dy) v16_store_part(dy, scaled, n);
  return d * scaled + sum;
}

static void gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                     float *loss, float *dy) {
  const float constant = (float)count * v16_log(v16_splat(TWO_PI * variance))[0];
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *a = y + sample * count, *t = targets + sample * count;
    float *da = dy ? dy + sample * count : NULL;
    v16 sum = v16_splat(0);
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) sum = gaussian_part(variance, a + i, t + i, da ? da + i : NULL, sum, 16);
    if (i < count) sum = gaussian_part(variance, a + i, t + i, da ? da + i : NULL, sum, count - i);
    if (loss) loss[sample] = 0.5f * (v16_sum(sum) + constant);
  }
}

/* Elements i to i + n of a sample. Channel c of pixel p is its element p C + c and lies at 2 p C + c of the heads, its
 * log-variance C behind; lanes beyond n hold zeros and add nothing. */
INLINE v16 gaussian_heads_part(ptrdiff_t channels, ptrdiff_t i, const float *heads, const float *targets, float *dheads,
                               v16 sum, ptrdiff_t n) {
  float means[16] = {0}, log_variances[16] = {0}, dlog_variances[16];
  ptrdiff_t at[16];
  for (ptrdiff_t lane = 0; lane < n; lane++) {
    at[lane] = i + lane + (i + lane) / channels * channels;
    means[lane] = heads[at[lane]];
    log_variances[lane] = heads[at[lane] + channels];
  }
  const v16 head = v16_load(log_variances), lv = clamp_log_variance(head);
  const v16 d = v16_load(means) - v16_load_part(targets + i, n), scaled = d * v16_exp(-lv), square = d * scaled;
  if (dheads) {
    const v16i clamped = (head < v16_splat(HG_LOG_VARIANCE_MIN)) | (head > v16_splat(HG_LOG_VARIANCE_MAX));
    v16_store(means, scaled);
    v16_store(dlog_variances, v16_select(clamped, v16_splat(0), 0.5f * (1.0f - square)));
    for (ptrdiff_t lane = 0; lane < n; lane++) {
      dheads[at[lane]] = means[lane];
      dheads[at[lane] + channels] = dlog_variances[lane];
    }
  }
  return sum + (square + lv);
}

static void gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                           const float *targets, float *loss, float *dheads) {
  const ptrdiff_t count = pixels * channels;
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *h = heads + sample * 2 * count, *t = targets + sample * count;
    float *dh = dheads ? dheads + sample * 2 * count : NULL;
    v16 sum = v16_splat(0);
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) sum = gaussian_heads_part(channels, i, h, t, dh, sum, 16);
    if (i < count) sum = gaussian_heads_part(channels, i, h, t, dh, sum, count - i);
    if (loss) loss[sample] = 0.5f * (v16_sum(sum) + (float)count * LOG_TWO_PI);
  }
}

/* e^(l - greatest) in the first n lanes of a sum; where the errors are wanted it is left in their place. */
INLINE v16 softmax_part(const float *logits, float greatest, float *dlogits, v16 sum, ptrdiff_t n) {
  const v16 e = v16_exp(v16_load_part(logits, n) - greatest);
  if (dlogits) v16_store_part(dlogits, e, n);
  return sum + v16_keep(e, n);
}

/* exp(l - greatest) of all, left in `out` where that is wanted; answers their sum. The greatest is subtracted so that
 * no exponential overflows and the sum is 1 at least. */
INLINE float softmax_sum(const float *l, ptrdiff_t count, float greatest, float *out) {
  v16 sums = v16_splat(0);
  ptrdiff_t j = 0;
  for (; j + 16 <= count; j += 16) sums = softmax_part(l + j, greatest, out ? out + j : NULL, sums, 16);
  if (j < count) sums = softmax_part(l + j, greatest, out ? out + j : NULL, sums, count - j);
  return v16_sum(sums);
}

INLINE void softmax_divide(float *out, ptrdiff_t count, float sum) {
  ptrdiff_t j = 0;
  for (; j + 16 <= count; j += 16) v16_store(out + j, v16_load(out + j) / sum);
  if (j < count) v16_store_part(out + j, v16_load_part(out + j, count - j) / sum, count - j);
}

INLINE float greatest_of(const float *l, ptrdiff_t count) {
  float greatest = l[0];
  for (ptrdiff_t j = 1; j < count; j++) greatest = l[j] > greatest ? l[j] : greatest;
  return greatest;
}

static void softmax_cross_entropy(ptrdiff_t samples, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                  float *loss, float *dlogits) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *l = logits + sample * classes;
    float *dl = dlogits ? dlogits + sample * classes : NULL;
    const float greatest = greatest_of(l, classes), below = l[labels[sample]] - greatest;
    const float sum = softmax_sum(l, classes, greatest, dl);
    /* v16_log takes numbers only; a sum that is NaN stays NaN. */
    if (loss) loss[sample] = sum == sum ? v16_log(v16_splat(sum))[0] - below : sum;
    if (!dl) continue;
    softmax_divide(dl, classes, sum);
    dl[labels[sample]] -= 1.0f;
  }
}

/* The softmax over the channels of each position, and its way back. */
static void softmax_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_channels_job *job = argument;
  const ptrdiff_t channels = job->channels, end = hg_share(job->positions, part + 1, parts);
  for (ptrdiff_t m = hg_share(job->positions, part, parts); m < end && channels; m++) {
    const float *x = job->x + m * channels;
    float *y = job->out + m * channels;
    softmax_divide(y, channels, softmax_sum(x, channels, greatest_of(x, channels), y));
  }
}

INLINE void softmax_backward_part(const float *y, const float *dy, float sum, float *dx, ptrdiff_t n) {
  v16_store_part(dx, v16_load_part(y, n) * (v16_load_part(dy, n) - sum), n);
}

static void softmax_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_channels_job *job = argument;
  const ptrdiff_t channels = job->channels, end = hg_share(job->positions, part + 1, parts);
  for (ptrdiff_t m = hg_share(job->positions, part, parts); m < end; m++) {
    const float *y = job->x + m * channels, *dy = job->dy + m * channels;
    float *dx = job->out + m * channels;
    v16 sums = v16_splat(0);
    ptrdiff_t c = 0;
    for (; c + 16 <= channels; c += 16) sums = v16_load(y + c) * v16_load(dy + c) + sums;
    if (c < channels) sums = v16_load_part(y + c, channels - c) * v16_load_part(dy + c, channels - c) + sums;
    const float sum = v16_sum(sums);
    for (c = 0; c + 16 <= channels; c += 16) softmax_backward_part(y + c, dy + c, sum, dx + c, 16);
    if (c < channels) softmax_backward_part(y + c, dy + c, sum, dx + c, channels - c);
  }
}
