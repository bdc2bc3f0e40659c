/* The definition of convolution and transposed convolution, for every algorithm: nested loops in the order of the
 * formula, sums in double. */
#include "reference.h"

/* A field since 1.1 of which 0 means 1, as for all of the smaller struct of 1.0. */
#define GIVEN(g, field) ((g)->size == sizeof *(g) && (g)->field > 1 ? (g)->field : 1)

/* Large row and column of tap r or s of small row p or column q. */
static ptrdiff_t row(const hg_geometry2d *g, ptrdiff_t p, ptrdiff_t r) {
  return p * g->stride_vertical + r * GIVEN(g, dilation_vertical) - g->pad_top;
}
static ptrdiff_t column(const hg_geometry2d *g, ptrdiff_t q, ptrdiff_t s) {
  return q * g->stride_horizontal + s * GIVEN(g, dilation_horizontal) - g->pad_left;
}

/* Channels of a group. */
static ptrdiff_t large_group(const hg_geometry2d *g) { return g->large_channels / GIVEN(g, groups); }
static ptrdiff_t small_group(const hg_geometry2d *g) { return g->small_channels / GIVEN(g, groups); }

/* Index of w[r, s, c, k], where c is a large channel of the group of k. */
static ptrdiff_t weight_at(const hg_geometry2d *g, ptrdiff_t r, ptrdiff_t s, ptrdiff_t c, ptrdiff_t k) {
  const ptrdiff_t C = large_group(g);
  return ((r * g->filter_width + s) * C + c % C) * g->small_channels + k;
}

/* Small from large: y[n,p,q,k] = bias[k] + sum over r, s, and c of the group of k, of
 * x[n, pU+rD-pad_top, qV+sE-pad_left, c] w[r,s,c,k], with D and E the vertical and horizontal dilation. */
static double gather_sum(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t p, ptrdiff_t q, ptrdiff_t k, const float *x,
                         const float *filter, const float *bias) {
  const ptrdiff_t C = large_group(g), first = k / small_group(g) * C;
  double sum = bias ? bias[k] : 0;
  HG_FOR(r, g->filter_height) HG_FOR(s, g->filter_width) {
    const ptrdiff_t h = row(g, p, r), w = column(g, q, s);
    if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
    for (ptrdiff_t c = first; c < first + C; c++)
      sum += (double)x[hg_reference_large(g, n, h, w, c)] * filter[weight_at(g, r, s, c, k)];
  }
  return sum;
}

/* Large from small: the same sum over the p, q, r, s that meet (h, w), and k of the group of c. */
static double scatter_sum(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t h, ptrdiff_t w, ptrdiff_t c, const float *y,
                          const float *filter, const float *bias) {
  const ptrdiff_t K = small_group(g), first = c / large_group(g) * K;
  double sum = bias ? bias[c] : 0;
  HG_FOR(p, g->small_height) {
    const ptrdiff_t down = h - row(g, p, 0), r = down / GIVEN(g, dilation_vertical);
    if (down < 0 || r >= g->filter_height || row(g, p, r) != h) continue;
    HG_FOR(q, g->small_width) {
      const ptrdiff_t right = w - column(g, q, 0), s = right / GIVEN(g, dilation_horizontal);
      if (right < 0 || s >= g->filter_width || column(g, q, s) != w) continue;
      for (ptrdiff_t k = first; k < first + K; k++)
        sum += (double)y[hg_reference_small(g, n, p, q, k)] * filter[weight_at(g, r, s, c, k)];
    }
  }
  return sum;
}

/* w[r,s,c,k] += sum over n, p, q of x[n, pU+rD-pad_top, qV+sE-pad_left, c] y[n,p,q,k], c and k of one group. */
static void filter_sums(const hg_geometry2d *g, const float *x, const float *y, bool accumulate, float *filter) {
  const ptrdiff_t C = large_group(g);
  HG_FOR(r, g->filter_height) HG_FOR(s, g->filter_width) HG_FOR(k, g->small_channels) HG_FOR(i, C) {
    const ptrdiff_t c = k / small_group(g) * C + i;
    double sum = accumulate ? filter[weight_at(g, r, s, c, k)] : 0;
    HG_FOR(n, g->samples) HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) {
      const ptrdiff_t h = row(g, p, r), w = column(g, q, s);
      if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
      sum += (double)x[hg_reference_large(g, n, h, w, c)] * y[hg_reference_small(g, n, p, q, k)];
    }
    filter[weight_at(g, r, s, c, k)] = (float)sum;
  }
}

/* bias[k] += sum over n, p, q of y[n,p,q,k], and the same of the large image. */
static void small_bias_sums(const hg_geometry2d *g, const float *y, bool accumulate, float *bias) {
  HG_FOR(k, g->small_channels) {
    double sum = accumulate ? bias[k] : 0;
    HG_FOR(n, g->samples)
    HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) sum += y[hg_reference_small(g, n, p, q, k)];
    bias[k] = (float)sum;
  }
}
static void large_bias_sums(const hg_geometry2d *g, const float *x, bool accumulate, float *bias) {
  HG_FOR(c, g->large_channels) {
    double sum = accumulate ? bias[c] : 0;
    HG_FOR(n, g->samples)
    HG_FOR(h, g->large_height) HG_FOR(w, g->large_width) sum += x[hg_reference_large(g, n, h, w, c)];
    bias[c] = (float)sum;
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
  if (dbias) small_bias_sums(g, dy, accumulate, dbias);
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
  if (dbias) large_bias_sums(g, dx, accumulate, dbias);
}
