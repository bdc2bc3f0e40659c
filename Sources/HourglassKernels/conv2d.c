/* Convolution and transposed convolution: what each call needs prepared and which form of the kernel it runs. */
#include "check.h"
#include "isa.h"

#include <string.h>

/* The filter form with fewer channels of a group than this takes all taps as rows, from a copy of x with zeros
 * around. */
enum { HALO_CHANNELS = 8 };
/* Floats of both images of a run of samples of the filter form, which should stay in the second-level cache. */
enum { FILTER_RUN = 256 * 1024 };

/* What every call asks. `arrays`: whether those are there that it needs as soon as there are samples. */
static const char *check(const hg_geometry2d *g, hg_activation activation, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_conv2d_check(g));
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

/* --------------------------------------------------------------------------------------------------- weights */

ptrdiff_t hg_conv2d_prepared_gather_count(const hg_geometry2d *geometry) {
  if (hg_conv2d_check(geometry)) return -1;
  const hg_geometry2d g = hg_whole_geometry(geometry);
  if (hg_is_winograd(&g)) return hg_winograd_prepared_count(&g, false);
  if (hg_is_depthwise(&g)) return hg_depthwise_prepared_count(&g, false);
  if (hg_in_dots(&g)) return hg_filter_count(&g);
  return g.filter_height * g.filter_width * g.large_channels * hg_round_up(hg_small_group(&g));
}

ptrdiff_t hg_conv2d_prepared_scatter_count(const hg_geometry2d *geometry) {
  if (hg_conv2d_check(geometry)) return -1;
  const hg_geometry2d g = hg_whole_geometry(geometry);
  if (hg_is_winograd(&g)) return hg_winograd_prepared_count(&g, true);
  if (hg_is_depthwise(&g)) return hg_depthwise_prepared_count(&g, true);
  if (hg_in_strips(&g)) return g.small_channels * hg_strips_shape_of(&g).columns;
  return g.filter_height * g.filter_width * g.small_channels * hg_round_up(hg_large_group(&g));
}

typedef struct prepare_job {
  const hg_geometry2d *geometry;
  const float *filter;
  float *prepared;
} prepare_job;

/* For each group of K channels panels over them of (r, s, c) x width; parts share the rows (r, s, c). */
static void prepare_gather(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const prepare_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = hg_small_group(g), depth = g->filter_height * g->filter_width * hg_large_group(g);
  const ptrdiff_t end = hg_share(depth, part + 1, parts), panel = hg_kernels_in_use()->panel;
  for (ptrdiff_t i = hg_share(depth, part, parts); i < end; i++)
    for (ptrdiff_t group = 0; group < g->groups; group++)
      for (ptrdiff_t k = 0; k < K; k += panel) {
        const ptrdiff_t width = hg_panel_width(panel, K - k), count = hg_min(width, K - k);
        float *out = job->prepared + (group * hg_round_up(K) + k) * depth + i * width;
        memcpy(out, job->filter + i * g->small_channels + group * K + k, (size_t)count * sizeof(float));
        memset(out + count, 0, (size_t)(width - count) * sizeof(float));
      }
}

/* (r, k, s, c); parts share the rows (r, s, c). */
static void prepare_dots(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const prepare_job *job = argument;
  const ptrdiff_t K = job->geometry->small_channels, line = job->geometry->filter_width * job->geometry->large_channels;
  const ptrdiff_t end = hg_share(job->geometry->filter_height * line, part + 1, parts);
  for (ptrdiff_t i = hg_share(job->geometry->filter_height * line, part, parts); i < end; i++)
    for (ptrdiff_t k = 0; k < K; k++) job->prepared[(i / line * K + k) * line + i % line] = job->filter[i * K + k];
}

/* Panels over (r, s, c) of K x width, s up to taps block, zeros from S on; parts share the panels. */
static void prepare_strips(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const prepare_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const hg_strips_shape shape = hg_strips_shape_of(g);
  const ptrdiff_t K = g->small_channels, line = shape.taps * shape.run, real = g->filter_width * g->large_channels;
  const ptrdiff_t panel = hg_kernels_in_use()->panel;
  const ptrdiff_t panels = hg_ceil_div(shape.columns, panel), end = hg_share(panels, part + 1, parts);
  for (ptrdiff_t i = hg_share(panels, part, parts); i < end; i++) {
    const ptrdiff_t first = i * panel, width = hg_panel_width(panel, shape.columns - first);
    float *out = job->prepared + first * K;
    for (ptrdiff_t j = 0; j < width; j++) {
      const ptrdiff_t r = (first + j) / line, at = (first + j) % line;
      const float *in = r < g->filter_height && at < real ? job->filter + (r * real + at) * K : NULL;
      for (ptrdiff_t k = 0; k < K; k++) out[k * width + j] = in ? in[k] : 0;
    }
  }
}

