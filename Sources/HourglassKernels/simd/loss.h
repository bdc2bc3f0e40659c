/* Likelihoods: the loss of each sample and the error of the output it was computed from. A loop body takes
 * n <= 16 elements, as in activation.h; element j of a sample belongs to partial sum j mod 16. A target that is NaN is
 * missing: such a lane has the output and the target 0, or its terms are left out. */
#include "transcendental.h"

/* The lanes whose target is there. */
INLINE v16i seen_lanes(v16 target) { return target == target; }

/* x in the lanes of a mask, zero in the others. */
INLINE v16 v16_masked(v16 x, v16i mask) { return (v16)((v16i)x & mask); }

/* The targets of a sample that are there. */
INLINE ptrdiff_t seen_count(const float *targets, ptrdiff_t count) {
  ptrdiff_t seen = 0;
  for (ptrdiff_t i = 0; i < count; i++) seen += targets[i] == targets[i];
  return seen;
}

/* The differences of outputs to targets, 0 where a target is missing. */
INLINE v16 differences(const float *y, const float *targets, ptrdiff_t n) {
  const v16 target = v16_load_part(targets, n);
  const v16i seen = seen_lanes(target);
  return v16_masked(v16_load_part(y, n), seen) - v16_masked(target, seen);
}

/* The loop over the samples of a likelihood that compares y with targets element by element. Whole vectors have a loop
 * of their own where the body `is_short`. */
INLINE void compare_all(v16 (*part)(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n),
                        const bool is_short, ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets,
                        float *loss, float *dy) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *a = y + sample * count, *t = targets + sample * count;
    float *da = dy ? dy + sample * count : NULL;
    v16 sum = v16_splat(0);
    ptrdiff_t i = 0;
    if (is_short)
      for (; i + 16 <= count; i += 16) sum = part(a + i, t + i, da ? da + i : NULL, sum, 16);
    for (; i < count; i += 16) sum = part(a + i, t + i, da ? da + i : NULL, sum, hg_min(16, count - i));
    if (loss) loss[sample] = v16_sum(sum);
  }
}

/* One exponential, t = exp(-|l|), serves the loss, max(l, 0) - l target + ln(1 + t), and the gradient, whose sigmoid is
 * 1 / (1 + t) for l >= 0 and t / (1 + t) below. */
INLINE v16 bernoulli_part(const float *logits, const float *targets, float *dlogits, v16 sum, ptrdiff_t n) {
  const v16 l = v16_load_part(logits, n), target = v16_load_part(targets, n);
  const v16i seen = seen_lanes(target);
  const v16 t = v16_exp(-v16_abs(l));
  if (dlogits) {
    const v16 sigmoid = v16_select(l < v16_splat(0), t, v16_splat(1)) / (1.0f + t);
    v16_store_part(dlogits, v16_masked(sigmoid - target, seen), n);
  }
  return sum + v16_keep(v16_masked((v16_relu(l) - l * target) + v16_log1p_unit(t), seen), n);
}

static void bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                             float *dlogits) {
  compare_all(bernoulli_part, true, samples, count, logits, targets, loss, dlogits);
}

/* Lanes beyond n hold zeros and so add nothing. */
INLINE v16 squared_error_part(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 difference = differences(y, targets, n);
  if (dy) v16_store_part(dy, 2.0f * difference, n);
  return difference * difference + sum;
}

static void squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                          float *dy) {
  compare_all(squared_error_part, true, samples, count, y, targets, loss, dy);
}

/* d within [-1, 1]; NaN stays NaN. */
INLINE v16 v16_clamp_unit(v16 d) {
  d = v16_select(d < v16_splat(-1), v16_splat(-1), d);
  return v16_select(d > v16_splat(1), v16_splat(1), d);
}

INLINE v16 absolute_error_part(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 d = differences(y, targets, n);
  if (dy)
    v16_store_part(dy, v16_select(d > v16_splat(0), v16_splat(1), v16_select(d < v16_splat(0), v16_splat(-1), d)), n);
  return sum + v16_abs(d);
}

static void absolute_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                           float *dy) {
  compare_all(absolute_error_part, true, samples, count, y, targets, loss, dy);
}

/* With c = d within [-1, 1] the loss is c (d - c / 2). */
INLINE v16 huber_error_part(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 d = differences(y, targets, n), c = v16_clamp_unit(d);
  if (dy) v16_store_part(dy, c, n);
  return c * (d - 0.5f * c) + sum;
}

