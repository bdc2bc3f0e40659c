#include "include/hourglass_reference.h"

void hg_reference_fork_backward(hg_activation activation, ptrdiff_t count, const float *x, const float *first,
                                const float *second, float *dx) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const float sum = first[i] + second[i];
    if (activation == HG_ACTIVATION_LINEAR)
      dx[i] = sum;
    else
      hg_reference_activation_backward(activation, 1, x + i, &sum, dx + i);
  }
}

void hg_reference_join_forward(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const float sum = x[i] + skip[i];
    hg_reference_activation_forward(activation, 1, &sum, y + i);
  }
}

void hg_reference_concat_forward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *x,
                                 const float *skip, float *y) {
  for (ptrdiff_t i = 0; i < positions; i++)
    for (ptrdiff_t c = 0; c < channels + skip_channels; c++)
      *y++ = c < channels ? x[i * channels + c] : skip[i * skip_channels + c - channels];
}

void hg_reference_concat_backward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *dy,
                                  float *dx, float *dskip) {
  for (ptrdiff_t i = 0; i < positions; i++)
    for (ptrdiff_t c = 0; c < channels + skip_channels; c++, dy++)
      *(c < channels ? dx + i * channels + c : dskip + i * skip_channels + c - channels) = *dy;
}
