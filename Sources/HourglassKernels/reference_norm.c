/* The definitions of the normalisations: loops in the order of the formula, in double. */
#include "reference.h"

/* Element c of position p of sample n, and the statistics of its group. */
static ptrdiff_t place(const hg_group_norm *g, ptrdiff_t n, ptrdiff_t p, ptrdiff_t c) {
  return (n * g->positions + p) * g->channels + c;
}
static double weight_of(const float *weight, ptrdiff_t c) { return weight ? weight[c] : 1; }
static ptrdiff_t group(const hg_group_norm *g, ptrdiff_t n, ptrdiff_t c) {
  return n * g->groups + c / (g->channels / g->groups);
}

void hg_reference_group_norm_apply(const hg_group_norm *g, const float *x, const float *mean, const float *variance,
                                   const float *weight, const float *bias, float *y) {
  for (ptrdiff_t n = 0; n < g->samples; n++)
    for (ptrdiff_t p = 0; p < g->positions; p++)
      for (ptrdiff_t c = 0; c < g->channels; c++) {
        const ptrdiff_t i = place(g, n, p, c), j = group(g, n, c);
        const double normal = ((double)x[i] - mean[j]) / sqrt((double)variance[j] + g->epsilon);
        y[i] = (float)hg_reference_activated((hg_activation)g->activation,
                                             normal * weight_of(weight, c) + (bias ? bias[c] : 0));
      }
}

void hg_reference_group_norm_forward(const hg_group_norm *g, const float *x, const float *weight, const float *bias,
                                     float *y, float *mean, float *variance) {
  const ptrdiff_t width = g->channels / g->groups;
  for (ptrdiff_t n = 0; n < g->samples; n++)
    for (ptrdiff_t first = 0; first < g->channels; first += width) {
      double sum = 0, squares = 0;
      const double count = (double)(g->positions * width);
      for (ptrdiff_t p = 0; p < g->positions; p++)
        for (ptrdiff_t c = first; c < first + width; c++) sum += x[place(g, n, p, c)];
      for (ptrdiff_t p = 0; p < g->positions; p++)
        for (ptrdiff_t c = first; c < first + width; c++) {
          const double d = x[place(g, n, p, c)] - sum / count;
          squares += d * d;
        }
      mean[group(g, n, first)] = (float)(sum / count);
      variance[group(g, n, first)] = (float)(squares / count);
    }
  hg_reference_group_norm_apply(g, x, mean, variance, weight, bias, y);
}

void hg_reference_group_norm_backward(const hg_group_norm *g, const float *x, const float *dy, const float *mean,
                                      const float *variance, const float *weight, bool accumulate, float *dx,
                                      float *dweight, float *dbias) {
  const ptrdiff_t width = g->channels / g->groups;
  for (ptrdiff_t c = 0; c < g->channels; c++) {
    double errors = accumulate && dbias ? dbias[c] : 0, products = accumulate && dweight ? dweight[c] : 0;
    for (ptrdiff_t n = 0; n < g->samples; n++)
      for (ptrdiff_t p = 0; p < g->positions; p++) {
        const ptrdiff_t i = place(g, n, p, c), j = group(g, n, c);
        errors += dy[i];
        products += dy[i] * ((double)x[i] - mean[j]) / sqrt((double)variance[j] + g->epsilon);
      }
    if (dbias) dbias[c] = (float)errors;
    if (dweight) dweight[c] = (float)products;
  }
  for (ptrdiff_t n = 0; n < g->samples && dx; n++)
    for (ptrdiff_t first = 0; first < g->channels; first += width) {
      const ptrdiff_t j = group(g, n, first);
      const double inverse = 1 / sqrt((double)variance[j] + g->epsilon), count = (double)(g->positions * width);
      double error = 0, product = 0;
      for (ptrdiff_t p = 0; p < g->positions; p++)
        for (ptrdiff_t c = first; c < first + width; c++) {
          const ptrdiff_t i = place(g, n, p, c);
          error += weight_of(weight, c) * dy[i] / count;
          product += weight_of(weight, c) * dy[i] * ((double)x[i] - mean[j]) * inverse / count;
        }
      for (ptrdiff_t p = 0; p < g->positions; p++)
        for (ptrdiff_t c = first; c < first + width; c++) {
          const ptrdiff_t i = place(g, n, p, c);
          const double normal = ((double)x[i] - mean[j]) * inverse;
          dx[i] = (float)(inverse * (weight_of(weight, c) * dy[i] - error - normal * product));
        }
    }
}
