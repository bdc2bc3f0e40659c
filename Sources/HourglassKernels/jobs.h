/* Jobs: what a driver (conv2d.c, dense.c, pool2d.c and so on) tells the parts of a kernel (simd/). */
#ifndef HG_JOBS_H
#define HG_JOBS_H

#include "include/hourglass_kernels.h"
#include "parallel.h"

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

#include "jobs_conv2d.h"

/* out = a(out) for an image, or with a gate a'(gate) out, of an activation that is a pass of its own. */
const char *hg_activate(hg_activation activation, const hg_image *image, const float *gate, float *out,
                        const hg_parallel *parallel);

/* out[j] (+)= sum over the pixels i of in[i, j], in order; with `shared`, for fewer than 16 channels, pixel i goes to
 * partial sum i mod 16, and the 16 partial sums of a channel are added as a balanced tree. Where pixels lie side by
 * side they are one row of the image. */
typedef struct hg_column_sums_job {
  hg_image image;
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

/* dx = dy weight^T. scratch: for each of the first `rooms` parts, which do all the work, dy transposed, panels over
 * samples of O x width. Parts that share them would read what another core has just written, which takes longer than to
 * transpose it again. */
typedef struct hg_dense_backward_data_job {
  const hg_dense *geometry;
  const float *dy, *weight;
  hg_output output;
  float *scratch;
  ptrdiff_t rooms;
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

/* out from in, in either direction; of means times one over the elements of a box. */
typedef struct hg_upsample_job {
  const hg_geometry2d *geometry;
  const float *in;
  float *out;
  bool means;
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

/* scratch: hg_ssim_doubles or hg_ms_ssim_doubles for each of the first `rooms` parts, which do all the work, aligned as
 * these. */
typedef struct hg_ssim_job {
  ptrdiff_t samples, height, width, channels;
  const float *y, *targets;
  float *loss, *dy;
  double *scratch;
  ptrdiff_t rooms;
} hg_ssim_job;

/* A part's scratch: 4 products of each row that a window sees, their means over it (then the 3 sums of gradients), 3
 * slopes of a row of windows with a margin on both sides, and 3 gradients of each row of windows that a row of the
 * image sees. */
static inline ptrdiff_t hg_ssim_doubles(ptrdiff_t width, ptrdiff_t channels) {
  const ptrdiff_t row = hg_round_up(width * channels), margin = (HG_SSIM_WINDOW - 1) * channels;
  return HG_SSIM_WINDOW * 4 * row + 4 * row + 16 + 3 * hg_round_up(row + margin) + HG_SSIM_WINDOW * 3 * row;
}

/* Scales of an image: it is halved while a window lies within it. */
enum { HG_MS_SSIM_SCALES = 5 };
static const double hg_ms_ssim_weights[HG_MS_SSIM_SCALES] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
static inline ptrdiff_t hg_ms_ssim_scales(ptrdiff_t height, ptrdiff_t width) {
  ptrdiff_t scales = 1;
  while (scales < HG_MS_SSIM_SCALES && hg_min(height, width) >> scales >= HG_SSIM_WINDOW) scales++;
  return scales;
}

/* Besides output, target and gradient of each halved image, in floats. */
static inline ptrdiff_t hg_ms_ssim_doubles(ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels) {
  ptrdiff_t floats = 0;
  for (ptrdiff_t j = 1; j < hg_ms_ssim_scales(height, width); j++)
    floats += 3 * (height >> j) * (width >> j) * channels;
  return hg_ssim_doubles(width, channels) + (floats + 1) / 2;
}

/* Values of a group of random blocks, and bits of a word of a dropout's mask. */
enum { HG_RUN = 32 };

/* Dropout and Gaussian noise, the shares being runs of HG_RUN values of a sample. out = in / (1 - rate) where
 * the random bits reach `threshold`; or in plus `deviation` times a normal value. */
typedef struct hg_noise_job {
  hg_random_stream stream;
  uint32_t threshold;
  float rate, deviation;
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
