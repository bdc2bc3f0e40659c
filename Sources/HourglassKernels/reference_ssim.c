/* The definition of the structural similarity: window by window, and pixel by pixel the slopes of all windows that hold
 * it, in double. */
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

typedef struct moments {
  double mt, my, vt, vy, cty;
} moments;

/* The moments of the window whose first elements y and t point to. */
static moments moments_of(double weights[SIZE][SIZE], const float *y, const float *t, ptrdiff_t width,
                          ptrdiff_t channels) {
  moments m = {0};
  for (ptrdiff_t r = 0; r < SIZE; r++)
    for (ptrdiff_t s = 0; s < SIZE; s++) {
      const ptrdiff_t i = (r * width + s) * channels;
      m.mt += weights[r][s] * t[i], m.my += weights[r][s] * y[i];
    }
  for (ptrdiff_t r = 0; r < SIZE; r++)
    for (ptrdiff_t s = 0; s < SIZE; s++) {
      const ptrdiff_t i = (r * width + s) * channels;
      m.vt += weights[r][s] * (t[i] - m.mt) * (t[i] - m.mt);
      m.vy += weights[r][s] * (y[i] - m.my) * (y[i] - m.my);
      m.cty += weights[r][s] * (t[i] - m.mt) * (y[i] - m.my);
    }
  return m;
}

static const double C1 = 0.01 * 0.01, C2 = 0.03 * 0.03;

static double similarity(moments m) {
  return (2 * m.mt * m.my + C1) * (2 * m.cty + C2) / ((m.mt * m.mt + m.my * m.my + C1) * (m.vt + m.vy + C2));
}

/* The derivative of the similarity by the element of y that has this weight in the window. */
static double slope(moments m, double weight, double y, double t) {
  const double luminance = 2 * m.mt * m.my + C1, luminances = m.mt * m.mt + m.my * m.my + C1;
  const double covariance = 2 * m.cty + C2, variances = m.vt + m.vy + C2;
  const double by_mean = (2 * m.mt - luminance / luminances * 2 * m.my) / luminances * covariance / variances;
  const double by_rest =
      (2 * (t - m.mt) - covariance / variances * 2 * (y - m.my)) / variances * luminance / luminances;
  return weight * (by_mean + by_rest);
}

void hg_reference_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                       const float *targets, float *loss, float *dy) {
  const ptrdiff_t P = height - SIZE + 1, Q = width - SIZE + 1, count = height * width * channels;
  double weights[SIZE][SIZE];
  window_of(weights);
  const double each = (double)count / (double)(P * Q * channels);
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t i = n * count; dy && i < (n + 1) * count; i++) dy[i] = 0;
    for (ptrdiff_t c = 0; c < channels; c++)
      for (ptrdiff_t p = 0; p < P; p++)
        for (ptrdiff_t q = 0; q < Q; q++) {
          const ptrdiff_t first = n * count + (p * width + q) * channels + c;
          sum += 1 - similarity(moments_of(weights, y + first, targets + first, width, channels));
        }
    if (loss) loss[n] = (float)(each * sum);
    for (ptrdiff_t i = 0; dy && i < count; i++) {
      const ptrdiff_t h = i / channels / width, w = i / channels % width, c = i % channels;
      double d = 0;
      for (ptrdiff_t r = 0; r < SIZE; r++)
        for (ptrdiff_t s = 0; s < SIZE; s++) {
          if (h < r || w < s || h - r >= P || w - s >= Q) continue;
          const ptrdiff_t first = n * count + ((h - r) * width + w - s) * channels + c, at = n * count + i;
          d -= each * slope(moments_of(weights, y + first, targets + first, width, channels), weights[r][s], y[at],
                            targets[at]);
        }
      dy[n * count + i] = (float)d;
    }
  }
}
