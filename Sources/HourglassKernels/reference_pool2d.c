/* The definition of max-pooling and unpooling. */
#include "reference.h"

/* Index of switches[n,p,q,k], which are dense. */
static ptrdiff_t switch_at(const hg_geometry2d *g, ptrdiff_t n, ptrdiff_t p, ptrdiff_t q, ptrdiff_t k) {
  return ((n * g->small_height + p) * g->small_width + q) * g->small_channels + k;
}

void hg_reference_max_pool2d_forward(const hg_geometry2d *g, const float *x, float *y, uint8_t *switches) {
  HG_FOR(n, g->samples) HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) HG_FOR(k, g->small_channels) {
    float best = 0;
    ptrdiff_t at = -1;
    HG_FOR(r, g->filter_height) HG_FOR(s, g->filter_width) {
      const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
      if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
      const float v = x[hg_reference_large(g, n, h, w, k)];
      if (at < 0 || v > best || (isnan(v) && !isnan(best))) {
        best = v;
        at = r * g->filter_width + s;
      }
    }
    y[hg_reference_small(g, n, p, q, k)] = best;
    if (switches) switches[switch_at(g, n, p, q, k)] = (uint8_t)at;
  }
}

void hg_reference_max_pool2d_backward(const hg_geometry2d *g, const float *dy, const uint8_t *switches,
                                      hg_activation gate_activation, const float *y, float *dx) {
  HG_FOR(n, g->samples) HG_FOR(h, g->large_height) HG_FOR(w, g->large_width) HG_FOR(k, g->large_channels) {
    double sum = 0;
    HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) {
      const ptrdiff_t r = h + g->pad_top - p * g->stride_vertical, s = w + g->pad_left - q * g->stride_horizontal;
      if (r < 0 || r >= g->filter_height || s < 0 || s >= g->filter_width) continue;
      const ptrdiff_t i = hg_reference_small(g, n, p, q, k);
      if (switches[switch_at(g, n, p, q, k)] == r * g->filter_width + s)
        sum += hg_reference_gated(gate_activation, y, i, dy[i]);
    }
    dx[hg_reference_large(g, n, h, w, k)] = (float)sum;
  }
}

void hg_reference_max_unpool2d_forward(const hg_geometry2d *g, const float *y, const uint8_t *switches, float *x) {
  hg_reference_max_pool2d_backward(g, y, switches, HG_ACTIVATION_LINEAR, NULL, x);
}

void hg_reference_max_unpool2d_backward(const hg_geometry2d *g, const float *dx, const uint8_t *switches, float *dy) {
  HG_FOR(n, g->samples) HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) HG_FOR(k, g->small_channels) {
    double sum = 0;
    HG_FOR(r, g->filter_height) HG_FOR(s, g->filter_width) {
      const ptrdiff_t h = p * g->stride_vertical + r - g->pad_top, w = q * g->stride_horizontal + s - g->pad_left;
      if (h < 0 || h >= g->large_height || w < 0 || w >= g->large_width) continue;
      if (switches[switch_at(g, n, p, q, k)] == r * g->filter_width + s) sum += dx[hg_reference_large(g, n, h, w, k)];
    }
    dy[hg_reference_small(g, n, p, q, k)] = (float)sum;
  }
}
