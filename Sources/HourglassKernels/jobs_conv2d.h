/* Part of jobs.h: convolutions, and what their geometry means to all of their kernels. */
#ifndef HG_JOBS_CONV2D_H
#define HG_JOBS_CONV2D_H

/* One axis of a gather: output i meets input i * stride - pad + tap * dilation, for the taps where that lies in
 * [0, inputs). */
typedef struct hg_axis {
  ptrdiff_t outputs, inputs, taps, stride, pad, dilation;
} hg_axis;

static inline hg_axis hg_vertical_axis(const hg_geometry2d *g) {
  return (hg_axis){g->small_height,    g->large_height, g->filter_height,
                   g->stride_vertical, g->pad_top,      g->dilation_vertical};
}
static inline hg_axis hg_horizontal_axis(const hg_geometry2d *g) {
  return (hg_axis){g->small_width,       g->large_width, g->filter_width,
                   g->stride_horizontal, g->pad_left,    g->dilation_horizontal};
}

/* Floats from one sample, row and pixel of an image to the next. */
typedef struct hg_strides {
  ptrdiff_t sample, row, pixel;
} hg_strides;

static inline hg_strides hg_large_strides(const hg_geometry2d *g) {
  return (hg_strides){g->large_sample_stride, g->large_row_stride, g->large_pixel_stride};
}
static inline hg_strides hg_small_strides(const hg_geometry2d *g) {
  return (hg_strides){g->small_sample_stride, g->small_row_stride, g->small_pixel_stride};
}
static inline hg_strides hg_whole_strides(hg_strides s, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels) {
  if (s.pixel == 0) s.pixel = channels;
  if (s.row == 0) s.row = width * s.pixel;
  if (s.sample == 0) s.sample = height * s.row;
  return s;
}

/* The geometry as kernels take it: dilation and groups are at least 1, where a filter has one tap its dilation is 1,
 * and strides in memory are what 0 stands for. */
static inline hg_geometry2d hg_whole_geometry(const hg_geometry2d *g) {
  hg_geometry2d whole = *g;
  whole.dilation_vertical = g->filter_height > 1 ? hg_max(1, whole.dilation_vertical) : 1;
  whole.dilation_horizontal = g->filter_width > 1 ? hg_max(1, whole.dilation_horizontal) : 1;
  whole.groups = hg_max(1, whole.groups);
  const hg_strides large = hg_whole_strides(hg_large_strides(g), g->large_height, g->large_width, g->large_channels);
  const hg_strides small = hg_whole_strides(hg_small_strides(g), g->small_height, g->small_width, g->small_channels);
  whole.large_sample_stride = large.sample, whole.large_row_stride = large.row, whole.large_pixel_stride = large.pixel;
  whole.small_sample_stride = small.sample, whole.small_row_stride = small.row, whole.small_pixel_stride = small.pixel;
  return whole;
}

/* One of the images of a whole geometry, and where its pixels lie. */
typedef struct hg_image {
  ptrdiff_t samples, height, width, channels;
  hg_strides strides;
} hg_image;

static inline hg_image hg_large_image(const hg_geometry2d *g) {
  return (hg_image){g->samples, g->large_height, g->large_width, g->large_channels, hg_large_strides(g)};
}
static inline hg_image hg_small_image(const hg_geometry2d *g) {
  return (hg_image){g->samples, g->small_height, g->small_width, g->small_channels, hg_small_strides(g)};
}
static inline bool hg_is_dense(const hg_image *i) {
  return i->strides.pixel == i->channels && i->strides.row == i->width * i->channels &&
         i->strides.sample == i->height * i->strides.row;
}
/* Floats of all samples. */
static inline ptrdiff_t hg_image_count(const hg_image *i) { return i->samples * i->height * i->width * i->channels; }

/* Whether taps are neighbours and every channel meets every other. */
static inline bool hg_is_plain(const hg_geometry2d *whole) {
  return whole->dilation_vertical == 1 && whole->dilation_horizontal == 1 && whole->groups == 1;
}
static inline bool hg_is_plain_geometry(const hg_geometry2d *g) {
  const hg_geometry2d whole = hg_whole_geometry(g);
  return hg_is_plain(&whole);
}
/* The scatter form with few large channels takes all taps as columns (simd/strips.h) where that is cheaper than phases:
 * 16 lanes of a phase hold C channels and K multiply-adds a tap; strips fill them, for a store and a load a tap, which
 * cost as much as about 8 multiply-adds. */
