/* Winograd's form of convolutions, F(4 x 4, taps x taps): of 4 x 4 outputs at a time,
 *
 *   y = A^T [sum over c of (G w G^T) * (B^T x B)] A     x: the (3 + taps)^2 inputs that they meet, *: point by point
 *
 * The points of the transformed tile are as many matrix products over channels: with 3 taps (a filter of 3 x 3 and
 * stride 1) 36 in the place of 9 taps for each of 16 outputs, a quarter of the multiply-adds. A filter of 4 x 4 with
 * stride 2 is four phases of 2 x 2 taps and stride 1: 25 points in the place of 64 products, 2.56 times fewer. `taps`
 * is a constant where functions are inlined. */
#include "winograd_matrices.h"

/* A gather with stride 1 from `phases` images that lie interleaved in one: the whole convolution as a gather, a phase
 * of the outputs as a scatter. The window of tile (i, j) begins at large row 4 i step + top and column 4 j step + left,
 * that of phase (a, b) a rows and b columns further; its elements lie `step` apart. */
typedef struct winograd_pass {
  hg_image from, to;
  ptrdiff_t step, top, left, tiles;
  const float *in, *filter;
  hg_output output;
} winograd_pass;

/* The pass of a job; the scatter form has one for each phase (a, b) of the outputs. */
static winograd_pass winograd_pass_of(const hg_winograd_job *job, ptrdiff_t a, ptrdiff_t b) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, K = g->small_channels, U = g->stride_vertical, last = hg_winograd_taps(g) - 1;
  winograd_pass pass = {.in = job->in, .filter = job->filter, .output = job->output};
  if (!job->scatter) {
    pass.from = hg_large_image(g), pass.to = hg_small_image(g);
    pass.step = U, pass.top = -g->pad_top, pass.left = -g->pad_left;
  } else {
    pass.from = hg_small_image(g), pass.to = hg_large_image(g);
    pass.step = 1, pass.top = (a + g->pad_top) / U - last, pass.left = (b + g->pad_left) / U - last;
    pass.output = output_at(pass.output, a * pass.to.strides.row + b * pass.to.strides.pixel);
    pass.to.height = hg_ceil_div(g->large_height - a, U), pass.to.width = hg_ceil_div(g->large_width - b, U);
    pass.to.strides.row *= U, pass.to.strides.pixel *= U;
    pass.filter += (a * U + b) * hg_winograd_points(g) * K * hg_round_up(C);
  }
  pass.tiles = g->samples * hg_ceil_div(pass.to.height, 4) * hg_ceil_div(pass.to.width, 4);
  return pass;
}

/* The place of tile `t` of all samples: its sample and its first output. */
typedef struct winograd_place {
  ptrdiff_t n, top, left;
} winograd_place;

INLINE winograd_place winograd_place_of(const winograd_pass *pass, ptrdiff_t t) {
  const ptrdiff_t across = hg_ceil_div(pass->to.width, 4), each = hg_ceil_div(pass->to.height, 4) * across;
  return (winograd_place){t / each, t % each / across * 4, t % across * 4};
}

/* The `size` x `size` window of a sample of an image from (top, left) on, `step` apart, zeros outside: 16 channels from
 * c on, or the rest of them. */
INLINE void winograd_load(const float *data, const hg_image *image, ptrdiff_t sample, ptrdiff_t top, ptrdiff_t left,
                          ptrdiff_t step, ptrdiff_t c, const int size, v16 *window) {
  const ptrdiff_t height = image->height, width = image->width, n = hg_min(16, image->channels - c);
  const ptrdiff_t row = image->strides.row, pixel = image->strides.pixel;
  const float *in = data + sample * image->strides.sample + top * row + left * pixel + c;
  const ptrdiff_t reach = (size - 1) * step;
  const bool whole = top >= 0 && top + reach < height && left >= 0 && left + reach < width && n == 16;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      const ptrdiff_t y = top + i * step, x = left + j * step;
      const bool inside = y >= 0 && y < height && x >= 0 && x < width;
      const float *at = in + i * step * row + j * step * pixel;
      window[i * size + j] = whole ? v16_load(at) : inside ? v16_load_part(at, n) : v16_splat(0);
    }
}

/* Points of the tiles of a block: point p of tile i, `wide` floats, lies at `data` + p apart + i wide. */
typedef struct winograd_points {
  float *data;
  ptrdiff_t wide, apart;
} winograd_points;

INLINE winograd_points winograd_points_at(float *data, ptrdiff_t block, ptrdiff_t wide) {
  return (winograd_points){data, wide, hg_winograd_apart(block, wide)};
}

/* A tile to point after point, `apart` floats from one to the next. */
INLINE void winograd_spread(const v16 *tile, const int count, float *at, ptrdiff_t apart) {
  for (int p = 0; p < count; p++) v16_store(at + p * apart, tile[p]);
}