static void huber_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                        float *dy) {
  compare_all(huber_error_part, true, samples, count, y, targets, loss, dy);
}

#define LOG_TWO 0.693147182f

/* With a = |d| and m = exp(-2 a) - 1 the loss ln(cosh(d)) is a + ln(2 + m) - ln 2, its slope -m / (2 + m) with the sign
 * of d. */
INLINE v16 log_cosh_error_part(const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 d = differences(y, targets, n), a = v16_abs(d), m = v16_expm1_negative(-2.0f * a);
  if (dy) v16_store_part(dy, v16_flip(-m / (2.0f + m), (v16i)d & INT32_MIN), n);
  return sum + v16_keep(a + (v16_log1p_unit(m + 1.0f) - LOG_TWO), n);
}

static void log_cosh_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                           float *dy) {
  compare_all(log_cosh_error_part, false, samples, count, y, targets, loss, dy);
}

/* ln(n!) - n ln n + n of counts n >= 0, 0 for 0, with `log` = ln n where n > 0 (any number for 0). */
INLINE v16 log_factorial_excess(v16 n, v16 log) {
  const v16i counted = n > v16_splat(0);
  const v16 excess = v16_binet(v16_select(counted, n, v16_splat(1)), log) + (0.5f * log + HALF_LOG_TWO_PI);
  return v16_masked(excess, counted);
}

/* ln of counts, 0 for 0. */
INLINE v16 log_count(v16 n) { return v16_log(v16_select(n > v16_splat(0), n, v16_splat(1))); }

/* exp(l) - t l + ln(t!) as (exp(l) - t) - t (l - ln t) + (ln(t!) - t ln t + t), whose terms stay small where the rate
 * is near the count. */
INLINE v16 poisson_part(const float *log_rates, const float *targets, float *dlog_rates, v16 sum, ptrdiff_t n) {
  const v16 l = v16_load_part(log_rates, n), target = v16_load_part(targets, n);
  const v16i seen = seen_lanes(target);
  const v16 t = v16_masked(target, seen), log = log_count(t), slope = v16_exp(l) - t;
  if (dlog_rates) v16_store_part(dlog_rates, v16_masked(slope, seen), n);
  return sum + v16_keep(v16_masked((slope - t * (l - log)) + log_factorial_excess(t, log), seen), n);
}

static void poisson(ptrdiff_t samples, ptrdiff_t count, const float *log_rates, const float *targets, float *loss,
                    float *dlog_rates) {
  compare_all(poisson_part, false, samples, count, log_rates, targets, loss, dlog_rates);
}

/* Adds the counts of n elements, and the exponentials of their logits. */
INLINE void multinomial_sums(const float *logits, const float *targets, float greatest, v16 *total, v16 *sum,
                             ptrdiff_t n) {
  const v16 target = v16_load_part(targets, n);
  const v16i seen = seen_lanes(target);
  *total += v16_masked(target, seen);
  *sum += v16_keep(v16_masked(v16_exp(v16_load_part(logits, n) - greatest), seen), n);
}

/* t (ln(t / N) - ln p) + (ln(t!) - t ln t + t), and N p - t. */
INLINE v16 multinomial_part(const float *logits, const float *targets, float shift, float total, float log_total,
                            float *dlogits, v16 sum, ptrdiff_t n) {
  const v16 target = v16_load_part(targets, n), log_p = v16_load_part(logits, n) - shift;
  const v16i seen = seen_lanes(target);
  const v16 t = v16_masked(target, seen), log = log_count(t);
  if (dlogits) v16_store_part(dlogits, v16_masked(total * v16_exp(log_p) - t, seen), n);
  return sum + v16_keep(v16_masked(t * ((log - log_total) - log_p) + log_factorial_excess(t, log), seen), n);
}

static void multinomial(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                        float *dlogits) {
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *l = logits + sample * count, *t = targets + sample * count;
    float *dl = dlogits ? dlogits + sample * count : NULL;
    float greatest = -__builtin_inff();
    for (ptrdiff_t j = 0; j < count; j++) greatest = t[j] == t[j] && !(l[j] <= greatest) ? l[j] : greatest;
    v16 totals = v16_splat(0), sums = v16_splat(0), losses = v16_splat(0);
    for (ptrdiff_t j = 0; j < count; j += 16)
      multinomial_sums(l + j, t + j, greatest, &totals, &sums, hg_min(16, count - j));
    const float total = v16_sum(totals), sum = v16_sum(sums);
    /* v16_log takes positive numbers only: a sum is 1 or more, NaN, or 0 where nothing is seen. */
    const float shift = greatest + (sum >= 1 ? v16_log(v16_splat(sum))[0] : sum);
    const v16 log_total = log_count(v16_splat(total));
    for (ptrdiff_t j = 0; j < count; j += 16)
      losses =
          multinomial_part(l + j, t + j, shift, total, log_total[0], dl ? dl + j : NULL, losses, hg_min(16, count - j));
    if (loss) loss[sample] = v16_sum(losses) - log_factorial_excess(v16_splat(total), log_total)[0];
  }
}

