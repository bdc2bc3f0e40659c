/* Upsampling by repetition, and average pooling, its adjoint times a scale. */
#include "check.h"
#include "isa.h"

const char *hg_upsample2d_check(const hg_geometry2d *g) {
  HG_CHECK(hg_conv2d_check(g));
  if (!hg_is_plain_geometry(g)) return HG_BAD_GEOMETRY("upsampling has neither dilation nor groups of channels");
  if (g->large_channels != g->small_channels)
    return HG_BAD_GEOMETRY("upsampling needs as many small channels as large channels");
  if (g->filter_height != g->stride_vertical || g->filter_width != g->stride_horizontal)
    return HG_BAD_GEOMETRY("upsampling needs a filter of the strides' size");
  if (g->pad_top || g->pad_left) return HG_BAD_GEOMETRY("upsampling has no padding");
  if (g->large_height != g->small_height * g->stride_vertical ||
      g->large_width != g->small_width * g->stride_horizontal)
    return HG_BAD_GEOMETRY("the large image of an upsampling is not the small one times the strides");
  return NULL;
}

static const char *check(const hg_geometry2d *g, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_upsample2d_check(g));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

const char *hg_upsample2d_forward(const hg_geometry2d *geometry, const float *y, float *x,
                                  const hg_parallel *parallel) {
  HG_CHECK(check(geometry, y && x, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const hg_upsample_job job = {&g, y, x, false};
  hg_run(hg_kernels_in_use()->upsample_forward, &job, parallel);
  return NULL;
}

const char *hg_upsample2d_backward(const hg_geometry2d *geometry, const float *dx, float *dy,
                                   const hg_parallel *parallel) {
  HG_CHECK(check(geometry, dx && dy, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const hg_upsample_job job = {&g, dx, dy, false};
  hg_run(hg_kernels_in_use()->upsample_backward, &job, parallel);
  return NULL;
}

const char *hg_average_pool2d_forward(const hg_geometry2d *geometry, const float *x, float *y,
                                      const hg_parallel *parallel) {
  HG_CHECK(check(geometry, x && y, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const hg_upsample_job job = {&g, x, y, true};
  hg_run(hg_kernels_in_use()->upsample_backward, &job, parallel);
  return NULL;
}

const char *hg_average_pool2d_backward(const hg_geometry2d *geometry, const float *dy, float *dx,
                                       const hg_parallel *parallel) {
  HG_CHECK(check(geometry, dy && dx, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const hg_upsample_job job = {&g, dy, dx, true};
  hg_run(hg_kernels_in_use()->upsample_forward, &job, parallel);
  return NULL;
}
