/* Convolutions and transposed convolutions of 3 x 3 with stride 1 and of 4 x 4 with stride 2 in Winograd's form. */
#include "check.h"
#include "isa.h"

/* Floats of a block's points, which should stay in the second-level cache. */
enum { WINOGRAD_BLOCK = 128 * 1024 };

const char *hg_winograd_refusal(const hg_geometry2d *g) {
  const ptrdiff_t size = g->filter_height, stride = g->stride_vertical;
  if (g->dilation_vertical > 1 || g->dilation_horizontal > 1 || g->groups > 1)
    return HG_BAD_GEOMETRY("Winograd's form has neither dilation nor groups of channels");
  if (g->filter_width != size || g->stride_horizontal != stride ||
      !((size == 3 && stride == 1) || (size == 4 && stride == 2)))
    return HG_BAD_GEOMETRY("Winograd's form wants a filter of 3 x 3 and strides of 1, or of 4 x 4 and strides of 2");
  /* Doubles cannot overflow here. */
  const double channels = (double)g->large_channels + (double)g->small_channels + 30;
  return 100 * channels * channels < HG_MOST_ELEMENTS ? NULL : HG_BAD_GEOMETRY("the filter's points are 2^40 or more");
}

/* Blocks that fit the cache, but so large that the points of the filter, which each reads, are at most four times its
 * own. */
static hg_winograd_job job_of(const hg_geometry2d *g, bool scatter) {
  const ptrdiff_t C = hg_round_up(g->large_channels), K = hg_round_up(g->small_channels);
  hg_winograd_job job = {.geometry = g, .scatter = scatter};
  job.from = scatter ? K : g->stride_vertical * g->stride_horizontal * C;
  job.to = scatter ? C : K;
  const ptrdiff_t fit = WINOGRAD_BLOCK / (hg_winograd_points(g) * (job.from + job.to));
  const ptrdiff_t fair = job.from * job.to / (job.from + job.to) / 4;
  job.block = hg_max(6, hg_max(fit, fair) / 6 * 6) * 3 / 2;
  return job;
}

/* Parts that work on a job: they share the blocks of an image, or the large channels of a gradient in whole vectors. */
static ptrdiff_t image_rooms(const hg_winograd_job *job, const hg_parallel *parallel) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t U = g->stride_vertical;
  const ptrdiff_t high = job->scatter ? hg_ceil_div(g->large_height, U) : g->small_height;
  const ptrdiff_t wide = job->scatter ? hg_ceil_div(g->large_width, U) : g->small_width;
  const ptrdiff_t tiles = g->samples * hg_ceil_div(high, 4) * hg_ceil_div(wide, 4);
  return hg_rooms(parallel, hg_winograd_room(job), hg_winograd_blocks(job, tiles), hg_operands(g));
}
static ptrdiff_t gradient_rooms(const hg_winograd_job *job, const hg_parallel *parallel) {
  const hg_geometry2d *g = job->geometry;
  return hg_rooms(parallel, hg_winograd_room(job), hg_ceil_div(g->large_channels, 16), hg_operands(g));
}

/* All points of the filter: those of a pair of channels in each phase, outputs in whole groups. */
ptrdiff_t hg_winograd_prepared_count(const hg_geometry2d *g, bool scatter) {
  const ptrdiff_t phases = g->stride_vertical * g->stride_horizontal;
  return hg_winograd_points(g) * phases * (scatter ? g->small_channels : g->large_channels) * job_of(g, scatter).to;
}

ptrdiff_t hg_winograd_image_scratch(const hg_geometry2d *g, bool scatter, const hg_parallel *parallel) {
  const hg_winograd_job job = job_of(g, scatter);
  return image_rooms(&job, parallel) * hg_winograd_room(&job);
}

ptrdiff_t hg_winograd_filter_scratch(const hg_geometry2d *g, const hg_parallel *parallel) {
  const hg_winograd_job job = job_of(g, false);
  return hg_winograd_points(g) * job.from * job.to + gradient_rooms(&job, parallel) * hg_winograd_room(&job);
}

void hg_winograd_prepare(const hg_geometry2d *g, bool scatter, const float *filter, float *prepared,
                         const hg_parallel *parallel) {
  hg_winograd_job job = job_of(g, scatter);
  job.in = filter;
  job.output.out = prepared;
  hg_run(hg_kernels_in_use()->winograd_prepare, &job, parallel);
}

void hg_winograd_image(const hg_geometry2d *g, bool scatter, const float *in, const float *filter, hg_output output,
                       float *scratch, const hg_parallel *parallel) {
  hg_winograd_job job = job_of(g, scatter);
  job.in = in;
  job.filter = filter;
  job.output = output;
  job.scratch = scratch;
  job.rooms = image_rooms(&job, parallel);
  hg_run(hg_kernels_in_use()->winograd_gather, &job, parallel);
}

void hg_winograd_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate, float *dfilter,
                        float *scratch, const hg_parallel *parallel) {
  hg_winograd_job job = job_of(g, false);
  job.in = x;
  job.dy = dy;
  job.output = (hg_output){.out = dfilter, .accumulate = accumulate};
  job.scratch = scratch;
  job.rooms = gradient_rooms(&job, parallel);
  hg_run(hg_kernels_in_use()->winograd_filter_gradient, &job, parallel);
}