static inline bool hg_in_strips(const hg_geometry2d *g) {
  if (g->pad_left >= g->filter_width) return false; /* blocks in front of the image would meet no small column */
  return hg_is_plain(g) && g->large_channels < 16 &&
         g->large_channels * (g->small_channels + 8) <= 18 * g->small_channels;
}
/* The gather and the filter form with few small channels take large channels as lanes (simd/dots.h), where the tile
 * would multiply by four times as many vectors or more, most of each being zeros. */
static inline bool hg_in_dots(const hg_geometry2d *g) {
  return hg_is_plain(g) && g->large_channels >= 16 &&
         4 * g->small_channels * hg_ceil_div(g->large_channels, 16) <=
             g->large_channels * hg_ceil_div(g->small_channels, 16);
}

/* The scatter form falls into phases. Along one axis large positions l = phase + stride i meet small position p through
 * tap r where l + pad = stride p + dilation r. With D = gcd(stride, dilation) and step = stride / D these taps are
 * first_tap, first_tap + step, ..., where dilation first_tap = phase + pad (mod stride); or none are, where D does not
 * divide phase + pad. Phases with taps and first taps below `step` correspond. Within a phase it is a gather of stride
 * 1 and dilation / D with the taps reversed, tap j being first_tap + step (taps - 1 - j). Prepared weights hold the
 * phases in the order of first taps. */
static inline ptrdiff_t hg_phase_step(ptrdiff_t stride, ptrdiff_t dilation) {
  if (dilation == 1) return stride;
  ptrdiff_t a = stride, b = dilation;
  while (b) {
    const ptrdiff_t rest = a % b;
    a = b, b = rest;
  }
  return stride / a;
}
static inline ptrdiff_t hg_phase_taps(ptrdiff_t first_tap, ptrdiff_t filter, ptrdiff_t step) {
  return first_tap < filter ? hg_ceil_div(filter - first_tap, step) : 0;
}
/* The first tap that large position `phase` meets, `filter` or more where it meets none. */
static inline ptrdiff_t hg_phase_first_tap(ptrdiff_t phase, ptrdiff_t filter, ptrdiff_t stride, ptrdiff_t pad,
                                           ptrdiff_t dilation) {
  if (dilation == 1) return (phase + pad) % stride;
  ptrdiff_t tap = 0;
  while (tap < filter && (phase + pad - dilation * tap) % stride != 0) tap++;
  return tap;
}
/* The axis of a phase: large positions of the phase from small ones, from the axis of the gather form. */
static inline hg_axis hg_phase_axis(const hg_axis *gather, ptrdiff_t phase) {
  const ptrdiff_t stride = gather->stride, step = hg_phase_step(stride, gather->dilation);
  const ptrdiff_t first = hg_phase_first_tap(phase, gather->taps, stride, gather->pad, gather->dilation);
  hg_axis axis = {.outputs = hg_ceil_div(gather->inputs - phase, stride), .inputs = gather->outputs, .stride = 1};
  axis.taps = hg_phase_taps(first, gather->taps, step);
  axis.dilation = gather->dilation * step / stride;
  if (axis.taps) axis.pad = axis.dilation * (axis.taps - 1) - (phase + gather->pad - gather->dilation * first) / stride;
  return axis;
}
/* Taps of all phases whose first tap is smaller. */
static inline ptrdiff_t hg_phase_taps_before(ptrdiff_t first_tap, ptrdiff_t filter, ptrdiff_t step) {
  return filter / step * first_tap + hg_min(first_tap, filter % step);
}

/* The place of tap (r, s) among the prepared ones, phase after phase with the taps of each reversed; U and V are the
 * phases' steps. */
static inline ptrdiff_t hg_phase_place(const hg_geometry2d *g, ptrdiff_t U, ptrdiff_t V, ptrdiff_t r, ptrdiff_t s) {
  const ptrdiff_t R = g->filter_height, S = g->filter_width;
  const ptrdiff_t high = hg_phase_taps(r % U, R, U), wide = hg_phase_taps(s % V, S, V);
  return hg_phase_taps_before(r % U, R, U) * S + hg_phase_taps_before(s % V, S, V) * high + (high - 1 - r / U) * wide +
         (wide - 1 - s / V);
}

/* Channels of a group of the large and of the small image, and the floats of the filter, R S (C / groups) K. */
static inline ptrdiff_t hg_large_group(const hg_geometry2d *g) {
  return g->groups == 1 ? g->large_channels : g->large_channels / g->groups; /* a division takes longer than a test */
}
static inline ptrdiff_t hg_small_group(const hg_geometry2d *g) {
  return g->groups == 1 ? g->small_channels : g->small_channels / g->groups;
}
static inline ptrdiff_t hg_filter_count(const hg_geometry2d *g) {
  return g->filter_height * g->filter_width * hg_large_group(g) * g->small_channels;
}

