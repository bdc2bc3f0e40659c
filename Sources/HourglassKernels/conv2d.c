/* Convolution and transposed convolution: what each call needs prepared and which form of the kernel it runs. */
#include "check.h"
#include "isa.h"

#include <string.h>

/* --------------------------------------------------------------------------------------------------- geometry */

/* The scatter form with few large channels takes all taps as columns (simd/strips.h) where that is cheaper than phases:
 * 16 lanes of a phase hold C channels and K multiply-adds a tap; strips fill them, for a store and a load a tap, which
 * cost as much as about 8 multiply-adds. */
static bool in_strips(const hg_geometry2d *g) {
  if (g->pad_left >= g->filter_width) return false; /* blocks in front of the image would meet no small column */
  return g->large_channels < 16 && g->large_channels * (g->small_channels + 8) <= 18 * g->small_channels;
}
/* The gather and the filter form with few small channels take large channels as lanes (simd/dots.h), where the tile
 * would multiply by four times as many vectors or more, most of each being zeros. */
static bool in_dots(const hg_geometry2d *g) {
  return g->large_channels >= 16 && 4 * g->small_channels * hg_ceil_div(g->large_channels, 16) <=
                                        g->large_channels * hg_ceil_div(g->small_channels, 16);
}
/* The filter form with fewer channels than this takes all taps as rows, from a copy of x with zeros around. */
enum { HALO_CHANNELS = 8 };
/* Floats of both images of a run of samples of the filter form, which should stay in the second-level cache. */
enum { FILTER_RUN = 256 * 1024 };

const char *hg_conv2d_check(const hg_geometry2d *g) {
  if (!g) return "the geometry is NULL";
  if (g->size != sizeof *g && g->size != HG_GEOMETRY2D_SIZE_1_0) return "geometry.size is not sizeof(hg_geometry2d)";
  if (g->samples < 0) return "the number of samples is negative";
  if ((double)g->samples >= HG_MOST_ELEMENTS) return "there are 2^40 samples or more";
  const ptrdiff_t extents[] = {
      g->large_height,   g->large_width,   g->large_channels, g->small_height,    g->small_width,
      g->small_channels, g->filter_height, g->filter_width,   g->stride_vertical, g->stride_horizontal,
  };
  static const char *const sentences[][2] = {
      {"the height of the large image is below 1", "the height of the large image exceeds 2^31"},
      {"the width of the large image is below 1", "the width of the large image exceeds 2^31"},
      {"the large image has no channels", "the channels of the large image exceed 2^31"},
      {"the height of the small image is below 1", "the height of the small image exceeds 2^31"},
      {"the width of the small image is below 1", "the width of the small image exceeds 2^31"},
      {"the small image has no channels", "the channels of the small image exceed 2^31"},
      {"the height of the filter is below 1", "the height of the filter exceeds 2^31"},
      {"the width of the filter is below 1", "the width of the filter exceeds 2^31"},
      {"the vertical stride is below 1", "the vertical stride exceeds 2^31"},
      {"the horizontal stride is below 1", "the horizontal stride exceeds 2^31"},
  };
  for (size_t i = 0; i < sizeof extents / sizeof extents[0]; i++) {
    if (extents[i] < 1) return sentences[i][0];
    if (extents[i] > (ptrdiff_t)1 << 31) return sentences[i][1];
  }
  if (g->pad_top < 0 || g->pad_left < 0) return "the padding is negative";
  if (g->pad_top > (ptrdiff_t)1 << 31 || g->pad_left > (ptrdiff_t)1 << 31) return "the padding exceeds 2^31";
  /* Products in double: they cannot overflow, and being too large by a rounding error does no harm. */
  const double N = g->samples > 0 ? (double)g->samples : 1, C = (double)g->large_channels,
               K = (double)g->small_channels;
  const double taps = (double)g->filter_height * (double)g->filter_width;
  const double positions = (double)g->small_height * (double)g->small_width;
  if (N * (double)g->large_height * (double)g->large_width * C >= HG_MOST_ELEMENTS)
    return "the large images have 2^40 elements or more";
  if (N * positions * K >= HG_MOST_ELEMENTS) return "the small images have 2^40 elements or more";
  if (taps * (C + 15) * (K + 15) >= HG_MOST_ELEMENTS) return "the filter has 2^40 elements or more";
  if (((double)g->large_height + (double)hg_max(g->pad_top, g->filter_height) + (double)g->filter_height) *
          ((double)g->large_width + (double)hg_max(g->pad_left, g->filter_width) + (double)g->filter_width) * C >=
      HG_MOST_ELEMENTS)
    return "the large image with its padding has 2^40 elements or more";
  /* A filter is at most widened to a stride or the image, whichever is less. */
  if (in_strips(g)) {
    const double wide = (double)g->filter_width + (double)hg_min(g->stride_horizontal, g->large_width + g->pad_left);
    const double products = (double)g->filter_height * wide * C + 15, rows = (double)g->small_height + 4;
    if (rows * ((double)g->small_width + 2 * wide) * products >= HG_MOST_ELEMENTS)
      return "the products of the small image with all taps are 2^40 or more";
    if (products * (K + 15) >= HG_MOST_ELEMENTS) return "the filter has 2^40 elements or more";
  }
  if (g->size == HG_GEOMETRY2D_SIZE_1_0) return NULL;
  if ((unsigned)g->algorithm > HG_ALGORITHM_WINOGRAD) return "there is no such algorithm";
  if (g->precision != 0) return "there is no such precision: it must be 0, for float";
  if (g->dilation_vertical != 0 || g->dilation_horizontal != 0) return "there is no dilation: it must be 0";
  if (g->groups != 0) return "there are no groups of channels: their number must be 0";
  return hg_is_winograd(g) ? hg_winograd_refusal(g) : NULL;
}

