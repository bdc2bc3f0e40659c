/* Convolutions of 3 x 3 with stride 1 in Winograd's form. */
#include "check.h"
#include "isa.h"

#include <string.h>

/* Floats of a block's points, which should stay in the second-level cache beside the filter's; and the fewest tiles
 * of a block, so that the filter is not read too often. */
enum { WINOGRAD_BLOCK = 128 * 1024, WINOGRAD_TILES = 12 };

const char *hg_winograd_check(const hg_geometry2d *g) {
  HG_CHECK(hg_conv2d_check(g));
  if (g->filter_height != 3 || g->filter_width != 3) return "Winograd's form wants a filter of 3 x 3";
  if (g->stride_vertical != 1 || g->stride_horizontal != 1) return "Winograd's form wants strides of 1";
  /* In double, which cannot overflow. */
  const double channels = (double)g->large_channels + (double)g->small_channels + 30;
  if (36 * channels * channels >= HG_MOST_ELEMENTS) return "the filter's points are 2^40 or more";
  return NULL;
}

static hg_winograd_job job_of(const hg_geometry2d *g, bool scatter) {
  hg_winograd_job job = {.in_height = g->large_height,
                         .in_width = g->large_width,
                         .in_channels = g->large_channels,
                         .out_height = g->small_height,
                         .out_width = g->small_width,
                         .out_channels = g->small_channels,
                         .pad_top = g->pad_top,
                         .pad_left = g->pad_left};
  if (scatter) /* a gather from the small image, the taps in reverse */
    job = (hg_winograd_job){.turned = true,
                            .in_height = g->small_height,
                            .in_width = g->small_width,
                            .in_channels = g->small_channels,
                            .out_height = g->large_height,
                            .out_width = g->large_width,
                            .out_channels = g->large_channels,
                            .pad_top = 2 - g->pad_top,
                            .pad_left = 2 - g->pad_left};
  job.tiles = g->samples * hg_ceil_div(job.out_height, 4) * hg_ceil_div(job.out_width, 4);
  const ptrdiff_t width = hg_round_up(job.in_channels) + hg_round_up(job.out_channels);
  job.block = hg_min(job.tiles, hg_max(WINOGRAD_TILES, WINOGRAD_BLOCK / (36 * width) / 6 * 6));
  return job;
}

static ptrdiff_t prepared_count(const hg_winograd_job *job) {
  return 36 * job->in_channels * hg_round_up(job->out_channels);
}

static ptrdiff_t block_count(const hg_winograd_job *job) {
  return 36 * job->block * (hg_round_up(job->in_channels) + hg_round_up(job->out_channels));
}

ptrdiff_t hg_winograd_prepared_gather_count(const hg_geometry2d *g) {
  if (hg_winograd_check(g)) return -1;
  const hg_winograd_job job = job_of(g, false);
  return prepared_count(&job);
}

ptrdiff_t hg_winograd_prepared_scatter_count(const hg_geometry2d *g) {
  if (hg_winograd_check(g)) return -1;
  const hg_winograd_job job = job_of(g, true);
  return prepared_count(&job);
}

ptrdiff_t hg_winograd_scratch(const hg_geometry2d *g, const hg_parallel *parallel) {
  if (hg_winograd_check(g) || hg_parallel_check(parallel)) return -1;
  const hg_winograd_job gather = job_of(g, false), scatter = job_of(g, true);
  const ptrdiff_t filter = prepared_count(&gather) + hg_parts(parallel) * block_count(&gather);
  return hg_max(filter, hg_parts(parallel) * block_count(&scatter));
}

static const char *check(const hg_geometry2d *g, hg_activation activation, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_winograd_check(g));
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

static const char *prepare(const hg_geometry2d *g, bool scatter, const float *filter, float *prepared,
                           const hg_parallel *parallel) {
  HG_CHECK(hg_winograd_check(g));
  HG_CHECK(hg_check_arrays(filter && prepared));
  HG_CHECK(hg_parallel_check(parallel));
  hg_winograd_job job = job_of(g, scatter);
  job.in = filter;
  job.output.out = prepared;
  hg_run(hg_kernels_in_use()->winograd_prepare, &job, parallel);
  return NULL;
}

const char *hg_winograd_prepare_gather(const hg_geometry2d *geometry, const float *filter, float *prepared,
                                       const hg_parallel *parallel) {
  return prepare(geometry, false, filter, prepared, parallel);
}

const char *hg_winograd_prepare_scatter(const hg_geometry2d *geometry, const float *filter, float *prepared,
                                        const hg_parallel *parallel) {
  return prepare(geometry, true, filter, prepared, parallel);
}

static void gather(hg_winograd_job job, const float *in, const float *filter, hg_output output, float *scratch,
                   const hg_parallel *parallel) {
  job.in = in;
  job.filter = filter;
  job.output = output;
  job.scratch = scratch;
  hg_run(hg_kernels_in_use()->winograd_gather, &job, parallel);
}

const char *hg_winograd_forward(const hg_geometry2d *geometry, const float *x, const float *gather_filter,
                                const float *bias, hg_activation activation, float *y, float *scratch,
                                const hg_parallel *parallel) {
  HG_CHECK(check(geometry, activation, x && gather_filter && y && scratch, parallel));
  if (geometry->samples == 0) return NULL;
  const hg_winograd_job job = job_of(geometry, false);
  const hg_output output = {.out = y, .bias = bias, .relu = activation == HG_ACTIVATION_RELU};
  gather(job, x, gather_filter, output, scratch, parallel);
  if (!hg_is_fused(activation))
    hg_activation_forward(activation, geometry->samples * job.out_height * job.out_width * job.out_channels, y, y,
                          parallel);
  return NULL;
}

const char *hg_winograd_backward_data(const hg_geometry2d *geometry, const float *dy, const float *scatter_filter,
                                      hg_activation gate_activation, const float *gate, float *dx, float *scratch,
                                      const hg_parallel *parallel) {
  HG_CHECK(check(geometry, gate_activation,
                 dy && scatter_filter && dx && scratch && (gate || gate_activation == HG_ACTIVATION_LINEAR), parallel));
  if (geometry->samples == 0) return NULL;
  const hg_winograd_job job = job_of(geometry, true);
  const hg_output output = {.out = dx, .gate = gate_activation == HG_ACTIVATION_RELU ? gate : NULL};
  gather(job, dy, scatter_filter, output, scratch, parallel);
  if (!hg_is_fused(gate_activation))
    hg_activation_backward(gate_activation, geometry->samples * job.out_height * job.out_width * job.out_channels, gate,
                           dx, dx, parallel);
  return NULL;
}

const char *hg_winograd_backward_filter(const hg_geometry2d *geometry, const float *x, const float *dy, bool accumulate,
                                        float *dfilter, float *dbias, float *scratch, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, (x || !dfilter) && dy && (scratch || !dfilter), parallel));
  if (dfilter && geometry->samples > 0) {
    hg_winograd_job job = job_of(geometry, false);
    job.in = x;
    job.dy = dy;
    job.output = (hg_output){.out = dfilter, .accumulate = accumulate};
    job.scratch = scratch;
    hg_run(hg_kernels_in_use()->winograd_filter_gradient, &job, parallel);
  } else if (dfilter && !accumulate) {
    memset(dfilter, 0, (size_t)(9 * geometry->large_channels * geometry->small_channels) * sizeof(float));
  }
  return dbias ? hg_conv2d_backward_filter(geometry, NULL, dy, accumulate, NULL, dbias, NULL, parallel) : NULL;
}