/* Channels from `channel` up to `last` of phase (a, b) of tiles [first, end) of the inputs, transformed. `column`:
 * where those of the phase begin. */
INLINE void winograd_inputs(const int taps, const winograd_pass *pass, ptrdiff_t a, ptrdiff_t b, ptrdiff_t channel,
                            ptrdiff_t last, ptrdiff_t first, ptrdiff_t end, winograd_points to, ptrdiff_t column) {
  const int n = 3 + taps;
  for (ptrdiff_t t = first; t < end; t++) {
    const winograd_place at = winograd_place_of(pass, t);
    for (ptrdiff_t c = channel; c < last; c += 16) {
      v16 window[36], tile[36];
      winograd_load(pass->in, &pass->from, at.n, at.top * pass->step + pass->top + a,
                    at.left * pass->step + pass->left + b, pass->step, c, n, window);
      WINOGRAD_TILE(winograd_input, taps, n, n, window, tile);
      winograd_spread(tile, n * n, to.data + (t - first) * to.wide + column + c, to.apart);
    }
  }
}

/* The product of a point: rows of `a`, `step` from one to the next, of `phases` times `depth` elements `a1` apart, the
 * phases `a2` apart; times b, into out, `ldb` wide. */
static void winograd_product(ptrdiff_t rows, ptrdiff_t phases, ptrdiff_t a2, ptrdiff_t depth, const float *a,
                             ptrdiff_t a1, ptrdiff_t step, const float *b, ptrdiff_t ldb, bool accumulate, float *out) {
  const tile_depth d = {.turns = 1, .n3 = 1, .n2 = phases, .a2 = a2, .n1 = depth, .a1 = a1, .ldb = ldb};
  for (ptrdiff_t k = 0; k < ldb;) {
    const ptrdiff_t groups = tile_groups(ldb - k);
    const tiling t = tiling_of(rows, groups);
    const hg_output output = {.out = out + k, .accumulate = accumulate};
    for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
      const ptrdiff_t start = tiling_first(t, tile), count = tiling_first(t, tile + 1) - start;
      const float *row[TILE_ROWS];
      ptrdiff_t offset[TILE_ROWS];
      for (ptrdiff_t i = 0; i < count; i++) {
        row[i] = a + (start + i) * step;
        offset[i] = (start + i) * ldb;
      }
      tile_run(count, groups, row, &d, b + k, &output, offset, 16 * groups);
    }
    k += 16 * groups;
  }
}

/* Outputs of tiles [first, end) from their points. */
INLINE void winograd_outputs(const int taps, const winograd_pass *pass, ptrdiff_t first, ptrdiff_t end,
                             winograd_points from) {
  const int n = 3 + taps;
  const ptrdiff_t K = pass->to.channels;
  const hg_strides apart = pass->to.strides;
  const hg_output o = pass->output;
  for (ptrdiff_t t = first; t < end; t++) {
    const winograd_place at = winograd_place_of(pass, t);
    for (ptrdiff_t k = 0; k < K; k += 16) {
      const ptrdiff_t lanes = hg_min(16, K - k);
      const v16 bias = o.bias ? v16_load_part(o.bias + k, lanes) : v16_splat(0);
      v16 tile[36], half[4][WINOGRAD_POINTS];
      for (int p = 0; p < n * n; p++) tile[p] = v16_load(from.data + p * from.apart + (t - first) * from.wide + k);
      UNROLL for (int j = 0; j < n; j++) {
        v16 column[WINOGRAD_POINTS], turned[4];
        UNROLL for (int i = 0; i < n; i++) column[i] = tile[i * n + j];
        winograd_output(taps, column, turned);
        UNROLL for (int i = 0; i < 4; i++) half[i][j] = turned[i];
      }
      for (ptrdiff_t i = 0; i < hg_min(4, pass->to.height - at.top); i++) {
        const ptrdiff_t to = at.n * apart.sample + (at.top + i) * apart.row + at.left * apart.pixel + k;
        v16 row[4];
        winograd_output(taps, half[i], row);
        for (ptrdiff_t j = 0; j < hg_min(4, pass->to.width - at.left); j++) {
          const ptrdiff_t place = to + j * apart.pixel;
          v16 y = row[j] + bias;
          if (o.gate) y = v16_select(v16_load_part(o.gate + place, lanes) > v16_splat(0), y, v16_splat(0));
          if (o.relu) y = v16_relu(y);
          v16_store_part(o.out + place, y, lanes);
        }
      }
    }
  }
}