/* What every call asks. `arrays`: whether those are there that it needs as soon as there are samples. */
static const char *check(const hg_geometry2d *g, hg_activation activation, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_conv2d_check(g));
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

/* --------------------------------------------------------------------------------------------------- weights */

ptrdiff_t hg_conv2d_prepared_gather_count(const hg_geometry2d *g) {
  if (hg_conv2d_check(g)) return -1;
  if (hg_is_winograd(g)) return hg_winograd_prepared_count(g, false);
  const ptrdiff_t C = g->large_channels, K = g->small_channels;
  return g->filter_height * g->filter_width * C * (in_dots(g) ? K : hg_round_up(K));
}

ptrdiff_t hg_conv2d_prepared_scatter_count(const hg_geometry2d *g) {
  if (hg_conv2d_check(g)) return -1;
  if (hg_is_winograd(g)) return hg_winograd_prepared_count(g, true);
  return in_strips(g) ? g->small_channels * hg_strips_shape_of(g).columns
                      : g->filter_height * g->filter_width * g->small_channels * hg_round_up(g->large_channels);
}

typedef struct prepare_job {
  const hg_geometry2d *geometry;
  const float *filter;
  float *prepared;
} prepare_job;

/* Panels over K of (r, s, c) x width; parts share the rows (r, s, c). */
static void prepare_gather(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const prepare_job *job = argument;
  const ptrdiff_t K = job->geometry->small_channels;
  const ptrdiff_t depth = job->geometry->filter_height * job->geometry->filter_width * job->geometry->large_channels;
  const ptrdiff_t end = hg_share(depth, part + 1, parts), panel = hg_kernels_in_use()->panel;
  for (ptrdiff_t i = hg_share(depth, part, parts); i < end; i++)
    for (ptrdiff_t k = 0; k < K; k += panel) {
      const ptrdiff_t width = hg_panel_width(panel, K - k), count = hg_min(width, K - k);
      float *out = job->prepared + k * depth + i * width;
      memcpy(out, job->filter + i * K + k, (size_t)count * sizeof(float));
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

/* For each phase, in the order of first taps, panels over C of (taps reversed, K) x width; parts share the taps. */
static void prepare_phases(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const prepare_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t R = g->filter_height, S = g->filter_width, U = g->stride_vertical, V = g->stride_horizontal;
  const ptrdiff_t C = g->large_channels, K = g->small_channels;
  const ptrdiff_t end = hg_share(R * S, part + 1, parts), panel = hg_kernels_in_use()->panel;
  for (ptrdiff_t tap = hg_share(R * S, part, parts); tap < end; tap++) {
    const ptrdiff_t r = tap / S, s = tap % S, high = hg_phase_taps(r % U, R, U), wide = hg_phase_taps(s % V, S, V);
    const ptrdiff_t before = hg_phase_taps_before(r % U, R, U) * S + hg_phase_taps_before(s % V, S, V) * high;
    const ptrdiff_t reversed = (high - 1 - r / U) * wide + (wide - 1 - s / V);
    float *phase = job->prepared + before * K * hg_round_up(C);
    for (ptrdiff_t c = 0; c < C; c += panel) {
      const ptrdiff_t width = hg_panel_width(panel, C - c);
      hg_kernels_in_use()->transpose(hg_min(width, C - c), K, job->filter + (tap * C + c) * K, K,
                                     phase + c * high * wide * K + reversed * K * width, width, width);
    }
  }
}

const char *hg_conv2d_prepare_gather(const hg_geometry2d *geometry, const float *filter, float *prepared,
                                     const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, true, parallel));
  HG_CHECK(hg_check_arrays(filter && prepared));
  const prepare_job job = {geometry, filter, prepared};
  if (hg_is_winograd(geometry))
    hg_winograd_prepare(geometry, false, filter, prepared, parallel);
  else
    hg_run(in_dots(geometry) ? prepare_dots : prepare_gather, &job, parallel);
  return NULL;
}

