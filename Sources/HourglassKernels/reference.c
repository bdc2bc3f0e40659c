/* The definitions of convolution, pooling and dense layers: nested loops in the order of the formula, sums in double.
 */
#include "reference.h"

/* Indices of x[n, h, w, c], y[n, p, q, k] and w[r, s, c, k]. */
static ptrdiff_t large(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c) {
  return ((n * g->large_height + h) * g->large_width + w) * g->large_channels + c;
}
static ptrdiff_t small(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t p, ptrdiff_t q, ptrdiff_t k) {
  return ((n * g->small_height + p) * g->small_width + q) * g->small_channels + k;
}
static ptrdiff_t weight_at(const hg_geometry2d *g, ptrdiff_t r, ptrdiff_t s, ptrdiff_t c, ptrdiff_t k) {
  return ((r * g->filter_width + s) * g->large_channels + c) * g->small_channels + k;
}

#define FOR(index, extent) for (ptrdiff_t index = 0; index < (extent); index++)

/* Small from large: y[n,p,q,k] = bias[k] + sum over r, s, c of x[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k]. */
static double gather_sum(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t p, ptrdiff_t q, ptrdiff_t k, const float *x,
                         const float *filter, const float *bias) {
  double sum = bias ? bias[k] : 0;
  FOR(r, g->filter_height) FOR(s, g->filter_width) {
    const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
    if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
    FOR(c, g->large_channels) sum += (double)x[large(g, n, h, w, c)] * filter[weight_at(g, r, s, c, k)];
  }
  return sum;
}

/* Large from small: the same sum over the p, q, r, s that meet (h, w), and k. */
static double scatter_sum(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c, const float *y,
                          const float *filter, const float *bias) {
  double sum = bias ? bias[c] : 0;
  FOR(p, g->small_height) {
    const ptrdiff_t r = h + g->pad_top - p * g->stride_vertical;
    if (r < 0 || r >= g->filter_height) continue;
    FOR(q, g->small_width) {
      const ptrdiff_t s = w + g->pad_left - q * g->stride_horizontal;
      if (s < 0 || s >= g->filter_width) continue;
      FOR(k, g->small_channels) sum += (double)y[small(g, n, p, q, k)] * filter[weight_at(g, r, s, c, k)];
    }
  }
  return sum;
}

/* w[r,s,c,k] += sum over n, p, q of x[n, pU+r-pad_top, qV+s-pad_left, c] y[n,p,q,k]. */
static void filter_sums(const hg_geometry2d *g, const float *x, const float *y, bool accumulate, float *filter) {
  FOR(r, g->filter_height) FOR(s, g->filter_width) FOR(c, g->large_channels) FOR(k, g->small_channels) {
    double sum = accumulate ? filter[weight_at(g, r, s, c, k)] : 0;
    FOR(n, g->samples) FOR(p, g->small_height) FOR(q, g->small_width) {
      const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
      if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
      sum += (double)x[large(g, n, h, w, c)] * y[small(g, n, p, q, k)];
    }
    filter[weight_at(g, r, s, c, k)] = (float)sum;
  }
}

/* bias[j] += sum over i of error[i, j]. */
static void bias_sums(ptrdiff_t rows, ptrdiff_t columns, const float *error, bool accumulate, float *bias) {
  FOR(j, columns) {
    double sum = accumulate ? bias[j] : 0;
    FOR(i, rows) sum += error[i * columns + j];
    bias[j] = (float)sum;
  }
}

void hg_reference_conv2d_forward(const hg_geometry2d *g, const float *x, const float *filter, const float *bias,
                                 hg_activation activation, float *y) {
  FOR(n, g->samples) FOR(p, g->small_height) FOR(q, g->small_width) FOR(k, g->small_channels) {
    y[small(g, n, p, q, k)] = (float)hg_reference_activated(activation, gather_sum(g, n, p, q, k, x, filter, bias));
  }
}

void hg_reference_conv2d_backward_data(const hg_geometry2d *g, const float *dy, const float *filter,
                                       hg_activation gate_activation, const float *gate, float *dx) {
  FOR(n, g->samples) FOR(h, g->large_height) FOR(w, g->large_width) FOR(c, g->large_channels) {
    const ptrdiff_t i = large(g, n, h, w, c);
    dx[i] = (float)hg_reference_gated(gate_activation, gate, i, scatter_sum(g, n, h, w, c, dy, filter, NULL));
  }
}

void hg_reference_conv2d_backward_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate,
                                         float *dfilter, float *dbias) {
  if (dfilter) filter_sums(g, x, dy, accumulate, dfilter);
  if (dbias) bias_sums(g->samples * g->small_height * g->small_width, g->small_channels, dy, accumulate, dbias);
}

void hg_reference_conv2d_transpose_forward(const hg_geometry2d *g, const float *y, const float *filter,
                                           const float *bias, hg_activation activation, float *x) {
  FOR(n, g->samples) FOR(h, g->large_height) FOR(w, g->large_width) FOR(c, g->large_channels) {
    x[large(g, n, h, w, c)] = (float)hg_reference_activated(activation, scatter_sum(g, n, h, w, c, y, filter, bias));
  }
}

void hg_reference_conv2d_transpose_backward_data(const hg_geometry2d *g, const float *dx, const float *filter,
                                                 hg_activation gate_activation, const float *gate, float *dy) {
  FOR(n, g->samples) FOR(p, g->small_height) FOR(q, g->small_width) FOR(k, g->small_channels) {
    const ptrdiff_t i = small(g, n, p, q, k);
    dy[i] = (float)hg_reference_gated(gate_activation, gate, i, gather_sum(g, n, p, q, k, dx, filter, NULL));
  }
}

