/* Max-pooling. */
#include "isa.h"

const char *hg_max_pool2d_check(const hg_geometry2d *g) {
  const char *why = hg_conv2d_check(g);
  if (why) return why;
  if (g->large_channels != g->small_channels) return "pooling needs as many small channels as large channels";
  if (g->filter_height > 255 || g->filter_width > 255 || g->filter_height * g->filter_width > 255)
    return "a pooling window has more than 255 elements";
  if ((g->small_height - 1) * g->stride_vertical - g->pad_top >= g->large_height)
    return "the last pooling window lies wholly below the large image";
  if ((g->small_width - 1) * g->stride_horizontal - g->pad_left >= g->large_width)
    return "the last pooling window lies wholly to the right of the large image";
  return NULL;
}

void hg_max_pool2d_forward(const hg_geometry2d *geometry, const float *x, float *y, uint8_t *switches,
                           const hg_parallel *parallel) {
  const hg_max_pool_job job = {geometry, x, y, switches};
  hg_run(hg_kernels_in_use()->max_pool_forward, &job, parallel);
}

void hg_max_pool2d_backward(const hg_geometry2d *geometry, const float *dy, const uint8_t *switches,
                            hg_activation gate_activation, const float *y, float *dx, const hg_parallel *parallel) {
  const hg_max_unpool_job job = {geometry, dy, switches, gate_activation, y, dx};
  hg_run(hg_kernels_in_use()->max_pool_backward, &job, parallel);
}