const char *hg_conv2d_prepare_scatter(const hg_geometry2d *geometry, const float *filter, float *prepared,
                                      const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, true, parallel));
  HG_CHECK(hg_check_arrays(filter && prepared));
  const prepare_job job = {geometry, filter, prepared};
  if (hg_is_winograd(geometry))
    hg_winograd_prepare(geometry, true, filter, prepared, parallel);
  else
    hg_run(in_strips(geometry) ? prepare_strips : prepare_phases, &job, parallel);
  return NULL;
}

/* ---------------------------------------------------------------------------------------------- images */

static ptrdiff_t large_count(const hg_geometry2d *g) {
  return g->samples * g->large_height * g->large_width * g->large_channels;
}
static ptrdiff_t small_count(const hg_geometry2d *g) {
  return g->samples * g->small_height * g->small_width * g->small_channels;
}

static ptrdiff_t gather_room(const hg_geometry2d *g, const hg_parallel *parallel) {
  return hg_is_winograd(g) ? hg_winograd_image_scratch(g, false, parallel) : 0;
}
static ptrdiff_t scatter_room(const hg_geometry2d *g, const hg_parallel *parallel) {
  if (hg_is_winograd(g)) return hg_winograd_image_scratch(g, true, parallel);
  return in_strips(g) ? hg_parts(parallel) * hg_strips_scratch(g) : 0;
}

ptrdiff_t hg_conv2d_gather_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  return hg_conv2d_check(geometry) || hg_parallel_check(parallel) ? -1 : gather_room(geometry, parallel);
}

ptrdiff_t hg_conv2d_scatter_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  return hg_conv2d_check(geometry) || hg_parallel_check(parallel) ? -1 : scatter_room(geometry, parallel);
}

/* A pass from the large image to the small one, or back as a scatter: with bias and activation, or, backward, gated by
 * the activation's output. */
static const char *pass(const hg_geometry2d *g, bool scatter, const float *in, const float *filter, const float *bias,
                        hg_activation activation, bool backward, const float *gate, float *out, float *scratch,
                        const hg_parallel *parallel) {
  const bool gated = backward && activation != HG_ACTIVATION_LINEAR;
  HG_CHECK(check(g, activation, in && filter && out && (gate || !gated), parallel));
  if (g->samples == 0) return NULL; /* else an image of any height would be walked for nothing */
  HG_CHECK(hg_check_arrays(scratch || (scatter ? scatter_room(g, parallel) : gather_room(g, parallel)) == 0));
  const bool relu = activation == HG_ACTIVATION_RELU;
  const hg_output output = {
      .out = out, .bias = bias, .gate = relu && backward ? gate : NULL, .relu = relu && !backward};
  const hg_kernels *kernels = hg_kernels_in_use();
  if (hg_is_winograd(g)) {
    hg_winograd_image(g, scatter, in, filter, output, scratch, parallel);
  } else if (scatter && in_strips(g)) {
    const hg_strips_job job = {g, in, filter, output, scratch};
    hg_run(kernels->strips, &job, parallel);
  } else {
    const hg_gather_job job = {g, scatter, in, filter, output};
    hg_run(!scatter && in_dots(g) ? kernels->dots_gather : kernels->gather, &job, parallel);
  }
  if (hg_is_fused(activation)) return NULL;
  const ptrdiff_t count = scatter ? large_count(g) : small_count(g);
  return backward ? hg_activation_backward(activation, count, gate, out, out, parallel)
                  : hg_activation_forward(activation, count, out, out, parallel);
}