/* Floats of both images of a sample: what a run of samples, cut to fit a cache, is measured by. */
static inline ptrdiff_t hg_sample_count(const hg_geometry2d *g) {
  return g->large_height * g->large_width * g->large_channels + g->small_height * g->small_width * g->small_channels;
}

/* Floats of all arrays of a call. */
static inline ptrdiff_t hg_operands(const hg_geometry2d *g) {
  return g->samples * hg_sample_count(g) + hg_filter_count(g);
}

/* Gather form, or scatter form in phases. filter: prepared by hg_conv2d_prepare_gather or ..._scatter. */
typedef struct hg_gather_job {
  const hg_geometry2d *geometry;
  bool scatter;
  const float *in, *filter;
  hg_output output;
} hg_gather_job;

/* Scatter form with few channels: the products of a small row with all taps go into a ring of rows in scratch, from
 * which each large row adds those it meets. scratch: hg_strips_scratch floats for each of the first `rooms` parts,
 * which do all the work. */
typedef struct hg_strips_job {
  const hg_geometry2d *geometry;
  const float *in, *filter;
  hg_output output;
  float *scratch;
  ptrdiff_t rooms;
} hg_strips_job;

/* Large columns, counted from -pad_left, fall into blocks of `block`, one stride (or the image, where that is
 * narrower). Block b meets small column b - j through taps s = j block, j block + 1 ..., for j < taps. The products of
 * a small position are R rows of `taps` runs, run = block C floats; taps beyond S are zeros. */
typedef struct hg_strips_shape {
  ptrdiff_t block, taps, run;
  ptrdiff_t columns; /* floats of the products of a position: R taps run, in whole groups */
  ptrdiff_t blocks;  /* blocks that meet a small column */
  ptrdiff_t row;     /* floats of the products of a small row, taps - 1 positions of zeros on either side */
  ptrdiff_t line;    /* floats of a large row that is put together in scratch, 0 where it is in its place */
  /* Small rows in the ring: those that a large row meets and the next. Where it meets 2 at most row p is in place p &
   * ring_mask; else rows lie in order, and where there is no place left those that are still met go to the front. */
  ptrdiff_t ring, ring_mask;
} hg_strips_shape;

static inline hg_strips_shape hg_strips_shape_of(const hg_geometry2d *g) {
  const ptrdiff_t width = g->large_width + g->pad_left;
  hg_strips_shape s = {.block = hg_min(g->stride_horizontal, width)};
  s.taps = hg_ceil_div(g->filter_width, s.block);
  s.run = s.block * g->large_channels;
  s.columns = hg_round_up(g->filter_height * s.taps * s.run);
  s.blocks = hg_min(hg_ceil_div(width, s.block), g->small_width + s.taps - 1);
  s.row = (g->small_width + 2 * (s.taps - 1)) * s.columns;
  const hg_image large = hg_large_image(g);
  s.line = hg_is_dense(&large) ? 0 : hg_round_up(hg_max(s.blocks * s.run + 16, width * g->large_channels));
  const bool few = g->filter_height <= 2 * g->stride_vertical;
  s.ring = few ? 4 : hg_min(g->small_height, 8 * ((g->filter_height - 1) / g->stride_vertical + 2));
  s.ring_mask = few ? 3 : -1;
  return s;
}

/* The ring and the bias repeated over a block, with 16 floats to spare behind either, and the row. */
static inline ptrdiff_t hg_strips_scratch(const hg_geometry2d *g) {
  const hg_strips_shape s = hg_strips_shape_of(g);
  return s.ring * s.row + 16 + hg_round_up(s.run) + 16 + s.line;
}

/* Filter gradient, a run of samples after the other.
 *   halo   NULL, or room for x with zeros around, N x halo_height x halo_width x C for the samples of a run, so that
 *          every tap of the small positions below halo_p, halo_q lies inside; then all taps are rows of one product
 *   ones   NULL, or room for as many ones as a sample of the halo has floats: a row of ones sums dbias beside the
 *          product
 *   room   floats from a part's halo and ones to the next part's: a part waits for no other between runs
 *   filled whether the halo and ones are there already, and are those of all parts */
typedef struct hg_filter_job {
  const hg_geometry2d *geometry;
  ptrdiff_t samples, runs;
  const float *x, *dy;
  float *halo, *ones;
  ptrdiff_t room;
  bool filled;
  ptrdiff_t halo_height, halo_width, halo_p, halo_q;
  hg_output output;
  float *dbias;
} hg_filter_job;