void hg_reference_conv2d_transpose_backward_filter(const hg_geometry2d *g, const float *y, const float *dx,
                                                   bool accumulate, float *dfilter, float *dbias) {
  if (dfilter) filter_sums(g, dx, y, accumulate, dfilter);
  if (dbias) bias_sums(g->samples * g->large_height * g->large_width, g->large_channels, dx, accumulate, dbias);
}

void hg_reference_max_pool2d_forward(const hg_geometry2d *g, const float *x, float *y, uint8_t *switches) {
  FOR(n, g->samples) FOR(p, g->small_height) FOR(q, g->small_width) FOR(k, g->small_channels) {
    float best = 0;
    ptrdiff_t at = -1;
    FOR(r, g->filter_height) FOR(s, g->filter_width) {
      const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
      if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
      const float v = x[large(g, n, h, w, k)];
      if (at < 0 || v > best || (isnan(v) && !isnan(best))) {
        best = v;
        at = r * g->filter_width + s;
      }
    }
    y[small(g, n, p, q, k)] = best;
    if (switches) switches[small(g, n, p, q, k)] = (uint8_t)at;
  }
}

void hg_reference_max_pool2d_backward(const hg_geometry2d *g, const float *dy, const uint8_t *switches,
                                      hg_activation gate_activation, const float *y, float *dx) {
  FOR(n, g->samples) FOR(h, g->large_height) FOR(w, g->large_width) FOR(k, g->large_channels) {
    double sum = 0;
    FOR(p, g->small_height) FOR(q, g->small_width) {
      const ptrdiff_t r = h + g->pad_top - p * g->stride_vertical, s = w + g->pad_left - q * g->stride_horizontal;
      if (r < 0 || r >= g->filter_height || s < 0 || s >= g->filter_width) continue;
      const ptrdiff_t i = small(g, n, p, q, k);
      if (switches[i] == r * g->filter_width + s) sum += hg_reference_gated(gate_activation, y, i, dy[i]);
    }
    dx[large(g, n, h, w, k)] = (float)sum;
  }
}

void hg_reference_max_unpool2d_forward(const hg_geometry2d *g, const float *y, const uint8_t *switches, float *x) {
  hg_reference_max_pool2d_backward(g, y, switches, HG_ACTIVATION_LINEAR, NULL, x);
}

void hg_reference_max_unpool2d_backward(const hg_geometry2d *g, const float *dx, const uint8_t *switches, float *dy) {
  FOR(n, g->samples) FOR(p, g->small_height) FOR(q, g->small_width) FOR(k, g->small_channels) {
    double sum = 0;
    FOR(r, g->filter_height) FOR(s, g->filter_width) {
      const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
      if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
      if (switches[small(g, n, p, q, k)] == r * g->filter_width + s) sum += dx[large(g, n, h, w, k)];
    }
    dy[small(g, n, p, q, k)] = (float)sum;
  }
}

void hg_reference_upsample2d_forward(const hg_geometry2d *g, const float *y, float *x) {
  FOR(n, g->samples) FOR(h, g->large_height) FOR(w, g->large_width) FOR(k, g->large_channels) {
    const ptrdiff_t p = h / g->stride_vertical, q = w / g->stride_horizontal;
    x[large(g, n, h, w, k)] = y[small(g, n, p, q, k)];
  }
}

void hg_reference_upsample2d_backward(const hg_geometry2d *g, const float *dx, float *dy) {
  FOR(n, g->samples) FOR(p, g->small_height) FOR(q, g->small_width) FOR(k, g->small_channels) {
    double sum = 0;
    FOR(r, g->stride_vertical) FOR(s, g->stride_horizontal) {
      const ptrdiff_t h = p * g->stride_vertical + r, w = q * g->stride_horizontal + s;
      sum += dx[large(g, n, h, w, k)];
    }
    dy[small(g, n, p, q, k)] = (float)sum;
  }
}

void hg_reference_dense_forward(const hg_dense *g, const float *x, const float *weight, const float *bias,
                                hg_activation activation, float *y) {
  FOR(n, g->samples) FOR(o, g->outputs) {
    double sum = bias ? bias[o] : 0;
    FOR(i, g->inputs) sum += (double)x[n * g->inputs + i] * weight[i * g->outputs + o];
    y[n * g->outputs + o] = (float)hg_reference_activated(activation, sum);
  }
}

void hg_reference_dense_backward_data(const hg_dense *g, const float *dy, const float *weight,
                                      hg_activation gate_activation, const float *gate, float *dx) {
  FOR(n, g->samples) FOR(i, g->inputs) {
    double sum = 0;
    FOR(o, g->outputs) sum += (double)dy[n * g->outputs + o] * weight[i * g->outputs + o];
    dx[n * g->inputs + i] = (float)hg_reference_gated(gate_activation, gate, n * g->inputs + i, sum);
  }
}

void hg_reference_dense_backward_weight(const hg_dense *g, const float *x, const float *dy, bool accumulate,
                                        float *dweight, float *dbias) {
  FOR(i, g->inputs) FOR(o, g->outputs) {
    double sum = accumulate ? dweight[i * g->outputs + o] : 0;
    FOR(n, g->samples) sum += (double)x[n * g->inputs + i] * dy[n * g->outputs + o];
    dweight[i * g->outputs + o] = (float)sum;
  }
  if (dbias) bias_sums(g->samples, g->outputs, dy, accumulate, dbias);
}
