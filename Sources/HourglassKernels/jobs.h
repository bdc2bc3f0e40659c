/* Jobs: what a driver (conv2d.c, dense.c, pool2d.c and so on) tells the parts of a kernel (simd/). */
#ifndef HG_JOBS_H
#define HG_JOBS_H

#include "include/hourglass_kernels.h"

static inline ptrdiff_t hg_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t hg_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
static inline ptrdiff_t hg_ceil_div(ptrdiff_t a, ptrdiff_t b) { return a / b + (a % b != 0); }
static inline ptrdiff_t hg_round_up(ptrdiff_t count) { return (count + 15) / 16 * 16; }

/* Columns of a matrix operand are laid out in panels as wide as the widest tile of the instruction set in use, `panel`
 * columns, the last one narrower but a multiple of 16. Panels follow one another, so the panel of column j (a multiple
 * of `panel`) starts at j * depth. This is the width of the panel that starts when `remaining` columns are left. */
static inline ptrdiff_t hg_panel_width(ptrdiff_t panel, ptrdiff_t remaining) {
  return hg_min(panel, hg_round_up(remaining));
}

/* Whether tiles apply the activation, or its derivative, to the sums they hold; others are a pass of their own. */
static inline bool hg_is_fused(hg_activation activation) {
  return activation == HG_ACTIVATION_LINEAR || activation == HG_ACTIVATION_RELU;
}

/* What becomes of a sum: it starts from the value found in out (accumulate), from the column's bias, or from zero, and
 * ends as max(sum, 0) (relu), as gate > 0 ? sum : 0 (gate, laid out as out), or as it is. */
typedef struct hg_output {
  float *out;
  const float *bias, *gate;
  bool accumulate, relu;
} hg_output;

/* One axis of a gather: output i meets input i * stride - pad + tap, for the taps where that lies in [0, inputs). */
typedef struct hg_axis {
  ptrdiff_t outputs, inputs, taps, stride, pad;
} hg_axis;

/* The scatter form falls into phases. Along one axis large positions l = phase + stride i meet small position p through
 * tap r where l + pad = stride p + r, so r = first_tap (mod stride) with first_tap = (phase + pad) mod stride: phases
 * and first taps correspond. Within a phase it is a gather of stride 1 with the taps reversed, tap j being first_tap +
 * stride (taps - 1 - j). Prepared weights hold the phases in the order of first taps. */
static inline ptrdiff_t hg_phase_taps(ptrdiff_t first_tap, ptrdiff_t filter, ptrdiff_t stride) {
  return first_tap < filter ? hg_ceil_div(filter - first_tap, stride) : 0;
}
/* Taps of all phases whose first tap is smaller. */
static inline ptrdiff_t hg_phase_taps_before(ptrdiff_t first_tap, ptrdiff_t filter, ptrdiff_t stride) {
  return filter / stride * first_tap + hg_min(first_tap, filter % stride);
}

/* Floats of both images of a sample: what a run of samples, cut to fit a cache, is measured by. */
static inline ptrdiff_t hg_sample_count(const hg_geometry2d *g) {
  return g->large_height * g->large_width * g->large_channels + g->small_height * g->small_width * g->small_channels;
}

/* Gather form, or scatter form in phases. filter: prepared by hg_conv2d_prepare_gather or ..._scatter. */
typedef struct hg_gather_job {
  const hg_geometry2d *geometry;
  bool scatter;
  const float *in, *filter;
  hg_output output;
} hg_gather_job;

/* Scatter form with few channels: the products of a small row with all taps go into a ring of rows in scratch, from
 * which each large row adds those it meets. scratch: hg_strips_scratch floats a part. */
typedef struct hg_strips_job {
  const hg_geometry2d *geometry;
  const float *in, *filter;
  hg_output output;
  float *scratch;
} hg_strips_job;

/* Large columns, counted from -pad_left, fall into blocks of `block`, one stride (or the image, where that is
 * narrower). Block b meets small column b - j through taps s = j block, j block + 1 ..., for j < taps. The products of
 * a small position are R rows of `taps` runs, run = block C floats; taps beyond S are zeros. */