/* Points of the errors of tiles [first, end), for the filter form. */
INLINE void winograd_errors(const int taps, const winograd_pass *pass, const float *dy, ptrdiff_t first, ptrdiff_t end,
                            winograd_points to) {
  const int n = 3 + taps;
  for (ptrdiff_t t = first; t < end; t++) {
    const winograd_place at = winograd_place_of(pass, t);
    for (ptrdiff_t k = 0; k < pass->to.channels; k += 16) {
      v16 window[16], tile[36];
      winograd_load(dy, &pass->to, at.n, at.top, at.left, 1, k, 4, window);
      WINOGRAD_TILE(winograd_error, taps, 4, n, window, tile);
      winograd_spread(tile, n * n, to.data + (t - first) * to.wide + k, to.apart);
    }
  }
}

/* points = G w G^T of each pair of channels; parts share the channels of the inputs. Each point is a matrix of
 * (phases,) in x out channels with zeros up to whole groups; the scatter form has one for each phase, with the taps in
 * reverse. */
INLINE void winograd_prepare_form(const int taps, const hg_winograd_job *job, ptrdiff_t part, ptrdiff_t parts) {
  const int n = 3 + taps;
  const hg_geometry2d *g = job->geometry;
  const bool scatter = job->scatter;
  const ptrdiff_t C = g->large_channels, K = g->small_channels, U = g->stride_vertical, S = g->filter_width;
  const ptrdiff_t from = scatter ? K : C, to = scatter ? C : K, wide = hg_round_up(to);
  const ptrdiff_t rows = scatter ? from : U * U * from, phase = scatter ? n * n * from * wide : from * wide;
  for (ptrdiff_t i = hg_share(from, part, parts); i < hg_share(from, part + 1, parts); i++)
    for (ptrdiff_t a = 0; a < U; a++)
      for (ptrdiff_t b = 0; b < U; b++)
        for (ptrdiff_t o = 0; o < to; o += 16) {
          v16 filter[9], tile[36];
          for (int tap = 0; tap < taps * taps; tap++) {
            const ptrdiff_t y = tap / taps, x = tap % taps;
            const ptrdiff_t r = scatter ? (taps - 1 - y) * U + (a + g->pad_top) % U : y * U + a;
            const ptrdiff_t s = scatter ? (taps - 1 - x) * U + (b + g->pad_left) % U : x * U + b;
            float lanes[16] = {0};
            const float *w = job->in + (r * S + s) * C * K + (scatter ? o * K + i : i * K + o);
            for (ptrdiff_t lane = 0; lane < hg_min(16, to - o); lane++) lanes[lane] = w[lane * (scatter ? K : 1)];
            filter[tap] = v16_load(lanes);
          }
          WINOGRAD_TILE(winograd_filter, taps, taps, n, filter, tile);
          winograd_spread(tile, n * n, job->output.out + (a * U + b) * phase + i * wide + o, rows * wide);
        }
}

/* Parts share the blocks of tiles. */
INLINE void winograd_gather_form(const int taps, const hg_winograd_job *job, ptrdiff_t part, ptrdiff_t parts) {
  const int n = 3 + taps;
  const ptrdiff_t U = job->geometry->stride_vertical, outer = job->scatter ? U : 1, inner = job->scatter ? 1 : U;
  for (ptrdiff_t phase = 0; phase < outer * outer; phase++) {
    const winograd_pass pass = winograd_pass_of(job, phase / outer, phase % outer);
    const ptrdiff_t C = pass.from.channels, each = hg_round_up(C), depth = inner * inner * C, most = job->block;
    const ptrdiff_t wide = hg_round_up(pass.to.channels);
    float *scratch = job->scratch + part * hg_winograd_room(job);
    const winograd_points in = winograd_points_at(scratch, most, inner * inner * each);
    const winograd_points out = winograd_points_at(scratch + n * n * in.apart, most, wide);
    const ptrdiff_t blocks = hg_winograd_blocks(job, pass.tiles), end = hg_share(blocks, part + 1, parts);
    for (ptrdiff_t block = hg_share(blocks, part, parts); block < end; block++) {
      const ptrdiff_t first = hg_share(pass.tiles, block, blocks), last = hg_share(pass.tiles, block + 1, blocks);
      for (ptrdiff_t a = 0; a < inner; a++)
        for (ptrdiff_t b = 0; b < inner; b++)
          winograd_inputs(taps, &pass, a, b, 0, C, first, last, in, (a * inner + b) * each);
      for (int p = 0; p < n * n; p++)
        winograd_product(last - first, inner * inner, each, C, in.data + p * in.apart, 1, in.wide,
                         pass.filter + p * depth * wide, wide, false, out.data + p * out.apart);
      winograd_outputs(taps, &pass, first, last, out);
    }
  }
}

/* Floats of the sums of a group of channels, which stay in the second-level cache. */
enum { WINOGRAD_SUMS = 128 * 1024 };

