/* Structural similarity and its gradient, all in double: a variance is a small difference of large squares. An image is
 * walked once, row by row; what a window needs of other rows lies in two rings of as many rows as the window has. Rows
 * hold W C values, so that a tap along the row is C values away whatever C is, and are filled up to whole v16d. */

typedef double v16d_unaligned __attribute__((vector_size(128), aligned(8), may_alias));
typedef int64_t v16l __attribute__((vector_size(128)));

enum { TAPS = HG_SSIM_WINDOW };

INLINE v16d v16d_load(const double *p) { return SEE_READ(p, v16d), *(const v16d_unaligned *)p; }
INLINE void v16d_store(double *p, v16d v) { SEE_WRITE(p, v16d), *(v16d_unaligned *)p = v; }

/* x in the first n lanes, zero in the others. */
INLINE v16d v16d_keep(v16d x, ptrdiff_t n) {
  const v16l lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return (v16d)((v16l)x & (lanes < (int64_t)n));
}

INLINE v16d v16d_from(const float *p, ptrdiff_t n) { return __builtin_convertvector(v16_load_part(p, n), v16d); }

/* exp(-(t - 5)^2 / (2 1.5^2)) over its sum, twice: a ring whose oldest row lies in slot k is weighed from place
 * TAPS - k on. */
static const double ssim_window[2 * TAPS] = {
    0.00102838008447911,  0.007598758135239185, 0.03600077212843083,  0.10936068950970002, 0.2130055377112537,
    0.26601172486179436,  0.2130055377112537,   0.10936068950970002,  0.03600077212843083, 0.007598758135239185,
    0.00102838008447911,  0.00102838008447911,  0.007598758135239185, 0.03600077212843083, 0.10936068950970002,
    0.2130055377112537,   0.26601172486179436,  0.2130055377112537,   0.10936068950970002, 0.03600077212843083,
    0.007598758135239185, 0.00102838008447911};

/* sum over t of window[t] x[t stride], in the order of t, for 16 neighbouring x. */
INLINE v16d ssim_filter(const double *window, const double *x, ptrdiff_t stride) {
  v16d sum = v16d_load(x) * window[0];
  for (ptrdiff_t t = 1; t < TAPS; t++) sum = v16d_load(x + t * stride) * window[t] + sum;
  return sum;
}

/* t, y, t^2 + y^2 and t y of a row, each in `row` places. */
INLINE void ssim_products(const float *y, const float *targets, ptrdiff_t count, ptrdiff_t row, double *out) {
  for (ptrdiff_t i = 0; i < count; i += 16) {
    const v16d a = v16d_from(targets + i, hg_min(16, count - i)), b = v16d_from(y + i, hg_min(16, count - i));
    v16d_store(out + i, a);
    v16d_store(out + row + i, b);
    v16d_store(out + 2 * row + i, a * a + b * b);
    v16d_store(out + 3 * row + i, a * b);
  }
}

/* The row of windows whose means of the products along the columns are given: adds their similarities s to `sums` and
 * stores half of ds/d(mean of y), of ds/d(mean of t y) and of 2 ds/d(mean of t^2 + y^2), each in `stride` places.
 *
 *   s = (2 mt my + C1) (2 (mty - mt my) + C2) / ((mt^2 + my^2 + C1) (msq - mt^2 - my^2 + C2)) = l c / (l' c') */
INLINE v16d ssim_windows(const double *means, ptrdiff_t row, ptrdiff_t channels, ptrdiff_t windows, v16d sums,
                         double *slopes, ptrdiff_t stride) {
  const double C1 = 0.01 * 0.01, C2 = 0.03 * 0.03;
  for (ptrdiff_t i = 0; i < windows; i += 16) {
    const ptrdiff_t n = hg_min(16, windows - i);
    const v16d mt = ssim_filter(ssim_window, means + i, channels);
    const v16d my = ssim_filter(ssim_window, means + row + i, channels);
    const v16d squares = ssim_filter(ssim_window, means + 2 * row + i, channels);
    const v16d products = ssim_filter(ssim_window, means + 3 * row + i, channels);
    const v16d both = mt * my, sum = mt * mt + my * my;
    const v16d luminance = 2 * both + C1, covariance = 2 * (products - both) + C2;
    const v16d luminance_scale = sum + C1, variance = squares - sum + C2;
    const v16d inverse = 1 / (luminance_scale * variance), s = luminance * covariance * inverse;
    sums += v16d_keep(s, n);
    const v16d mean_slope = mt * (covariance - luminance) - s * my * (variance - luminance_scale);
    v16d_store(slopes + i, v16d_keep(mean_slope * inverse, n));
    v16d_store(slopes + stride + i, v16d_keep(luminance * inverse, n));
    v16d_store(slopes + 2 * stride + i, v16d_keep(-s * luminance_scale * inverse, n));
  }
  return sums;
}