#define TWO_PI 6.28318531f
#define LOG_TWO_PI 1.83787707f

INLINE v16 gaussian_part(float variance, const float *y, const float *targets, float *dy, v16 sum, ptrdiff_t n) {
  const v16 d = differences(y, targets, n), scaled = d / variance;
  if (dy) v16_store_part(dy, scaled, n);
  return d * scaled + sum;
}

static void gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                     float *loss, float *dy) {
  const float each = v16_log(v16_splat(TWO_PI * variance))[0];
  for (ptrdiff_t sample = 0; sample < samples; sample++) {
    const float *a = y + sample * count, *t = targets + sample * count;
    const float constant = v16_rounded(v16_splat((float)seen_count(t, count) * each))[0];
    float *da = dy ? dy + sample * count : NULL;
    v16 sum = v16_splat(0);
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) sum = gaussian_part(variance, a + i, t + i, da ? da + i : NULL, sum, 16);
    if (i < count) sum = gaussian_part(variance, a + i, t + i, da ? da + i : NULL, sum, count - i);
    if (loss) loss[sample] = 0.5f * (v16_sum(sum) + constant);
  }
}

/* Elements i to i + n of a sample. `term` is the loss of each by the two numbers that the output has of it, the second
 * one clamped, and tells its slopes by both. Channel c of pixel p is its element p C + c and lies at 2 p C + c of the
 * heads, its second number C behind; lanes beyond n hold zeros. */
INLINE v16 heads_part(v16 (*term)(v16 first, v16 second, v16 target, v16 *dfirst, v16 *dsecond), ptrdiff_t channels,
                      ptrdiff_t i, const float *heads, const float *targets, float *dheads, v16 sum, ptrdiff_t n) {
  float firsts[16] = {0}, seconds[16] = {0};
  ptrdiff_t at[16];
  for (ptrdiff_t lane = 0; lane < n; lane++) {
    at[lane] = i + lane + (i + lane) / channels * channels;
    firsts[lane] = heads[at[lane]];
    seconds[lane] = heads[at[lane] + channels];
  }
  const v16 target = v16_load_part(targets + i, n), head = v16_load(seconds);
  const v16i seen = seen_lanes(target);
  const v16i clamped = (head < v16_splat(HG_LOG_VARIANCE_MIN)) | (head > v16_splat(HG_LOG_VARIANCE_MAX));
  v16 dfirst, dsecond;
  const v16 terms = term(v16_masked(v16_load(firsts), seen), v16_masked(clamp_log_variance(head), seen),
                         v16_masked(target, seen), &dfirst, &dsecond);
  if (dheads) {
    v16_store(firsts, v16_masked(dfirst, seen));
    v16_store(seconds, v16_masked(dsecond, seen & ~clamped));
    for (ptrdiff_t lane = 0; lane < n; lane++) {
      dheads[at[lane]] = firsts[lane];
      dheads[at[lane] + channels] = seconds[lane];
    }
  }
  return sum + v16_keep(v16_masked(terms, seen), n);
}

/* The sum of the terms of a sample. */
INLINE float heads_sum(v16 (*term)(v16 first, v16 second, v16 target, v16 *dfirst, v16 *dsecond), ptrdiff_t pixels,
                       ptrdiff_t channels, const float *heads, const float *targets, float *dheads) {
  const ptrdiff_t count = pixels * channels;
  v16 sum = v16_splat(0);
  for (ptrdiff_t i = 0; i < count; i += 16)
    sum = heads_part(term, channels, i, heads, targets, dheads, sum, hg_min(16, count - i));
  return v16_sum(sum);
}

INLINE v16 gaussian_term(v16 mean, v16 lv, v16 target, v16 *dmean, v16 *dlv) {
  const v16 d = mean - target, scaled = d * v16_exp(-lv), square = v16_rounded(d * scaled);
  *dmean = scaled;
  *dlv = 0.5f * (1.0f - square);
  return square + lv;
}

