/* The definition of convolution and transposed convolution, for every algorithm: nested loops in the order of the
 * formula, sums in double. */
#include "reference.h"

/* Index of w[r, s, c, k]. */
static ptrdiff_t weight_at(const hg_geometry2d *g, ptrdiff_t r, ptrdiff_t s, ptrdiff_t c, ptrdiff_t k) {
  return ((r * g->filter_width + s) * g->large_channels + c) * g->small_channels + k;
}

/* Small from large: y[n,p,q,k] = bias[k] + sum over r, s, c of x[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k]. */
static double gather_sum(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t p, ptrdiff_t q, ptrdiff_t k, const float *x,
                         const float *filter, const float *bias) {
  double sum = bias ? bias[k] : 0;
  HG_FOR(r, g->filter_height) HG_FOR(s, g->filter_width) {
    const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
    if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
    HG_FOR(c, g->large_channels) sum += (double)x[hg_reference_large(g, n, h, w, c)] * filter[weight_at(g, r, s, c, k)];
  }
  return sum;
}

/* Large from small: the same sum over the p, q, r, s that meet (h, w), and k. */
static double scatter_sum(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c, const float *y,
                          const float *filter, const float *bias) {
  double sum = bias ? bias[c] : 0;
  HG_FOR(p, g->small_height) {
    const ptrdiff_t r = h + g->pad_top - p * g->stride_vertical;
    if (r < 0 || r >= g->filter_height) continue;
    HG_FOR(q, g->small_width) {
      const ptrdiff_t s = w + g->pad_left - q * g->stride_horizontal;
      if (s < 0 || s >= g->filter_width) continue;
      HG_FOR(k, g->small_channels)
      sum += (double)y[hg_reference_small(g, n, p, q, k)] * filter[weight_at(g, r, s, c, k)];
    }
  }
  return sum;
}

/* w[r,s,c,k] += sum over n, p, q of x[n, pU+r-pad_top, qV+s-pad_left, c] y[n,p,q,k]. */
static void filter_sums(const hg_geometry2d *g, const float *x, const float *y, bool accumulate, float *filter) {
  HG_FOR(r, g->filter_height) HG_FOR(s, g->filter_width) HG_FOR(c, g->large_channels) HG_FOR(k, g->small_channels) {
    double sum = accumulate ? filter[weight_at(g, r, s, c, k)] : 0;
    HG_FOR(n, g->samples) HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) {
      const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
      if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
      sum += (double)x[hg_reference_large(g, n, h, w, c)] * y[hg_reference_small(g, n, p, q, k)];
    }
    filter[weight_at(g, r, s, c, k)] = (float)sum;
  }
}

void hg_reference_conv2d_forward(const hg_geometry2d *g, const float *x, const float *filter, const float *bias,
                                 hg_activation activation, float *y) {
  HG_FOR(n, g->samples) HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) HG_FOR(k, g->small_channels) {
    y[hg_reference_small(g, n, p, q, k)] =
        (float)hg_reference_activated(activation, gather_sum(g, n, p, q, k, x, filter, bias));
  }
}

void hg_reference_conv2d_backward_data(const hg_geometry2d *g, const float *dy, const float *filter,
                                       hg_activation gate_activation, const float *gate, float *dx) {
  HG_FOR(n, g->samples) HG_FOR(h, g->large_height) HG_FOR(w, g->large_width) HG_FOR(c, g->large_channels) {
    const ptrdiff_t i = hg_reference_large(g, n, h, w, c);
    dx[i] = (float)hg_reference_gated(gate_activation, gate, i, scatter_sum(g, n, h, w, c, dy, filter, NULL));
  }
}

void hg_reference_conv2d_backward_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate,
                                         float *dfilter, float *dbias) {
  if (dfilter) filter_sums(g, x, dy, accumulate, dfilter);
  if (dbias)
    hg_reference_bias_sums(g->samples * g->small_height * g->small_width, g->small_channels, dy, accumulate, dbias);
}

void hg_reference_conv2d_transpose_forward(const hg_geometry2d *g, const float *y, const float *filter,
                                           const float *bias, hg_activation activation, float *x) {
  HG_FOR(n, g->samples) HG_FOR(h, g->large_height) HG_FOR(w, g->large_width) HG_FOR(c, g->large_channels) {
    x[hg_reference_large(g, n, h, w, c)] =
        (float)hg_reference_activated(activation, scatter_sum(g, n, h, w, c, y, filter, bias));
  }
}

void hg_reference_conv2d_transpose_backward_data(const hg_geometry2d *g, const float *dx, const float *filter,
                                                 hg_activation gate_activation, const float *gate, float *dy) {
  HG_FOR(n, g->samples) HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) HG_FOR(k, g->small_channels) {
    const ptrdiff_t i = hg_reference_small(g, n, p, q, k);
    dy[i] = (float)hg_reference_gated(gate_activation, gate, i, gather_sum(g, n, p, q, k, dx, filter, NULL));
  }
}

void hg_reference_conv2d_transpose_backward_filter(const hg_geometry2d *g, const float *y, const float *dx,
                                                   bool accumulate, float *dfilter, float *dbias) {
  if (dfilter) filter_sums(g, dx, y, accumulate, dfilter);
  if (dbias)
    hg_reference_bias_sums(g->samples * g->large_height * g->large_width, g->large_channels, dx, accumulate, dbias);
}