/* A run of the samples of a job, in the room of a part. */
static inline hg_filter_job hg_filter_run_of(const hg_filter_job *job, ptrdiff_t run, ptrdiff_t part) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t first = hg_share(job->samples, run, job->runs);
  hg_filter_job r = *job;
  r.samples = hg_share(job->samples, run + 1, job->runs) - first;
  r.x += first * g->large_sample_stride;
  r.dy += first * g->small_sample_stride;
  if (r.halo) r.halo += part * r.room;
  if (r.ones) r.ones += part * r.room;
  r.output.accumulate |= run > 0;
  return r;
}

/* Winograd's form, from the image or filter `in` to the output: tiles of 4 x 4 outputs, `block` of them at a time.
 *   from, to  channels of a block's inputs (of all phases of a gather) and outputs, in whole groups
 *   dy        the errors of the filter form, whose `in` is x
 *   scratch   hg_winograd_room for each of the first `rooms` parts, which do all the work; the filter form has it
 *             behind the points of its gradient, which are as many as those of the filter, `from` x `to` floats each */
typedef struct hg_winograd_job {
  const hg_geometry2d *geometry;
  bool scatter;
  ptrdiff_t from, to, block;
  const float *in, *dy, *filter;
  hg_output output;
  float *scratch;
  ptrdiff_t rooms;
} hg_winograd_job;

/* Taps of an axis of each of the phases, 2 or 3, and the points of a tile. */
static inline ptrdiff_t hg_winograd_taps(const hg_geometry2d *g) { return g->filter_height / g->stride_vertical; }
static inline ptrdiff_t hg_winograd_points(const hg_geometry2d *g) {
  return (3 + hg_winograd_taps(g)) * (3 + hg_winograd_taps(g));
}

/* Blocks of so many tiles, of even size, the most being `block`. */
static inline ptrdiff_t hg_winograd_blocks(const hg_winograd_job *job, ptrdiff_t tiles) {
  const ptrdiff_t wanted = job->block * 2 / 3;
  return hg_max(1, (tiles + wanted / 2) / wanted);
}

/* Floats from one point of a block to the next: two lines more than they are, because points that lie pages apart would
 * push one another out of the cache. */
static inline ptrdiff_t hg_winograd_apart(ptrdiff_t block, ptrdiff_t wide) { return block * wide + 32; }

/* Floats of the points of a block, those of its inputs before those of its outputs. */
static inline ptrdiff_t hg_winograd_room(const hg_winograd_job *job) {
  return hg_winograd_points(job->geometry) *
         (hg_winograd_apart(job->block, job->from) + hg_winograd_apart(job->block, job->to));
}

/* Winograd's form of a geometry that hg_conv2d_check takes, or why it cannot have it. Arguments are those of
 * hg_conv2d_*; `scatter` tells the scatter form from the gather form. */
const char *hg_winograd_refusal(const hg_geometry2d *g);
ptrdiff_t hg_winograd_prepared_count(const hg_geometry2d *g, bool scatter);
ptrdiff_t hg_winograd_image_scratch(const hg_geometry2d *g, bool scatter, const hg_parallel *parallel);
ptrdiff_t hg_winograd_filter_scratch(const hg_geometry2d *g, const hg_parallel *parallel);
void hg_winograd_prepare(const hg_geometry2d *g, bool scatter, const float *filter, float *prepared,
                         const hg_parallel *parallel);
void hg_winograd_image(const hg_geometry2d *g, bool scatter, const float *in, const float *filter, hg_output output,
                       float *scratch, const hg_parallel *parallel);
void hg_winograd_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate, float *dfilter,
                        float *scratch, const hg_parallel *parallel);

/* Groups of one channel on a side or of few on both, whose lanes are output channels. */
static inline bool hg_is_depthwise(const hg_geometry2d *g) {
  const ptrdiff_t large = hg_large_group(g), small = hg_small_group(g);
  return g->groups > 1 && (hg_min(large, small) == 1 || hg_max(large, small) <= 8);
}

/* The depthwise form takes a chunk of output channels at a time, and copies the rows of its input that they meet to
 * scratch, with zeros on both sides, where nothing pushes them out of the first-level cache.
 *   ins, outs     channels of a group of the input and of the output
 *   columns       channels of the output, `lanes` in whole groups of 16
 *   chunk         output channels of a chunk, whole groups of 16
 *   left, width   zeros on the left, and pixels of a row with the zeros
 *   ring, row     rows in scratch, row h in place h mod ring: those that an output row meets, or all; floats of a row,
 *                 ins x chunk for each pixel */
