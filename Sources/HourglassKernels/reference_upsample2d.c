/* The definition of upsampling. */
#include "reference.h"

void hg_reference_upsample2d_forward(const hg_geometry2d *g, const float *y, float *x) {
  HG_FOR(n, g->samples) HG_FOR(h, g->large_height) HG_FOR(w, g->large_width) HG_FOR(k, g->large_channels) {
    const ptrdiff_t p = h / g->stride_vertical, q = w / g->stride_horizontal;
    x[hg_reference_large(g, n, h, w, k)] = y[hg_reference_small(g, n, p, q, k)];
  }
}

void hg_reference_upsample2d_backward(const hg_geometry2d *g, const float *dx, float *dy) {
  HG_FOR(n, g->samples) HG_FOR(p, g->small_height) HG_FOR(q, g->small_width) HG_FOR(k, g->small_channels) {
    double sum = 0;
    HG_FOR(r, g->stride_vertical) HG_FOR(s, g->stride_horizontal) {
      const ptrdiff_t h = p * g->stride_vertical + r, w = q * g->stride_horizontal + s;
      sum += dx[hg_reference_large(g, n, h, w, k)];
    }
    dy[hg_reference_small(g, n, p, q, k)] = (float)sum;
  }
}