const char *hg_conv2d_forward_with_scratch(const hg_geometry2d *geometry, const float *x, const float *gather_filter,
                                           const float *bias, hg_activation activation, float *y, float *scratch,
                                           const hg_parallel *parallel) {
  return pass(geometry, false, x, gather_filter, bias, activation, false, NULL, y, scratch, parallel);
}

const char *hg_conv2d_backward_data(const hg_geometry2d *geometry, const float *dy, const float *scatter_filter,
                                    hg_activation gate_activation, const float *gate, float *dx, float *scratch,
                                    const hg_parallel *parallel) {
  return pass(geometry, true, dy, scatter_filter, NULL, gate_activation, true, gate, dx, scratch, parallel);
}

const char *hg_conv2d_transpose_forward(const hg_geometry2d *geometry, const float *y, const float *scatter_filter,
                                        const float *bias, hg_activation activation, float *x, float *scratch,
                                        const hg_parallel *parallel) {
  return pass(geometry, true, y, scatter_filter, bias, activation, false, NULL, x, scratch, parallel);
}

const char *hg_conv2d_transpose_backward_data_with_scratch(const hg_geometry2d *geometry, const float *dx,
                                                           const float *gather_filter, hg_activation gate_activation,
                                                           const float *gate, float *dy, float *scratch,
                                                           const hg_parallel *parallel) {
  return pass(geometry, false, dx, gather_filter, NULL, gate_activation, true, gate, dy, scratch, parallel);
}

/* ------------------------------------------------------------------------------------------ gradients */

/* Runs into which the filter form divides its samples, fewer where every run would pass over a large filter once more;
 * accumulation makes the bits independent of them. */
static ptrdiff_t filter_runs(const hg_geometry2d *g) {
  const ptrdiff_t filter = g->filter_height * g->filter_width * g->large_channels * g->small_channels;
  const ptrdiff_t runs = hg_ceil_div(g->samples * hg_sample_count(g), FILTER_RUN + filter / 2);
  return hg_max(1, hg_min(g->samples, runs));
}

/* Small positions of an axis with any tap inside the large image, and the large extent that all their taps span. */
static ptrdiff_t halo_positions(ptrdiff_t small, ptrdiff_t large, ptrdiff_t stride, ptrdiff_t pad) {
  return hg_min(small, hg_ceil_div(large + pad, stride));
}
static ptrdiff_t halo_extent(ptrdiff_t positions, ptrdiff_t filter, ptrdiff_t stride) {
  return (positions - 1) * stride + filter;
}

/* A filter job with everything but samples and places in memory. */
static hg_filter_job filter_shape(const hg_geometry2d *g) {
  hg_filter_job job = {.geometry = g};
  job.halo_p = halo_positions(g->small_height, g->large_height, g->stride_vertical, g->pad_top);
  job.halo_q = halo_positions(g->small_width, g->large_width, g->stride_horizontal, g->pad_left);
  job.halo_height = halo_extent(job.halo_p, g->filter_height, g->stride_vertical);
  job.halo_width = halo_extent(job.halo_q, g->filter_width, g->stride_horizontal);
  return job;
}

/* Floats of the halo of a sample, and of the halo of a run with the ones behind it. */
static ptrdiff_t halo_sample(const hg_filter_job *job) {
  return job->halo_height * job->halo_width * job->geometry->large_channels;
}
static ptrdiff_t halo_count(const hg_filter_job *job, ptrdiff_t samples) {
  return job->geometry->large_channels < HALO_CHANNELS ? hg_round_up((samples + 1) * halo_sample(job)) : 0;
}

/* Floats of scratch of one part. */
static ptrdiff_t filter_room(const hg_geometry2d *g) {
  const hg_filter_job job = filter_shape(g);
  return halo_count(&job, hg_ceil_div(g->samples, filter_runs(g)));
}