typedef struct hg_depthwise_shape {
  ptrdiff_t ins, outs, columns, lanes, chunk, left, width, ring, row;
} hg_depthwise_shape;

/* Floats of the rows of a chunk, which stay in the first-level cache; and of both images of a band of rows for whose
 * chunks they stay in the second-level cache. */
enum { HG_DEPTHWISE_RING = 6 * 1024, HG_DEPTHWISE_BAND = 160 * 1024 };

/* whole: whether the ring holds all rows where they fit. */
static inline hg_depthwise_shape hg_depthwise_shape_of(const hg_geometry2d *g, bool scatter, bool whole) {
  const ptrdiff_t height = scatter ? g->small_height : g->large_height;
  const ptrdiff_t width = scatter ? g->small_width : g->large_width;
  const ptrdiff_t U = scatter ? g->stride_vertical : 1, V = scatter ? g->stride_horizontal : 1;
  const ptrdiff_t high = (g->filter_height - 1) * g->dilation_vertical;
  const ptrdiff_t wide = (g->filter_width - 1) * g->dilation_horizontal;
  hg_depthwise_shape s = {.ins = scatter ? hg_small_group(g) : hg_large_group(g),
                          .outs = scatter ? hg_large_group(g) : hg_small_group(g),
                          .columns = scatter ? g->large_channels : g->small_channels};
  /* The last pixel that the last position would meet. */
  const ptrdiff_t last = scatter ? (g->large_width - 1 + g->pad_left) / V
                                 : (g->small_width - 1) * g->stride_horizontal - g->pad_left + wide;
  s.left = scatter ? hg_ceil_div(hg_max(0, wide - g->pad_left), V) : hg_min(wide, g->pad_left);
  s.width = s.left + width + hg_max(0, hg_min(wide / V, last - (width - 1)));
  s.lanes = hg_round_up(s.columns);
  s.ring = whole && height * s.width * s.ins * 16 <= HG_DEPTHWISE_RING ? height : hg_min(height, high / U + 1);
  /* At least 4 lines of memory a pixel, or fewer where rows are so much longer. */
  const ptrdiff_t fit = HG_DEPTHWISE_RING / (s.ring * s.width * s.ins) / 16 * 16;
  s.chunk = hg_min(s.lanes, hg_max(hg_max(16, 64 / s.ins / 16 * 16), hg_min(128, fit)));
  s.row = s.width * s.ins * s.chunk;
  return s;
}

/* Gather or scatter in the depthwise form. filter: (r, s, ins) x lanes, of a scatter phase by phase with
 * the taps reversed; scratch: ring x row floats for each of the first `rooms` parts, which do all the work. */
typedef struct hg_depthwise_job {
  const hg_geometry2d *geometry;
  bool scatter;
  const float *in, *filter;
  hg_output output;
  float *scratch;
  ptrdiff_t rooms;
} hg_depthwise_job;

/* Filter gradient in the depthwise form.
 *   sums   for each vector of lanes (r, s, ins) x the vector, and the bias
 *   rows   for each of the first `rooms` parts, which do all the work, the ring, and the errors of the chunk in a row,
 *          or in all where the ring holds all */
typedef struct hg_depthwise_filter_job {
  const hg_geometry2d *geometry;
  const float *x, *dy;
  bool accumulate;
  float *dfilter, *dbias, *sums, *rows;
  ptrdiff_t rooms;
} hg_depthwise_filter_job;

static inline ptrdiff_t hg_depthwise_rows(const hg_geometry2d *g, const hg_depthwise_shape *s) {
  const ptrdiff_t lines = s->ring == g->large_height ? g->small_height : 1;
  return s->ring * s->row + lines * g->small_width * s->chunk;
}

/* The depthwise form of a whole geometry; arguments as those of Winograd's. */
ptrdiff_t hg_depthwise_prepared_count(const hg_geometry2d *g, bool scatter);
ptrdiff_t hg_depthwise_image_scratch(const hg_geometry2d *g, bool scatter, const hg_parallel *parallel);
ptrdiff_t hg_depthwise_filter_scratch(const hg_geometry2d *g, const hg_parallel *parallel);
void hg_depthwise_prepare(const hg_geometry2d *g, bool scatter, const float *filter, float *prepared,
                          const hg_parallel *parallel);
void hg_depthwise_image(const hg_geometry2d *g, bool scatter, const float *in, const float *filter, hg_output output,
                        float *scratch, const hg_parallel *parallel);
void hg_depthwise_filter(const hg_geometry2d *g, const float *x, const float *dy, bool accumulate, float *dfilter,
                         float *dbias, float *scratch, const hg_parallel *parallel);

#endif