/* The gradient of `rows` channels from `channel` on of a phase, from the sums of their points, `apart` floats from one
 * to the next. */
INLINE void winograd_gradients(const int taps, const hg_winograd_job *job, ptrdiff_t phase, ptrdiff_t channel,
                               ptrdiff_t rows, ptrdiff_t apart, ptrdiff_t wide, const float *sums) {
  const int n = 3 + taps;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, K = g->small_channels, U = g->stride_vertical;
  for (ptrdiff_t i = 0; i < rows; i++)
    for (ptrdiff_t k = 0; k < K; k += 16) {
      const ptrdiff_t lanes = hg_min(16, K - k);
      v16 points[36], filter[9];
      for (int p = 0; p < n * n; p++) points[p] = v16_load(sums + p * apart + i * wide + k);
      WINOGRAD_TILE(winograd_gradient, taps, n, taps, points, filter);
      for (int tap = 0; tap < taps * taps; tap++) {
        const ptrdiff_t r = tap / taps * U + phase / U, s = tap % taps * U + phase % U;
        float *out = job->output.out + ((r * g->filter_width + s) * C + channel + i) * K + k;
        v16_store_part(out, job->output.accumulate ? v16_load_part(out, lanes) + filter[tap] : filter[tap], lanes);
      }
    }
}

/* The filter's gradient, whose points are sums over tiles in order:
 *   dw = G^T [sum over tiles of (B^T x B) * (A dy A^T)] G
 * Parts share the large channels in whole vectors, and each transforms the errors anew. Where one block completes the
 * sums of a group of channels, they take the place of the group before. */
INLINE void winograd_filter_gradient_form(const int taps, const hg_winograd_job *job, ptrdiff_t part, ptrdiff_t parts) {
  const int n = 3 + taps;
  const winograd_pass pass = winograd_pass_of(job, 0, 0);
  const ptrdiff_t U = pass.step, C = pass.from.channels, each = hg_round_up(C), wide = hg_round_up(pass.to.channels);
  const ptrdiff_t start = 16 * hg_share(each / 16, part, parts);
  const ptrdiff_t stop = hg_min(C, 16 * hg_share(each / 16, part + 1, parts));
  float *scratch = job->scratch + n * n * job->from * wide + part * hg_winograd_room(job);
  const winograd_points in = winograd_points_at(scratch, job->block, job->from);
  const winograd_points errors = winograd_points_at(scratch + n * n * in.apart, job->block, wide);
  if (start >= stop) return;
  const ptrdiff_t group = 16 * hg_max(1, WINOGRAD_SUMS / (n * n * 16 * wide));
  const ptrdiff_t blocks = hg_winograd_blocks(job, pass.tiles);
  for (ptrdiff_t block = 0; block < blocks; block++) {
    const ptrdiff_t first = hg_share(pass.tiles, block, blocks), last = hg_share(pass.tiles, block + 1, blocks);
    winograd_errors(taps, &pass, job->dy, first, last, errors);
    for (ptrdiff_t phase = 0; phase < U * U; phase++) {
      winograd_inputs(taps, &pass, phase / U, phase % U, start, stop, first, last, in, phase * each);
      for (ptrdiff_t c = start; c < stop; c += group) {
        const ptrdiff_t rows = hg_min(group, stop - c), column = phase * each + c, apart = hg_round_up(rows) * wide;
        float *sums = job->scratch + n * n * wide * (blocks > 1 ? column : start);
        for (int p = 0; p < n * n; p++)
          winograd_product(rows, 1, 0, last - first, in.data + p * in.apart + column, in.wide, 1,
                           errors.data + p * errors.apart, wide, block > 0, sums + p * apart);
        if (block == blocks - 1) winograd_gradients(taps, job, phase, c, rows, apart, wide, sums);
      }
    }
  }
}

static void winograd_prepare(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_winograd_job *job = argument;
  if (hg_winograd_taps(job->geometry) == 2)
    winograd_prepare_form(2, job, part, parts);
  else
    winograd_prepare_form(3, job, part, parts);
}

static void winograd_gather(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_winograd_job *job = argument;
  parts = hg_min(parts, job->rooms);
  if (part >= parts) return;
  if (hg_winograd_taps(job->geometry) == 2)
    winograd_gather_form(2, job, part, parts);
  else
    winograd_gather_form(3, job, part, parts);
}

static void winograd_filter_gradient(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_winograd_job *job = argument;
  parts = hg_min(parts, job->rooms);
  if (part >= parts) return;
  if (hg_winograd_taps(job->geometry) == 2)
    winograd_filter_gradient_form(2, job, part, parts);
  else
    winograd_filter_gradient_form(3, job, part, parts);
}