ptrdiff_t hg_conv2d_filter_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  if (hg_conv2d_check(geometry) || hg_parallel_check(parallel)) return -1;
  return hg_is_winograd(geometry) ? hg_winograd_filter_scratch(geometry, parallel)
                                  : hg_parts(parallel) * filter_room(geometry);
}

/* Whether the bias is summed beside the filter: with a halo that holds all small positions, one chain for each bias. */
static bool filter_sums_bias(const hg_filter_job *job) {
  const hg_geometry2d *g = job->geometry;
  return !hg_is_winograd(g) && g->large_channels < HALO_CHANNELS && g->small_channels >= 16 &&
         job->halo_p == g->small_height && job->halo_q == g->small_width;
}

/* dbias, where not NULL, is the bias over small channels of a geometry that filter_sums_bias. */
static void backward_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate, float *dfilter,
                            float *dbias, float *scratch, const hg_parallel *parallel) {
  if (g->samples == 0) { /* an empty sum, which no tile below would write */
    if (!accumulate)
      memset(dfilter, 0,
             (size_t)(g->filter_height * g->filter_width * g->large_channels * g->small_channels) * sizeof(float));
    return;
  }
  if (hg_is_winograd(g)) {
    hg_winograd_filter(g, x, dy, accumulate, dfilter, scratch, parallel);
    return;
  }
  hg_filter_job job = filter_shape(g);
  job.samples = g->samples;
  job.runs = filter_runs(g);
  job.x = x;
  job.dy = dy;
  const ptrdiff_t most = hg_ceil_div(job.samples, job.runs);
  if (g->large_channels < HALO_CHANNELS) job.halo = scratch;
  if (dbias) job.ones = scratch + most * halo_sample(&job);
  job.room = filter_room(g);
  job.dbias = dbias;
  job.output = (hg_output){.out = dfilter, .accumulate = accumulate};
  const hg_kernels *kernels = hg_kernels_in_use();
  hg_run(in_dots(g) ? kernels->dots_filter : kernels->filter, &job, parallel);
}

static void backward_bias(ptrdiff_t rows, ptrdiff_t columns, const float *in, bool accumulate, float *dbias,
                          const hg_parallel *parallel) {
  const hg_column_sums_job job = {rows, columns, in, columns < 16, accumulate, dbias};
  hg_run(hg_kernels_in_use()->column_sums, &job, parallel);
}

/* What both gradients ask; the filter's alone needs the operation's input and scratch. */
static const char *check_filter(const hg_geometry2d *g, const float *input, const float *errors, const float *dfilter,
                                const float *scratch, const hg_parallel *parallel) {
  HG_CHECK(check(g, HG_ACTIVATION_LINEAR, (input || !dfilter) && errors, parallel));
  return hg_check_arrays(scratch || !dfilter || g->samples == 0 || hg_conv2d_filter_scratch(g, parallel) == 0);
}

const char *hg_conv2d_backward_filter(const hg_geometry2d *geometry, const float *x, const float *dy, bool accumulate,
                                      float *dfilter, float *dbias, float *scratch, const hg_parallel *parallel) {
  HG_CHECK(check_filter(geometry, x, dy, dfilter, scratch, parallel));
  const ptrdiff_t rows = geometry->samples * geometry->small_height * geometry->small_width;
  const hg_filter_job job = filter_shape(geometry);
  const bool beside = dfilter && dbias && geometry->samples > 0 && filter_sums_bias(&job);
  if (dfilter) backward_filter(geometry, x, dy, accumulate, dfilter, beside ? dbias : NULL, scratch, parallel);
  if (dbias && !beside) backward_bias(rows, geometry->small_channels, dy, accumulate, dbias, parallel);
  return NULL;
}

const char *hg_conv2d_transpose_backward_filter(const hg_geometry2d *geometry, const float *y, const float *dx,
                                                bool accumulate, float *dfilter, float *dbias, float *scratch,
                                                const hg_parallel *parallel) {
  HG_CHECK(check_filter(geometry, y, dx, dfilter, scratch, parallel));
  const ptrdiff_t rows = geometry->samples * geometry->large_height * geometry->large_width;
  if (dfilter) backward_filter(geometry, dx, y, accumulate, dfilter, NULL, scratch, parallel);
  if (dbias) backward_bias(rows, geometry->large_channels, dx, accumulate, dbias, parallel);
  return NULL;
}