/* For each group of C and K channels, for each phase in the order of first taps, panels over C of (taps reversed, K) x
 * width; parts share the taps. */
static void prepare_phases(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const prepare_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t R = g->filter_height, S = g->filter_width, C = hg_large_group(g), K = hg_small_group(g);
  const ptrdiff_t U = hg_phase_step(g->stride_vertical, g->dilation_vertical);
  const ptrdiff_t V = hg_phase_step(g->stride_horizontal, g->dilation_horizontal);
  const ptrdiff_t end = hg_share(R * S, part + 1, parts), panel = hg_kernels_in_use()->panel;
  for (ptrdiff_t tap = hg_share(R * S, part, parts); tap < end; tap++) {
    const ptrdiff_t r = tap / S, s = tap % S, high = hg_phase_taps(r % U, R, U), wide = hg_phase_taps(s % V, S, V);
    const ptrdiff_t before = hg_phase_taps_before(r % U, R, U) * S + hg_phase_taps_before(s % V, S, V) * high;
    const ptrdiff_t reversed = hg_phase_place(g, U, V, r, s) - before;
    for (ptrdiff_t group = 0; group < g->groups; group++) {
      float *phase = job->prepared + (group * R * S + before) * K * hg_round_up(C);
      for (ptrdiff_t c = 0; c < C; c += panel) {
        const ptrdiff_t width = hg_panel_width(panel, C - c);
        const float *in = job->filter + (tap * C + c) * g->small_channels + group * K;
        hg_kernels_in_use()->transpose(hg_min(width, C - c), K, in, g->small_channels,
                                       phase + c * high * wide * K + reversed * K * width, width, width);
      }
    }
  }
}

static const char *prepare(const hg_geometry2d *geometry, bool scatter, const float *filter, float *prepared,
                           const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, true, parallel));
  HG_CHECK(hg_check_arrays(filter && prepared));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const prepare_job job = {&g, filter, prepared};
  if (hg_is_winograd(&g))
    hg_winograd_prepare(&g, scatter, filter, prepared, parallel);
  else if (hg_is_depthwise(&g))
    hg_depthwise_prepare(&g, scatter, filter, prepared, parallel);
  else if (scatter)
    hg_run(hg_in_strips(&g) ? prepare_strips : prepare_phases, &job, parallel);
  else
    hg_run(hg_in_dots(&g) ? prepare_dots : prepare_gather, &job, parallel);
  return NULL;
}

const char *hg_conv2d_prepare_gather(const hg_geometry2d *geometry, const float *filter, hg_gather_filter *prepared,
                                     const hg_parallel *parallel) {
  return prepare(geometry, false, filter, prepared ? &prepared->prepared : NULL, parallel);
}

const char *hg_conv2d_prepare_scatter(const hg_geometry2d *geometry, const float *filter, hg_scatter_filter *prepared,
                                      const hg_parallel *parallel) {
  return prepare(geometry, true, filter, prepared ? &prepared->prepared : NULL, parallel);
}

/* ---------------------------------------------------------------------------------------------- images */

/* Parts that work on the strips of a pass. */
static ptrdiff_t strips_rooms(const hg_geometry2d *g, const hg_parallel *parallel) {
  return hg_rooms(parallel, hg_strips_scratch(g), g->samples * g->large_height, hg_operands(g));
}

/* Scratch of a pass over a whole geometry. */
static ptrdiff_t pass_scratch(const hg_geometry2d *g, bool scatter, const hg_parallel *parallel) {
  if (hg_is_winograd(g)) return hg_winograd_image_scratch(g, scatter, parallel);
  if (hg_is_depthwise(g)) return hg_depthwise_image_scratch(g, scatter, parallel);
  return scatter && hg_in_strips(g) ? strips_rooms(g, parallel) * hg_strips_scratch(g) : 0;
}

