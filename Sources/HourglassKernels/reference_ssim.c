/* The definition of the structural similarity, of one scale and of several: window by window, and pixel by pixel the
 * slopes of all windows that hold it, in double. */
#include "reference.h"

enum { SIZE = HG_SSIM_WINDOW };

/* exp(-(r^2 + s^2) / (2 1.5^2)) over its sum, r and s counting from the middle. */
static void window_of(double weights[SIZE][SIZE]) {
  const ptrdiff_t middle = SIZE / 2;
  double sum = 0;
  for (ptrdiff_t r = 0; r < SIZE; r++)
    for (ptrdiff_t s = 0; s < SIZE; s++) {
      weights[r][s] = exp(-(double)((r - middle) * (r - middle) + (s - middle) * (s - middle)) / 4.5);
      sum += weights[r][s];
    }
  for (ptrdiff_t r = 0; r < SIZE; r++)
    for (ptrdiff_t s = 0; s < SIZE; s++) weights[r][s] /= sum;
}

/* An image whose pixels are the means of blocks of 2^scale x 2^scale pixels of one that is `width` wide. */
typedef struct image {
  const float *x;
  ptrdiff_t width, channels, scale;
} image;

static double at(image a, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c) {
  const ptrdiff_t side = (ptrdiff_t)1 << a.scale;
  double sum = 0;
  for (ptrdiff_t r = h * side; r < (h + 1) * side; r++)
    for (ptrdiff_t s = w * side; s < (w + 1) * side; s++) sum += a.x[(r * a.width + s) * a.channels + c];
  return sum / (double)(side * side);
}

typedef struct moments {
  double mt, my, vt, vy, cty;
} moments;

/* The moments of channel c of the window whose first pixel lies in row p and column q. */
static moments moments_of(double weights[SIZE][SIZE], image y, image t, ptrdiff_t p, ptrdiff_t q, ptrdiff_t c) {
  moments m = {0};
  for (ptrdiff_t r = 0; r < SIZE; r++)
    for (ptrdiff_t s = 0; s < SIZE; s++) {
      m.mt += weights[r][s] * at(t, p + r, q + s, c), m.my += weights[r][s] * at(y, p + r, q + s, c);
    }
  for (ptrdiff_t r = 0; r < SIZE; r++)
    for (ptrdiff_t s = 0; s < SIZE; s++) {
      const double dt = at(t, p + r, q + s, c) - m.mt, dy = at(y, p + r, q + s, c) - m.my;
      m.vt += weights[r][s] * dt * dt, m.vy += weights[r][s] * dy * dy, m.cty += weights[r][s] * dt * dy;
    }
  return m;
}

static const double C1 = 0.01 * 0.01, C2 = 0.03 * 0.03;

/* The similarity, or contrast and structure alone. */
static double similarity(moments m, bool contrast) {
  const double luminance = (2 * m.mt * m.my + C1) / (m.mt * m.mt + m.my * m.my + C1);
  return (contrast ? 1 : luminance) * (2 * m.cty + C2) / (m.vt + m.vy + C2);
}

/* Its derivative by the element of y that has this weight in the window. */
static double slope(moments m, bool contrast, double weight, double y, double t) {
  const double luminance = contrast ? 1 : 2 * m.mt * m.my + C1;
  const double luminances = contrast ? 1 : m.mt * m.mt + m.my * m.my + C1;
  const double covariance = 2 * m.cty + C2, variances = m.vt + m.vy + C2;
  const double by_mean =
      contrast ? 0 : (2 * m.mt - luminance / luminances * 2 * m.my) / luminances * covariance / variances;
  const double by_rest =
      (2 * (t - m.mt) - covariance / variances * 2 * (y - m.my)) / variances * luminance / luminances;
  return weight * (by_mean + by_rest);
}

/* The mean over the windows of an image of height x width. */
static double mean_similarity(ptrdiff_t height, ptrdiff_t width, image y, image t, bool contrast) {
  const ptrdiff_t P = height - SIZE + 1, Q = width - SIZE + 1;
  double weights[SIZE][SIZE], sum = 0;
  window_of(weights);
  for (ptrdiff_t c = 0; c < y.channels; c++)
    for (ptrdiff_t p = 0; p < P; p++)
      for (ptrdiff_t q = 0; q < Q; q++) sum += similarity(moments_of(weights, y, t, p, q, c), contrast);
  return sum / (double)(P * Q * y.channels);
}

/* Adds `factor` times its derivative to the elements that each pixel is the mean of. */
static void add_slopes(ptrdiff_t height, ptrdiff_t width, image y, image t, bool contrast, double factor, float *dy) {
  const ptrdiff_t P = height - SIZE + 1, Q = width - SIZE + 1, side = (ptrdiff_t)1 << y.scale;
  double weights[SIZE][SIZE];
  window_of(weights);
  for (ptrdiff_t i = 0; i < height * width * y.channels; i++) {
    const ptrdiff_t h = i / y.channels / width, w = i / y.channels % width, c = i % y.channels;
    double d = 0;
    for (ptrdiff_t r = 0; r < SIZE; r++)
      for (ptrdiff_t s = 0; s < SIZE; s++) {
        if (h < r || w < s || h - r >= P || w - s >= Q) continue;
        d += slope(moments_of(weights, y, t, h - r, w - s, c), contrast, weights[r][s], at(y, h, w, c), at(t, h, w, c));
      }
    d *= factor / (double)(P * Q * y.channels * side * side);
    for (ptrdiff_t r = h * side; r < (h + 1) * side; r++)
      for (ptrdiff_t s = w * side; s < (w + 1) * side; s++) {
        float *out = dy + (r * y.width + s) * y.channels + c;
        *out = (float)(*out + d);
      }
  }
}

void hg_reference_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                       const float *targets, float *loss, float *dy) {
  const ptrdiff_t count = height * width * channels;
  for (ptrdiff_t n = 0; n < samples; n++) {
    const image a = {y + n * count, width, channels, 0}, t = {targets + n * count, width, channels, 0};
    if (loss) loss[n] = (float)((double)count * (1 - mean_similarity(height, width, a, t, false)));
    for (ptrdiff_t i = 0; dy && i < count; i++) dy[n * count + i] = 0;
    if (dy) add_slopes(height, width, a, t, false, -(double)count, dy + n * count);
  }
}

void hg_reference_ms_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                          const float *targets, float *loss, float *dy) {
  static const double weights[] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
  const ptrdiff_t count = height * width * channels, least = height < width ? height : width;
  ptrdiff_t scales = 1;
  while (scales < 5 && least >> scales >= SIZE) scales++;
  double sum = 0;
  for (ptrdiff_t j = 0; j < scales; j++) sum += weights[j];
  for (ptrdiff_t n = 0; n < samples; n++) {
    double means[5], product = 1;
    image a = {y + n * count, width, channels, 0}, t = {targets + n * count, width, channels, 0};
    for (ptrdiff_t j = 0; j < scales; j++) {
      a.scale = t.scale = j;
      means[j] = mean_similarity(height >> j, width >> j, a, t, j + 1 < scales);
      product *= means[j] <= 0x1p-100 ? 0 : pow(means[j], weights[j] / sum);
    }
    if (loss) loss[n] = (float)((double)count * (1 - product));
    for (ptrdiff_t i = 0; dy && i < count; i++) dy[n * count + i] = 0;
    for (ptrdiff_t j = 0; dy && product > 0 && j < scales; j++) {
      a.scale = t.scale = j;
      add_slopes(height >> j, width >> j, a, t, j + 1 < scales, -(double)count * product * weights[j] / sum / means[j],
                 dy + n * count);
    }
  }
}
