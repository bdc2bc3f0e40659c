/* Max-pooling. */
#include "check.h"
#include "isa.h"

const char *hg_max_pool2d_check(const hg_geometry2d *g) {
  HG_CHECK(hg_conv2d_check(g));
  if (hg_is_winograd(g)) return HG_BAD_GEOMETRY("pooling has no other algorithm");
  if (!hg_is_plain_geometry(g)) return HG_BAD_GEOMETRY("pooling has neither dilation nor groups of channels");
  if (g->large_channels != g->small_channels)
    return HG_BAD_GEOMETRY("pooling needs as many small channels as large channels");
  if (g->pad_top >= g->filter_height) return HG_BAD_GEOMETRY("the padding at the top is not below the filter's height");
  if (g->pad_left >= g->filter_width) return HG_BAD_GEOMETRY("the padding at the left is not below the filter's width");
  if (g->filter_height > 255 || g->filter_width > 255 || g->filter_height * g->filter_width > 255)
    return HG_BAD_GEOMETRY("a pooling window has more than 255 elements");
  if ((g->small_height - 1) * g->stride_vertical - g->pad_top >= g->large_height)
    return HG_BAD_GEOMETRY("the last pooling window lies wholly below the large image");
  if ((g->small_width - 1) * g->stride_horizontal - g->pad_left >= g->large_width)
    return HG_BAD_GEOMETRY("the last pooling window lies wholly to the right of the large image");
  return NULL;
}

/* What every call asks. `arrays`: whether those are there that it needs as soon as there are samples. */
static const char *check(const hg_geometry2d *g, hg_activation activation, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_max_pool2d_check(g));
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

const char *hg_max_pool2d_forward(const hg_geometry2d *geometry, const float *x, float *y, uint8_t *switches,
                                  const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, x && y, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const hg_max_pool_job job = {&g, x, y, switches};
  hg_run(hg_kernels_in_use()->max_pool_forward, &job, parallel);
  return NULL;
}

const char *hg_max_pool2d_backward(const hg_geometry2d *geometry, const float *dy, const uint8_t *switches,
                                   hg_activation gate_activation, const float *y, float *dx,
                                   const hg_parallel *parallel) {
  HG_CHECK(check(geometry, gate_activation, dy && switches && dx && (y || gate_activation == HG_ACTIVATION_LINEAR),
                 parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const hg_max_unpool_job job = {&g, dy, switches, gate_activation, y, dx};
  hg_run(hg_kernels_in_use()->max_pool_backward, &job, parallel);
  return NULL;
}

const char *hg_max_unpool2d_forward(const hg_geometry2d *geometry, const float *y, const uint8_t *switches, float *x,
                                    const hg_parallel *parallel) {
  return hg_max_pool2d_backward(geometry, y, switches, HG_ACTIVATION_LINEAR, NULL, x, parallel);
}

typedef struct unpool_backward_job {
  const hg_geometry2d *geometry;
  const float *dx;
  const uint8_t *switches;
  float *dy;
} unpool_backward_job;

/* Parts share the rows of the small images. Reads at switches do not fill vectors, so one loop serves every
 * instruction set. */
static void unpool_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const unpool_backward_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels, H = g->large_height, W = g->large_width;
  const hg_strides from = hg_large_strides(g), to = hg_small_strides(g);
  const ptrdiff_t rows = g->samples * g->small_height, end = hg_share(rows, part + 1, parts);
  for (ptrdiff_t i = hg_share(rows, part, parts); i < end; i++) {
    const ptrdiff_t n = i / g->small_height, p = i % g->small_height, top = p * g->stride_vertical - g->pad_top;
    const float *dx = job->dx + n * from.sample;
    for (ptrdiff_t q = 0; q < g->small_width; q++) {
      const ptrdiff_t left = q * g->stride_horizontal - g->pad_left;
      const uint8_t *switches = job->switches + (i * g->small_width + q) * K;
      float *dy = job->dy + n * to.sample + p * to.row + q * to.pixel;
      for (ptrdiff_t k = 0; k < K; k++) {
        const ptrdiff_t h = top + switches[k] / g->filter_width, w = left + switches[k] % g->filter_width;
        const bool inside = switches[k] < g->filter_height * g->filter_width && h >= 0 && h < H && w >= 0 && w < W;
        dy[k] = inside ? dx[h * from.row + w * from.pixel + k] : 0;
      }
    }
  }
}

const char *hg_max_unpool2d_backward(const hg_geometry2d *geometry, const float *dx, const uint8_t *switches, float *dy,
                                     const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, dx && switches && dy, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const unpool_backward_job job = {&g, dx, switches, dy};
  hg_run(unpool_backward, &job, parallel);
  return NULL;
}