static ptrdiff_t scratch_of(const hg_geometry2d *geometry, bool scatter, const hg_parallel *parallel) {
  if (hg_conv2d_check(geometry) || hg_parallel_check(parallel)) return -1;
  const hg_geometry2d g = hg_whole_geometry(geometry);
  return pass_scratch(&g, scatter, parallel);
}

ptrdiff_t hg_conv2d_forward_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  return scratch_of(geometry, false, parallel);
}

ptrdiff_t hg_conv2d_backward_data_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  return scratch_of(geometry, true, parallel);
}

ptrdiff_t hg_conv2d_transpose_forward_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  return scratch_of(geometry, true, parallel);
}

ptrdiff_t hg_conv2d_transpose_backward_data_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  return scratch_of(geometry, false, parallel);
}

/* A pass from the large image to the small one, or back as a scatter: with bias and activation, or, backward, gated by
 * the activation's output. */
static const char *pass(const hg_geometry2d *geometry, bool scatter, const float *in, const float *filter,
                        const float *bias, hg_activation activation, bool backward, const float *gate, float *out,
                        float *scratch, const hg_parallel *parallel) {
  const bool gated = backward && activation != HG_ACTIVATION_LINEAR;
  HG_CHECK(check(geometry, activation, in && filter && out && (gate || !gated), parallel));
  if (geometry->samples == 0) return NULL; /* else an image of any height would be walked for nothing */
  const hg_geometry2d whole = hg_whole_geometry(geometry), *const g = &whole;
  HG_CHECK(hg_check_arrays(scratch || pass_scratch(g, scatter, parallel) == 0));
  const bool relu = activation == HG_ACTIVATION_RELU;
  const hg_output output = {
      .out = out, .bias = bias, .gate = relu && backward ? gate : NULL, .relu = relu && !backward};
  const hg_kernels *kernels = hg_kernels_in_use();
  if (hg_is_winograd(g)) {
    hg_winograd_image(g, scatter, in, filter, output, scratch, parallel);
  } else if (hg_is_depthwise(g)) {
    hg_depthwise_image(g, scatter, in, filter, output, scratch, parallel);
  } else if (scatter && hg_in_strips(g)) {
    const hg_strips_job job = {g, in, filter, output, scratch, strips_rooms(g, parallel)};
    hg_run(kernels->strips, &job, parallel);
  } else {
    const hg_gather_job job = {g, scatter, in, filter, output};
    hg_run(!scatter && hg_in_dots(g) ? kernels->dots_gather : kernels->gather, &job, parallel);
  }
  if (hg_is_fused(activation)) return NULL;
  const hg_image image = scatter ? hg_large_image(g) : hg_small_image(g);
  return hg_activate(activation, &image, backward ? gate : NULL, out, parallel);
}

/* A prepared filter is an array of floats whose type says for which form. */
static const float *of_gather(const hg_gather_filter *filter) { return filter ? &filter->prepared : NULL; }
static const float *of_scatter(const hg_scatter_filter *filter) { return filter ? &filter->prepared : NULL; }

const char *hg_conv2d_forward(const hg_geometry2d *geometry, const float *x, const hg_gather_filter *gather_filter,
                              const float *bias, hg_activation activation, float *y, float *scratch,
                              const hg_parallel *parallel) {
  return pass(geometry, false, x, of_gather(gather_filter), bias, activation, false, NULL, y, scratch, parallel);
}

const char *hg_conv2d_backward_data(const hg_geometry2d *geometry, const float *dy,
                                    const hg_scatter_filter *scatter_filter, hg_activation gate_activation,
                                    const float *gate, float *dx, float *scratch, const hg_parallel *parallel) {
  return pass(geometry, true, dy, of_scatter(scatter_filter), NULL, gate_activation, true, gate, dx, scratch, parallel);
}

const char *hg_conv2d_transpose_forward(const hg_geometry2d *geometry, const float *y,
                                        const hg_scatter_filter *scatter_filter, const float *bias,
                                        hg_activation activation, float *x, float *scratch,
                                        const hg_parallel *parallel) {
  return pass(geometry, true, y, of_scatter(scatter_filter), bias, activation, false, NULL, x, scratch, parallel);
}