static void gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                           const float *targets, float *loss, float *dheads) {
  const ptrdiff_t count = pixels * channels;
  for (ptrdiff_t n = 0; n < samples; n++) {
    const float *t = targets + n * count;
    const float sum =
        heads_sum(gaussian_term, pixels, channels, heads + n * 2 * count, t, dheads ? dheads + n * 2 * count : NULL);
    const float seen = (float)seen_count(t, count);
    if (loss) loss[n] = 0.5f * (HG_HAS_FMA ? __builtin_fmaf(seen, LOG_TWO_PI, sum) : seen * LOG_TWO_PI + sum);
  }
}

/* With the mean m = exp(l), the dispersion r and u = (m - t) / (t + r) the loss is
 *   (t + r) ln(1 + u) - t (l - ln t) + ln(1 + t / r) / 2 + b(r) - b(t + r) + (ln(t!) - t ln t + t)
 * where b is the rest of Stirling's formula: sums that stay small where the mean is near the count, and however large
 * r is. */
INLINE v16 negative_binomial_term(v16 l, v16 log_r, v16 t, v16 *dl, v16 *dlog_r) {
  const v16 m = v16_exp(l), r = v16_exp(log_r), both = t + r, u = (m - t) / both;
  const v16 log = log_count(t), log_both = v16_log(both), log_ratio = v16_log1p(u);
  *dl = r * (m - t) / (r + m);
  *dlog_r = r * ((v16_digamma_excess(r) - v16_digamma_excess(both)) + (log_ratio - u / (1.0f + u)));
  const v16 rest = (v16_binet(r, log_r) - v16_binet(both, log_both)) + 0.5f * v16_log1p(t / r);
  return (both * log_ratio - v16_rounded(t * (l - log))) + (rest + log_factorial_excess(t, log));
}

static void negative_binomial(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                              const float *targets, float *loss, float *dheads) {
  const ptrdiff_t count = pixels * channels;
  for (ptrdiff_t n = 0; n < samples; n++) {
    const float sum = heads_sum(negative_binomial_term, pixels, channels, heads + n * 2 * count, targets + n * count,
                                dheads ? dheads + n * 2 * count : NULL);
    if (loss) loss[n] = sum;
  }
}

/* The bin about a level goes from b to a, a - b = w, in units of the scale and counted from the mean. Its probability
 * is sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(-w)); the bins of 0 and 1 go on for ever. */
INLINE v16 discretized_logistic_term(v16 mean, v16 log_scale, v16 t, v16 *dmean, v16 *dlog_scale) {
  const v16 inverse = v16_exp(-log_scale), w = (1.0f / 255) * inverse;
  const v16 a = (t - mean + 0.5f / 255) * inverse, b = (t - mean - 0.5f / 255) * inverse;
  const v16i lowest = t<v16_splat(0.5f / 255), highest = t> v16_splat(1 - 0.5f / 255), ends = lowest | highest;
  const v16 ta = v16_exp(-v16_abs(a)), tb = v16_exp(-v16_abs(b)), part = -v16_expm1_negative(-w);
  /* sigmoid(-a) and sigmoid(b), the slopes of -ln sigmoid(a) and -ln sigmoid(-b). */
  const v16 sa = v16_select(highest, v16_splat(0), v16_select(a < v16_splat(0), v16_splat(1), ta) / (1.0f + ta));
  const v16 sb = v16_select(lowest, v16_splat(0), v16_select(b < v16_splat(0), tb, v16_splat(1)) / (1.0f + tb));
  const v16 upper = v16_select(highest, v16_splat(0), v16_relu(-a) + v16_log1p_unit(ta));
  const v16 lower = v16_select(lowest, v16_splat(0), v16_relu(b) + v16_log1p_unit(tb));
  *dmean = (sa - sb) * inverse;
  *dlog_scale = (v16_select(highest, v16_splat(0), a * sa) - v16_select(lowest, v16_splat(0), b * sb)) +
                v16_select(ends, v16_splat(0), w * (1.0f - part) / part);
  return (upper + lower) - v16_select(ends, v16_splat(0), v16_log(part));
}

static void discretized_logistic(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                 const float *targets, float *loss, float *dheads) {
  const ptrdiff_t count = pixels * channels;
  for (ptrdiff_t n = 0; n < samples; n++) {
    const float sum = heads_sum(discretized_logistic_term, pixels, channels, heads + n * 2 * count, targets + n * count,
                                dheads ? dheads + n * 2 * count : NULL);
    if (loss) loss[n] = sum;
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
