/* The definition of branches that part and meet. */
#include "reference.h"

void hg_reference_fork_backward(hg_activation activation, ptrdiff_t count, const float *x, const float *first,
                                const float *second, float *dx) {
  HG_FOR(i, count) dx[i] = (float)hg_reference_gated(activation, x, i, (double)first[i] + (double)second[i]);
}

void hg_reference_join_forward(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y) {
  HG_FOR(i, count) y[i] = (float)hg_reference_activated(activation, (double)x[i] + (double)skip[i]);
}

void hg_reference_concat_forward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *x,
                                 const float *skip, float *y) {
  HG_FOR(i, positions) {
    HG_FOR(c, channels) y[i * (channels + skip_channels) + c] = x[i * channels + c];
    HG_FOR(k, skip_channels) y[i * (channels + skip_channels) + channels + k] = skip[i * skip_channels + k];
  }
}

void hg_reference_concat_backward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *dy,
                                  float *dx, float *dskip) {
  HG_FOR(i, positions) {
    HG_FOR(c, channels) dx[i * channels + c] = dy[i * (channels + skip_channels) + c];
    HG_FOR(k, skip_channels) dskip[i * skip_channels + k] = dy[i * (channels + skip_channels) + channels + k];
  }
}