const char *hg_conv2d_transpose_backward_data(const hg_geometry2d *geometry, const float *dx,
                                              const hg_gather_filter *gather_filter, hg_activation gate_activation,
                                              const float *gate, float *dy, float *scratch,
                                              const hg_parallel *parallel) {
  return pass(geometry, false, dx, of_gather(gather_filter), NULL, gate_activation, true, gate, dy, scratch, parallel);
}

/* ------------------------------------------------------------------------------------------ gradients */

/* Runs into which the filter form divides its samples, fewer where every run would pass over a large filter once more;
 * accumulation makes the bits independent of them. */
static ptrdiff_t filter_runs(const hg_geometry2d *g) {
  const ptrdiff_t runs = hg_ceil_div(g->samples * hg_sample_count(g), FILTER_RUN + hg_filter_count(g) / 2);
  return hg_max(1, hg_min(g->samples, runs));
}

/* Small positions of an axis with any tap inside the large image, and the large extent that all their taps span. */
static ptrdiff_t halo_positions(ptrdiff_t small, ptrdiff_t large, ptrdiff_t stride, ptrdiff_t pad) {
  return hg_min(small, hg_ceil_div(large + pad, stride));
}
static ptrdiff_t halo_extent(ptrdiff_t positions, ptrdiff_t filter, ptrdiff_t stride, ptrdiff_t dilation) {
  return (positions - 1) * stride + (filter - 1) * dilation + 1;
}

/* A filter job with everything but samples and places in memory. */
static hg_filter_job filter_shape(const hg_geometry2d *g) {
  hg_filter_job job = {.geometry = g};
  job.halo_p = halo_positions(g->small_height, g->large_height, g->stride_vertical, g->pad_top);
  job.halo_q = halo_positions(g->small_width, g->large_width, g->stride_horizontal, g->pad_left);
  job.halo_height = halo_extent(job.halo_p, g->filter_height, g->stride_vertical, g->dilation_vertical);
  job.halo_width = halo_extent(job.halo_q, g->filter_width, g->stride_horizontal, g->dilation_horizontal);
  return job;
}

/* Whether the product takes all taps of a group at once. */
static bool in_halo(const hg_geometry2d *g) { return hg_large_group(g) < HALO_CHANNELS; }

/* Floats of the halo of a sample, and of the halo of a run with the ones behind it. */
static ptrdiff_t halo_sample(const hg_filter_job *job) {
  return job->halo_height * job->halo_width * job->geometry->large_channels;
}
static ptrdiff_t halo_count(const hg_filter_job *job, ptrdiff_t samples) {
  return in_halo(job->geometry) ? hg_round_up((samples + 1) * halo_sample(job)) : 0;
}

/* Floats of the halo and the ones of a run. */
static ptrdiff_t filter_room(const hg_geometry2d *g) {
  const hg_filter_job job = filter_shape(g);
  return halo_count(&job, hg_ceil_div(g->samples, filter_runs(g)));
}

/* Whether all parts read one halo, because one for each would take more than hg_rooms allows. */
static bool is_halo_shared(const hg_geometry2d *g, const hg_parallel *parallel) {
  const ptrdiff_t parts = hg_parts(parallel);
  return hg_rooms(parallel, filter_room(g), parts, hg_operands(g)) < parts;
}

ptrdiff_t hg_conv2d_backward_filter_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  if (hg_conv2d_check(geometry) || hg_parallel_check(parallel)) return -1;
  const hg_geometry2d g = hg_whole_geometry(geometry);
  if (hg_is_winograd(&g)) return hg_winograd_filter_scratch(&g, parallel);
  if (hg_is_depthwise(&g)) return hg_depthwise_filter_scratch(&g, parallel);
  return is_halo_shared(&g, parallel) ? filter_room(&g) : hg_parts(parallel) * filter_room(&g);
}

ptrdiff_t hg_conv2d_transpose_backward_filter_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  return hg_conv2d_backward_filter_scratch(geometry, parallel);
}

/* Whether the bias is summed beside the filter, one chain for each: with a halo that holds all small positions of a
 * group that is all, and in the depthwise form. */
