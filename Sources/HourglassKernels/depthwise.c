/* Convolutions and transposed convolutions whose groups have one channel on a side. */
#include "check.h"
#include "isa.h"

#include <string.h>

ptrdiff_t hg_depthwise_prepared_count(const hg_geometry2d *g, bool scatter) {
  const hg_depthwise_shape s = hg_depthwise_shape_of(g, scatter, false);
  return g->filter_height * g->filter_width * s.ins * s.lanes;
}

/* Parts that work on an image, whose rows they share, or on a filter's gradient, whose vectors of channels or rows of
 * taps they share. */
static ptrdiff_t image_rooms(const hg_geometry2d *g, bool scatter, const hg_depthwise_shape *s,
                             const hg_parallel *parallel) {
  const ptrdiff_t height = scatter ? g->large_height : g->small_height;
  return hg_rooms(parallel, s->ring * s->row, g->samples * height, hg_operands(g));
}
static ptrdiff_t gradient_rooms(const hg_geometry2d *g, const hg_depthwise_shape *s, const hg_parallel *parallel) {
  return hg_rooms(parallel, hg_depthwise_rows(g, s), g->small_channels * g->filter_height, hg_operands(g));
}

ptrdiff_t hg_depthwise_image_scratch(const hg_geometry2d *g, bool scatter, const hg_parallel *parallel) {
  const hg_depthwise_shape s = hg_depthwise_shape_of(g, scatter, false);
  return image_rooms(g, scatter, &s, parallel) * s.ring * s.row;
}

/* Floats of the sums of all parts. */
static ptrdiff_t sums_count(const hg_geometry2d *g, const hg_depthwise_shape *s) {
  return (g->filter_height * g->filter_width * s->ins + 1) * s->lanes;
}

ptrdiff_t hg_depthwise_filter_scratch(const hg_geometry2d *g, const hg_parallel *parallel) {
  const hg_depthwise_shape s = hg_depthwise_shape_of(g, false, true);
  return sums_count(g, &s) + gradient_rooms(g, &s, parallel) * hg_depthwise_rows(g, &s);
}

/* Few enough for one thread. */
void hg_depthwise_prepare(const hg_geometry2d *g, bool scatter, const float *filter, float *prepared,
                          const hg_parallel *parallel) {
  const hg_depthwise_shape shape = hg_depthwise_shape_of(g, scatter, false);
  const ptrdiff_t C = hg_large_group(g), K = g->small_channels, R = g->filter_height, S = g->filter_width;
  const ptrdiff_t ins = shape.ins, lanes = shape.lanes;
  const ptrdiff_t U = scatter ? hg_phase_step(g->stride_vertical, g->dilation_vertical) : 1;
  const ptrdiff_t V = scatter ? hg_phase_step(g->stride_horizontal, g->dilation_horizontal) : 1;
  (void)parallel;
  for (ptrdiff_t tap = 0; tap < R * S; tap++) {
    const ptrdiff_t place = scatter ? hg_phase_place(g, U, V, tap / S, tap % S) : tap;
    for (ptrdiff_t in = 0; in < ins; in++) {
      float *out = prepared + (place * ins + in) * lanes;
      memset(out, 0, (size_t)lanes * sizeof(float));
      for (ptrdiff_t j = 0; j < shape.columns; j++)
        out[j] = scatter ? filter[(tap * C + j % C) * K + j / C * ins + in] : filter[(tap * C + in) * K + j];
    }
  }
}

void hg_depthwise_image(const hg_geometry2d *g, bool scatter, const float *in, const float *filter, hg_output output,
                        float *scratch, const hg_parallel *parallel) {
  const hg_depthwise_shape s = hg_depthwise_shape_of(g, scatter, false);
  const hg_depthwise_job job = {g, scatter, in, filter, output, scratch, image_rooms(g, scatter, &s, parallel)};
  hg_run(hg_kernels_in_use()->depthwise, &job, parallel);
}

void hg_depthwise_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate, float *dfilter,
                         float *dbias, float *scratch, const hg_parallel *parallel) {
  const hg_depthwise_shape s = hg_depthwise_shape_of(g, false, true);
  const hg_depthwise_filter_job job = {
      g, x, dy, accumulate, dfilter, dbias, scratch, scratch + sums_count(g, &s), gradient_rooms(g, &s, parallel)};
  hg_run(hg_kernels_in_use()->depthwise_filter, &job, parallel);
}
