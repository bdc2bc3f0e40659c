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

/* out[i] = sum over t of window[t] x[i + t stride], in the order of t. out may be x. In one place, for it is long. */
static __attribute__((noinline)) void ssim_filter(const double *window, const double *x, ptrdiff_t stride,
                                                  ptrdiff_t count, double *out) {
  for (ptrdiff_t i = 0; i < count; i += 16) {
    v16d sum = v16d_load(x + i) * window[0];
    for (ptrdiff_t t = 1; t < TAPS; t++) sum = v16d_load(x + i + t * stride) * window[t] + sum;
    v16d_store(out + i, sum);
  }
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

/* The row of windows whose means of the products are given: adds their similarities s to `sums` and
 * stores half of ds/d(mean of y), of ds/d(mean of t y) and of 2 ds/d(mean of t^2 + y^2), each in `stride` places.
 *
 *   s = (2 mt my + C1) (2 (mty - mt my) + C2) / ((mt^2 + my^2 + C1) (msq - mt^2 - my^2 + C2)) = l c / (l' c')
 *
 * Where contrast and structure alone are wanted, s = c / c'. */
INLINE v16d ssim_windows(const double *means, ptrdiff_t row, ptrdiff_t windows, bool contrast, v16d sums,
                         double *slopes, ptrdiff_t stride) {
  const double C1 = 0.01 * 0.01, C2 = 0.03 * 0.03;
  for (ptrdiff_t i = 0; i < windows; i += 16) {
    const ptrdiff_t n = hg_min(16, windows - i);
    const v16d mt = v16d_load(means + i), my = v16d_load(means + row + i);
    const v16d squares = v16d_load(means + 2 * row + i), products = v16d_load(means + 3 * row + i);
    const v16d both = mt * my, sum = mt * mt + my * my, one = (v16d){0} + 1;
    const v16d luminance = contrast ? one : 2 * both + C1, covariance = 2 * (products - both) + C2;
    const v16d luminance_scale = contrast ? one : sum + C1, variance = squares - sum + C2;
    const v16d inverse = 1 / (luminance_scale * variance), s = luminance * covariance * inverse;
    sums += v16d_keep(s, n);
    const v16d mean_slope =
        contrast ? s * my - mt : mt * (covariance - luminance) - s * my * (variance - luminance_scale);
    v16d_store(slopes + i, v16d_keep(mean_slope * inverse, n));
    v16d_store(slopes + stride + i, v16d_keep(luminance * inverse, n));
    v16d_store(slopes + 2 * stride + i, v16d_keep(-s * luminance_scale * inverse, n));
  }
  return sums;
}

INLINE void ssim_clear(double *x, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i += 16) v16d_store(x + i, (v16d){0});
}

/* The sum over the windows of an image of their similarities, or of contrast and structure alone; where dy is wanted it
 * becomes `each` times the derivative of the sum. Window row p is complete with image row p + TAPS - 1; then no later
 * window reaches image row p, whose gradient is the sum of the slopes of rows p - TAPS + 1 to p. */
RARE double ssim_image(ptrdiff_t H, ptrdiff_t W, ptrdiff_t C, const float *y, const float *targets, bool contrast,
                       double each, float *dy, double *scratch) {
  const ptrdiff_t count = W * C, row = hg_round_up(count);
  const ptrdiff_t margin = (TAPS - 1) * C, windows = count - margin, stride = hg_round_up(row + margin);
  double *products = scratch, *means = products + TAPS * 4 * row, *slopes = means + 4 * row + 16;
  double *gradients = slopes + 3 * stride;
  v16d sums = {0};
  ssim_clear(slopes, 3 * stride);
  ssim_clear(gradients, TAPS * 3 * row);
  for (ptrdiff_t h = 0; h < H + TAPS - 1; h++) {
    if (h < H) ssim_products(y + h * count, targets + h * count, count, row, products + h % TAPS * 4 * row);
    const ptrdiff_t p = h - TAPS + 1;
    if (p < 0) continue;
    double *slot = gradients + p % TAPS * 3 * row;
    if (h < H) {
      ssim_filter(ssim_window + TAPS - p % TAPS, products, 4 * row, 4 * row, means);
      for (ptrdiff_t k = 0; k < 4; k++) ssim_filter(ssim_window, means + k * row, C, windows, means + k * row);
      sums = ssim_windows(means, row, windows, contrast, sums, slopes + margin, stride);
      for (ptrdiff_t k = 0; k < 3; k++)
        ssim_filter(ssim_window, slopes + k * stride, C, dy ? count : 0, slot + k * row);
    } else {
      ssim_clear(slot, 3 * row);
    }
    if (!dy) continue;
    ssim_filter(ssim_window + TAPS - 1 - p % TAPS, gradients, 3 * row, 3 * row, means);
    for (ptrdiff_t i = 0; i < count; i += 16) {
      const ptrdiff_t n = hg_min(16, count - i), at = p * count + i;
      const v16d mean = v16d_load(means + i), product = v16d_load(means + row + i);
      const v16d square = v16d_load(means + 2 * row + i);
      const v16d sum = (mean + v16d_from(targets + at, n) * product) + v16d_from(y + at, n) * square;
      v16_store_part(dy + at, __builtin_convertvector(2 * each * sum, v16), n);
    }
  }
  return v16d_sum(sums);
}

/* The windows of an image, channels counted. */
INLINE ptrdiff_t ssim_count(ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels) {
  return (height - TAPS + 1) * (width - TAPS + 1) * channels;
}