static bool filter_sums_bias(const hg_geometry2d *g) {
  if (hg_is_winograd(g) || g->small_channels < 16) return false;
  const hg_filter_job job = filter_shape(g);
  return hg_is_depthwise(g) ||
         (in_halo(g) && g->groups == 1 && job.halo_p == g->small_height && job.halo_q == g->small_width);
}

/* dbias, where not NULL, is the bias over small channels of a geometry that filter_sums_bias. */
static void backward_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate, float *dfilter,
                            float *dbias, float *scratch, const hg_parallel *parallel) {
  if (g->samples == 0) { /* an empty sum, which no tile below would write */
    if (!accumulate) memset(dfilter, 0, (size_t)hg_filter_count(g) * sizeof(float));
    return;
  }
  if (hg_is_winograd(g)) {
    hg_winograd_filter(g, x, dy, accumulate, dfilter, scratch, parallel);
    return;
  }
  if (hg_is_depthwise(g)) {
    hg_depthwise_filter(g, x, dy, accumulate, dfilter, dbias, scratch, parallel);
    return;
  }
  hg_filter_job job = filter_shape(g);
  job.samples = g->samples;
  job.runs = filter_runs(g);
  job.x = x;
  job.dy = dy;
  const ptrdiff_t most = hg_ceil_div(job.samples, job.runs);
  if (in_halo(g)) job.halo = scratch;
  if (dbias) job.ones = scratch + most * halo_sample(&job);
  job.room = filter_room(g);
  job.dbias = dbias;
  job.output = (hg_output){.out = dfilter, .accumulate = accumulate};
  const hg_kernels *kernels = hg_kernels_in_use();
  if (!is_halo_shared(g, parallel)) {
    hg_run(hg_in_dots(g) ? kernels->dots_filter : kernels->filter, &job, parallel);
    return;
  }
  job.filled = true;
  for (ptrdiff_t run = 0; run < job.runs; run++) {
    hg_filter_job one = hg_filter_run_of(&job, run, 0);
    one.runs = 1, one.room = 0;
    hg_run(kernels->filter_fill, &one, parallel);
    hg_run(kernels->filter, &one, parallel);
  }
}

static void backward_bias(hg_image image, const float *in, bool accumulate, float *dbias, const hg_parallel *parallel) {
  const ptrdiff_t channels = image.channels;
  if (hg_is_dense(&image))
    image = (hg_image){1, 1, image.samples * image.height * image.width, channels, {0, 0, channels}};
  const hg_column_sums_job job = {image, in, channels < 16, accumulate, dbias};
  hg_run(hg_kernels_in_use()->column_sums, &job, parallel);
}

/* What both gradients ask; the filter's alone needs the operation's input and scratch. */
static const char *check_filter(const hg_geometry2d *g, const float *input, const float *errors, const float *dfilter,
                                const float *scratch, const hg_parallel *parallel) {
  HG_CHECK(check(g, HG_ACTIVATION_LINEAR, (input || !dfilter) && errors, parallel));
  return hg_check_arrays(scratch || !dfilter || g->samples == 0 || hg_conv2d_backward_filter_scratch(g, parallel) == 0);
}

const char *hg_conv2d_backward_filter(const hg_geometry2d *geometry, const float *x, const float *dy, bool accumulate,
                                      float *dfilter, float *dbias, float *scratch, const hg_parallel *parallel) {
  HG_CHECK(check_filter(geometry, x, dy, dfilter, scratch, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  const bool beside = dfilter && dbias && g.samples > 0 && filter_sums_bias(&g);
  if (dfilter) backward_filter(&g, x, dy, accumulate, dfilter, beside ? dbias : NULL, scratch, parallel);
  if (dbias && !beside) backward_bias(hg_small_image(&g), dy, accumulate, dbias, parallel);
  return NULL;
}

const char *hg_conv2d_transpose_backward_filter(const hg_geometry2d *geometry, const float *y, const float *dx,
                                                bool accumulate, float *dfilter, float *dbias, float *scratch,
                                                const hg_parallel *parallel) {
  HG_CHECK(check_filter(geometry, y, dx, dfilter, scratch, parallel));
  const hg_geometry2d g = hg_whole_geometry(geometry);
  if (dfilter) backward_filter(&g, dx, y, accumulate, dfilter, NULL, scratch, parallel);
  if (dbias) backward_bias(hg_large_image(&g), dx, accumulate, dbias, parallel);
  return NULL;
}