typedef struct hg_strips_shape {
  ptrdiff_t block, taps, run;
  ptrdiff_t columns; /* floats of the products of a position: R taps run, in whole groups */
  ptrdiff_t blocks;  /* blocks that meet a small column */
  ptrdiff_t row;     /* floats of the products of a small row, taps - 1 positions of zeros on either side */
  ptrdiff_t ring; /* small rows in the ring, row p in place p & ring_mask: those that a large row meets and the next */
  ptrdiff_t ring_mask;
} hg_strips_shape;

static inline hg_strips_shape hg_strips_shape_of(const hg_geometry2d *g) {
  const ptrdiff_t width = g->large_width + g->pad_left;
  hg_strips_shape s = {.block = hg_min(g->stride_horizontal, width)};
  s.taps = hg_ceil_div(g->filter_width, s.block);
  s.run = s.block * g->large_channels;
  s.columns = hg_round_up(g->filter_height * s.taps * s.run);
  s.blocks = hg_min(hg_ceil_div(width, s.block), g->small_width + s.taps - 1);
  s.row = (g->small_width + 2 * (s.taps - 1)) * s.columns;
  const bool few = g->filter_height <= 2 * g->stride_vertical; /* else a ring would be as long as an image, or nearly */
  s.ring = few ? 4 : g->small_height;
  s.ring_mask = few ? 3 : -1;
  return s;
}

/* The ring and the bias repeated over a block, with 16 floats to spare behind either. */
static inline ptrdiff_t hg_strips_scratch(const hg_geometry2d *g) {
  const hg_strips_shape s = hg_strips_shape_of(g);
  return s.ring * s.row + 16 + hg_round_up(s.run) + 16;
}

/* Filter gradient, a run of samples after the other.
 *   halo   NULL, or room for x with zeros around, N x halo_height x halo_width x C for the samples of a run, so that
 *          every tap of the small positions below halo_p, halo_q lies inside; then all taps are rows of one product
 *   ones   NULL, or room for as many ones as a sample of the halo has floats: a row of ones sums dbias beside the
 *          product
 *   room   floats from a part's halo and ones to the next part's: a part waits for no other between runs */
typedef struct hg_filter_job {
  const hg_geometry2d *geometry;
  ptrdiff_t samples, runs;
  const float *x, *dy;
  float *halo, *ones;
  ptrdiff_t room;
  ptrdiff_t halo_height, halo_width, halo_p, halo_q;
  hg_output output;
  float *dbias;
} hg_filter_job;

/* Winograd's form, from the image or filter `in` to the output: tiles of 4 x 4 outputs, `block` of them at a time.
 *   from, to  channels of a block's inputs (of all phases of a gather) and outputs, in whole groups
 *   dy        the errors of the filter form, whose `in` is x
 *   scratch   hg_winograd_room for each part; the filter form has it behind the points of its gradient, which are as
 *             many as those of the filter, `from` x `to` floats each */