INLINE void ssim_sample(const hg_ssim_job *job, const float *y, const float *targets, float *loss, float *dy,
                        double *scratch) {
  const ptrdiff_t H = job->height, W = job->width, C = job->channels;
  const double elements = (double)(H * W * C), each = -elements / (double)ssim_count(H, W, C);
  const double sum = ssim_image(H, W, C, y, targets, false, each, dy, scratch);
  if (loss) *loss = (float)(elements + each * sum);
}

/* The mean of each 2 x 2 pixels; a row or column that is left over is left out. */
static void ms_ssim_halve(const float *x, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, float *out) {
  const ptrdiff_t row = width * channels;
  for (ptrdiff_t h = 0; h + 1 < height; h += 2)
    for (ptrdiff_t w = 0; w + 1 < width; w += 2)
      for (ptrdiff_t c = 0; c < channels; c++) {
        const float *p = x + h * row + w * channels + c;
        *out++ = ((p[0] + p[channels]) + (p[row] + p[row + channels])) * 0.25f;
      }
}

/* Adds to the gradient of an image what that of the halved image hands back. */
static void ms_ssim_add(const float *dhalf, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, float *dx) {
  const ptrdiff_t row = width * channels;
  for (ptrdiff_t h = 0; h + 1 < height; h += 2)
    for (ptrdiff_t w = 0; w + 1 < width; w += 2)
      for (ptrdiff_t c = 0; c < channels; c++) {
        float *p = dx + h * row + w * channels + c;
        const float quarter = *dhalf++ * 0.25f;
        p[0] += quarter, p[channels] += quarter, p[row] += quarter, p[row + channels] += quarter;
      }
}

/* First the mean of each scale, then, with the product known, the gradients from the smallest scale to the largest. */
INLINE void ms_ssim_sample(const hg_ssim_job *job, const float *y, const float *targets, float *loss, float *dy,
                           double *scratch) {
  const ptrdiff_t H = job->height, W = job->width, C = job->channels, scales = hg_ms_ssim_scales(H, W);
  const float *ys[HG_MS_SSIM_SCALES] = {y}, *ts[HG_MS_SSIM_SCALES] = {targets};
  float *dys[HG_MS_SSIM_SCALES] = {dy}, *room = (float *)(scratch + hg_ssim_doubles(W, C));
  for (ptrdiff_t j = 1; j < scales; j++) {
    const ptrdiff_t count = (H >> j) * (W >> j) * C;
    ms_ssim_halve(ys[j - 1], H >> (j - 1), W >> (j - 1), C, room);
    ms_ssim_halve(ts[j - 1], H >> (j - 1), W >> (j - 1), C, room + count);
    ys[j] = room, ts[j] = room + count, dys[j] = dy ? room + 2 * count : NULL;
    room += 3 * count;
  }
  double each[HG_MS_SSIM_SCALES], weights = 0;
  v16 logarithms = v16_splat(0), exponents = v16_splat(0);
  bool positive = true;
  for (ptrdiff_t j = 0; j < scales; j++) weights += hg_ms_ssim_weights[j];
  for (ptrdiff_t j = 0; j < scales; j++) {
    const double windows = (double)ssim_count(H >> j, W >> j, C), weight = hg_ms_ssim_weights[j] / weights;
    const double mean = ssim_image(H >> j, W >> j, C, ys[j], ts[j], j + 1 < scales, 0, NULL, scratch) / windows;
    /* NaN is positive here, and goes on. */
    if (mean <= 0x1p-100) positive = false;
    each[j] = weight / (mean * windows), logarithms[j] = (float)mean, exponents[j] = (float)weight;
  }
  logarithms = v16_select(exponents > v16_splat(0), logarithms, v16_splat(1));
  const float product = v16_sum(exponents * v16_log(logarithms)), value = positive ? v16_exp(v16_splat(product))[0] : 0;
  const double elements = (double)(H * W * C);
  for (ptrdiff_t j = scales - 1; dy && j >= 0; j--) {
    const double factor = positive ? -elements * value * each[j] : 0;
    ssim_image(H >> j, W >> j, C, ys[j], ts[j], j + 1 < scales, factor, dys[j], scratch);
    if (j + 1 < scales) ms_ssim_add(dys[j + 1], H >> j, W >> j, C, dys[j]);
  }
  if (loss) *loss = (float)(elements * (1 - (double)value));
}

/* Parts share the samples. */
INLINE void ssim_share(void (*of_sample)(const hg_ssim_job *, const float *, const float *, float *, float *, double *),
                       ptrdiff_t doubles, const hg_ssim_job *job, ptrdiff_t part, ptrdiff_t parts) {
  parts = hg_min(parts, job->rooms);
  if (part >= parts) return;
  const ptrdiff_t count = job->height * job->width * job->channels, end = hg_share(job->samples, part + 1, parts);
  double *scratch = job->scratch + part * doubles;
  for (ptrdiff_t n = hg_share(job->samples, part, parts); n < end; n++)
    of_sample(job, job->y + n * count, job->targets + n * count, job->loss ? job->loss + n : NULL,
              job->dy ? job->dy + n * count : NULL, scratch);
}

static void ssim(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_ssim_job *job = argument;
  ssim_share(ssim_sample, hg_ssim_doubles(job->width, job->channels), job, part, parts);
}

static void ms_ssim(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_ssim_job *job = argument;
  ssim_share(ms_ssim_sample, hg_ms_ssim_doubles(job->height, job->width, job->channels), job, part, parts);
}