INLINE void ssim_clear(double *x, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i += 16) v16d_store(x + i, (v16d){0});
}

/* Window row p is complete with image row p + TAPS - 1; then no later window reaches image row p, whose gradient is the
 * sum of the slopes of rows p - TAPS + 1 to p. */
INLINE void ssim_sample(const hg_ssim_job *job, const float *y, const float *targets, float *loss, float *dy,
                        double *scratch) {
  const ptrdiff_t C = job->channels, H = job->height, count = job->width * C, row = hg_round_up(count);
  const ptrdiff_t margin = (TAPS - 1) * C, windows = count - margin, stride = hg_round_up(row + margin);
  double *products = scratch, *means = products + TAPS * 4 * row, *slopes = means + 4 * row + 16;
  double *gradients = slopes + 3 * stride;
  const double each = -(double)(H * count) / (double)((H - TAPS + 1) * windows);
  v16d sums = {0};
  ssim_clear(slopes, 3 * stride);
  ssim_clear(gradients, TAPS * 3 * row);
  for (ptrdiff_t h = 0; h < H + TAPS - 1; h++) {
    if (h < H) ssim_products(y + h * count, targets + h * count, count, row, products + h % TAPS * 4 * row);
    const ptrdiff_t p = h - TAPS + 1;
    if (p < 0) continue;
    double *slot = gradients + p % TAPS * 3 * row;
    if (h < H) {
      for (ptrdiff_t i = 0; i < 4 * row; i += 16)
        v16d_store(means + i, ssim_filter(ssim_window + TAPS - p % TAPS, products + i, 4 * row));
      sums = ssim_windows(means, row, C, windows, sums, slopes + margin, stride);
    } else {
      ssim_clear(slot, 3 * row);
    }
    if (!dy) continue;
    for (ptrdiff_t i = 0; h < H && i < count; i += 16)
      for (ptrdiff_t k = 0; k < 3; k++)
        v16d_store(slot + k * row + i, ssim_filter(ssim_window, slopes + k * stride + i, C));
    for (ptrdiff_t i = 0; i < count; i += 16) {
      const ptrdiff_t n = hg_min(16, count - i), at = p * count + i;
      const double *window = ssim_window + TAPS - 1 - p % TAPS, *gradient = gradients + i;
      const v16d mean = ssim_filter(window, gradient, 3 * row);
      const v16d product = ssim_filter(window, gradient + row, 3 * row);
      const v16d square = ssim_filter(window, gradient + 2 * row, 3 * row);
      const v16d sum = (mean + v16d_from(targets + at, n) * product) + v16d_from(y + at, n) * square;
      v16_store_part(dy + at, __builtin_convertvector(2 * each * sum, v16), n);
    }
  }
  if (loss) *loss = (float)((double)(H * count) + each * v16d_sum(sums));
}

/* Parts share the samples. */
static void ssim(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_ssim_job *job = argument;
  const ptrdiff_t count = job->height * job->width * job->channels, end = hg_share(job->samples, part + 1, parts);
  double *scratch = job->scratch + part * hg_ssim_doubles(job->width, job->channels);
  for (ptrdiff_t n = hg_share(job->samples, part, parts); n < end; n++)
    ssim_sample(job, job->y + n * count, job->targets + n * count, job->loss ? job->loss + n : NULL,
                job->dy ? job->dy + n * count : NULL, scratch);
}