typedef struct hg_winograd_job {
  const hg_geometry2d *geometry;
  bool scatter;
  ptrdiff_t from, to, block;
  const float *in, *dy, *filter;
  hg_output output;
  float *scratch;
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

/* out[j] (+)= sum over i of in[i, j], rows in order; with `shared`, for fewer than 16 columns, element e of the flat
 * array goes to partial sum e mod 16 columns, and the 16 partial sums of a column are added as a balanced tree. */
typedef struct hg_column_sums_job {
  ptrdiff_t rows, columns;
  const float *in;
  bool shared, accumulate;
  float *out;
} hg_column_sums_job;

/* tail[i, j] = in[i, whole + j], zero for j beyond the columns, where `whole` is columns rounded down to 16.
 * tail: rows x 16. */
void hg_pack_tail(ptrdiff_t rows, ptrdiff_t columns, const float *in, float *tail, const hg_parallel *parallel);

/* y = x weight. tail: the last O mod 16 columns of weight, I 16 with zeros. */
typedef struct hg_dense_forward_job {
  const hg_dense *geometry;
  const float *x, *weight, *tail;
  hg_output output;
} hg_dense_forward_job;

/* dx = dy weight^T. scratch: for each part dy transposed, panels over samples of O x width. Parts that share them would
 * read what another core has just written, which takes longer than to transpose it again. */
typedef struct hg_dense_backward_data_job {
  const hg_dense *geometry;
  const float *dy, *weight;
  hg_output output;
  float *scratch;
} hg_dense_backward_data_job;

/* dweight = x^T dy for rows [first, last). tail: the last O mod 16 columns of dy, N 16 with zeros. */
typedef struct hg_dense_backward_weight_job {
  const hg_dense *geometry;
  ptrdiff_t first, last;
  const float *x, *dy, *tail;
  hg_output output;
} hg_dense_backward_weight_job;

typedef struct hg_max_pool_job {
  const hg_geometry2d *geometry;
  const float *x;
  float *y;
  uint8_t *switches;
} hg_max_pool_job;

typedef struct hg_max_unpool_job {
  const hg_geometry2d *geometry;
  const float *dy;
  const uint8_t *switches;
  hg_activation activation;
  const float *y;
  float *dx;
} hg_max_unpool_job;

/* out from in times scale, in either direction. */
typedef struct hg_upsample_job {
  const hg_geometry2d *geometry;
  const float *in;
  float *out;
  float scale;
} hg_upsample_job;

typedef struct hg_resample_job {
  const hg_resampling2d *geometry;
  const float *x;
  float *y;
} hg_resample_job;

/* Element i of out from its place in `in`; with `back` to its place in out from element i of `in`. */
typedef struct hg_permute_job {
  hg_permutation order;
  bool back;
  const float *in;
  float *out;
} hg_permute_job;

/* y, from the statistics given as mean and variance, or from those of x, which go to to_mean and to_variance. Backward
 * y is dx. */
typedef struct hg_group_norm_job {
  const hg_group_norm *geometry;
  const float *x, *dy, *mean, *variance, *weight, *bias;
  bool relu, accumulate;
  float *y, *to_mean, *to_variance, *dweight, *dbias;
} hg_group_norm_job;

/* scratch: hg_ssim_doubles for each part, aligned as these. */
typedef struct hg_ssim_job {
  ptrdiff_t samples, height, width, channels;
  const float *y, *targets;
  float *loss, *dy;
  double *scratch;
} hg_ssim_job;

/* A part's scratch: 4 products of each row that a window sees, their means over it (then the 3 sums of gradients), 3
 * slopes of a row of windows with a margin on both sides, and 3 gradients of each row of windows that a row of the
 * image sees. */
static inline ptrdiff_t hg_ssim_doubles(ptrdiff_t width, ptrdiff_t channels) {
  const ptrdiff_t row = hg_round_up(width * channels), margin = (HG_SSIM_WINDOW - 1) * channels;
  return HG_SSIM_WINDOW * 4 * row + 4 * row + 16 + 3 * hg_round_up(row + margin) + HG_SSIM_WINDOW * 3 * row;
}

/* Values of a group of random blocks, and bits of a word of a dropout's mask. */
enum { HG_RUN = 32 };

/* Dropout and Gaussian noise, the shares being runs of HG_RUN values of a sample. out = in times `scale` where the
 * random bits reach `threshold`; or in plus `scale` times a normal value. */
typedef struct hg_noise_job {
  hg_random_stream stream;
  uint32_t threshold;
  float scale;
  ptrdiff_t samples, count;
  hg_activation activation;
  const float *in, *x;
  float *out;
  uint32_t *kept;
  const uint32_t *mask;
} hg_noise_job;

/* Activations that know channels: positions x channels of x, dy and out; slope: channels. */
typedef struct hg_channels_job {
  ptrdiff_t positions, channels;
  const float *x, *dy, *slope;
  bool accumulate;
  float *out;
} hg_channels_job;

#endif
