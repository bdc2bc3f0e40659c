/* Convolutions and transposed convolutions of 3 x 3 with stride 1 and of 4 x 4 with stride 2 in Winograd's form. */
#include "check.h"
#include "isa.h"

#include <string.h>

/* Floats of a block's points, which should stay in the second-level cache. */
enum { WINOGRAD_BLOCK = 128 * 1024 };

const char *hg_winograd_check(const hg_geometry2d *g) {
  HG_CHECK(hg_conv2d_check(g));
  const ptrdiff_t size = g->filter_height, stride = g->stride_vertical;
  if (g->filter_width != size || g->stride_horizontal != stride ||
      !((size == 3 && stride == 1) || (size == 4 && stride == 2)))
    return "Winograd's form wants a filter of 3 x 3 and strides of 1, or of 4 x 4 and strides of 2";
  /* In double, which cannot overflow. */
  const double channels = (double)g->large_channels + (double)g->small_channels + 30;
  if (100 * channels * channels >= HG_MOST_ELEMENTS) return "the filter's points are 2^40 or more";
  return NULL;
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

/* All points of the filter: those of a pair of channels in each phase, outputs in whole groups. */
static ptrdiff_t prepared_count(const hg_winograd_job *job) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t phases = g->stride_vertical * g->stride_horizontal;
  return hg_winograd_points(g) * phases * (job->scatter ? g->small_channels : g->large_channels) * job->to;
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
  const ptrdiff_t filter =
      hg_winograd_points(g) * gather.from * gather.to + hg_parts(parallel) * hg_winograd_room(&gather);
  return hg_max(filter, hg_parts(parallel) * hg_winograd_room(&scatter));
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

/* A pass from the large image to the small one, or back as a scatter: with bias and activation, or gated by one. */
static const char *pass(const hg_geometry2d *g, bool scatter, const float *in, const float *filter, const float *bias,
                        hg_activation activation, const float *gate, bool backward, float *out, float *scratch,
                        const hg_parallel *parallel) {
  const bool gated = backward && activation != HG_ACTIVATION_LINEAR;
  HG_CHECK(check(g, activation, in && filter && out && scratch && (gate || !gated), parallel));
  if (g->samples == 0) return NULL;
  const bool relu = activation == HG_ACTIVATION_RELU;
  hg_winograd_job job = job_of(g, scatter);
  job.in = in;
  job.filter = filter;
  job.output = (hg_output){.out = out, .bias = bias, .gate = relu && backward ? gate : NULL, .relu = relu && !backward};
  job.scratch = scratch;
  hg_run(hg_kernels_in_use()->winograd_gather, &job, parallel);
  if (hg_is_fused(activation)) return NULL;
  const ptrdiff_t count = g->samples * (scatter ? g->large_height * g->large_width * g->large_channels
                                                : g->small_height * g->small_width * g->small_channels);
  return backward ? hg_activation_backward(activation, count, gate, out, out, parallel)
                  : hg_activation_forward(activation, count, out, out, parallel);
}

const char *hg_winograd_forward(const hg_geometry2d *geometry, const float *x, const float *gather_filter,
                                const float *bias, hg_activation activation, float *y, float *scratch,
                                const hg_parallel *parallel) {
  return pass(geometry, false, x, gather_filter, bias, activation, NULL, false, y, scratch, parallel);
}

const char *hg_winograd_backward_data(const hg_geometry2d *geometry, const float *dy, const float *scatter_filter,
                                      hg_activation gate_activation, const float *gate, float *dx, float *scratch,
                                      const hg_parallel *parallel) {
  return pass(geometry, true, dy, scatter_filter, NULL, gate_activation, gate, true, dx, scratch, parallel);
}

const char *hg_winograd_transpose_forward(const hg_geometry2d *geometry, const float *y, const float *scatter_filter,
                                          const float *bias, hg_activation activation, float *x, float *scratch,
                                          const hg_parallel *parallel) {
  return pass(geometry, true, y, scatter_filter, bias, activation, NULL, false, x, scratch, parallel);
}

const char *hg_winograd_transpose_backward_data(const hg_geometry2d *geometry, const float *dx,
                                                const float *gather_filter, hg_activation gate_activation,
                                                const float *gate, float *dy, float *scratch,
                                                const hg_parallel *parallel) {
  return pass(geometry, false, dx, gather_filter, NULL, gate_activation, gate, true, dy, scratch, parallel);
}

/* From both images; the bias is summed by the direct form. */
static const char *filter_gradient(const hg_geometry2d *g, const float *large, const float *small, bool accumulate,
                                   float *dfilter, float *scratch, const hg_parallel *parallel) {
  if (g->samples > 0) {
    hg_winograd_job job = job_of(g, false);
    job.in = large;
    job.dy = small;
    job.output = (hg_output){.out = dfilter, .accumulate = accumulate};
    job.scratch = scratch;
    hg_run(hg_kernels_in_use()->winograd_filter_gradient, &job, parallel);
  } else if (!accumulate) {
    memset(dfilter, 0,
           (size_t)(g->filter_height * g->filter_width * g->large_channels * g->small_channels) * sizeof(float));
  }
  return NULL;
}

const char *hg_winograd_backward_filter(const hg_geometry2d *geometry, const float *x, const float *dy, bool accumulate,
                                        float *dfilter, float *dbias, float *scratch, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, (x || !dfilter) && dy && (scratch || !dfilter), parallel));
  if (dfilter) filter_gradient(geometry, x, dy, accumulate, dfilter, scratch, parallel);
  return dbias ? hg_conv2d_backward_filter(geometry, NULL, dy, accumulate, NULL, dbias, NULL, parallel) : NULL;
}

const char *hg_winograd_transpose_backward_filter(const hg_geometry2d *geometry, const float *y, const float *dx,
                                                  bool accumulate, float *dfilter, float *dbias, float *scratch,
                                                  const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, (y || !dfilter) && dx && (scratch || !dfilter), parallel));
  if (dfilter) filter_gradient(geometry, dx, y, accumulate, dfilter, scratch, parallel);
  return dbias ? hg_conv2d_transpose_backward_filter(geometry, NULL, dx, accumulate, NULL, dbias, NULL, parallel)
               : NULL;
}
