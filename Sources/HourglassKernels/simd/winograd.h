/* Winograd's form of convolutions with a 3 x 3 filter and stride 1, F(4 x 4, 3 x 3): of 4 x 4 outputs at a time,
 *
 *   y = A^T [(G w G^T) * (B^T x B)] A          x: the 6 x 6 inputs that they meet, *: point by point, then summed over
 * c
 *
 * 36 points of the transformed tile are 36 matrix products over channels, in place of 9 taps for each of 16 outputs: a
 * quarter of the multiply-adds. Each of the functions below is one of the matrices times a vector; every sum of more
 * than two terms is written so that its order and its fused multiply-adds are given. */

/* o = B^T d */
INLINE void winograd_input(const v16 *d, v16 *o) {
  const v16 a = d[4] - d[2] * 4, b = d[3] - d[1] * 4, c = d[4] - d[2], e = d[3] - d[1];
  o[0] = d[0] * 4 + (d[4] - d[2] * 5);
  o[1] = a + b;
  o[2] = a - b;
  o[3] = e * 2 + c;
  o[4] = e * -2 + c;
  o[5] = d[1] * 4 + (d[5] - d[3] * 5);
}

/* o = A^T m */
INLINE void winograd_output(const v16 *m, v16 *o) {
  const v16 a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
  o[0] = m[0] + a + c;
  o[1] = d * 2 + b;
  o[2] = c * 4 + a;
  o[3] = d * 8 + b + m[5];
}

/* o = A d */
INLINE void winograd_error(const v16 *d, v16 *o) {
  const v16 a = d[0] + d[2], b = d[1] + d[3], c = d[2] * 4 + d[0], e = d[3] * 4 + d[1];
  o[0] = d[0];
  o[1] = a + b;
  o[2] = a - b;
  o[3] = e * 2 + c;
  o[4] = e * -2 + c;
  o[5] = d[3];
}

/* o = G g, by divisions: taps that are multiples of 24 give whole numbers. */
INLINE void winograd_filter(const v16 *g, v16 *o) {
  const v16 a = g[0] + g[2], b = g[2] * 4 + g[0];
  o[0] = g[0] / 4;
  o[1] = (a + g[1]) / -6;
  o[2] = (a - g[1]) / -6;
  o[3] = (g[1] * 2 + b) / 24;
  o[4] = (g[1] * -2 + b) / 24;
  o[5] = g[2];
}

/* o = G^T m */
INLINE void winograd_gradient(const v16 *m, v16 *o) {
  const v16 a = m[1] + m[2], b = m[2] - m[1], c = m[3] + m[4], d = m[3] - m[4];
  o[0] = m[0] * 0.25f + (a * (-1 / 6.f) + c * (1 / 24.f));
  o[1] = b * (1 / 6.f) + d * (1 / 12.f);
  o[2] = (c - a) * (1 / 6.f) + m[5];
}

/* out = the `to` x `to` tile T in T^T, of the `from` x `from` tile at `in`: rows first. */
#define WINOGRAD_TILE(transform, from, to, in, out)                     \
  do {                                                                  \
    v16 half[from][to];                                                 \
    for (int i = 0; i < from; i++) transform((in) + i * from, half[i]); \
    for (int j = 0; j < to; j++) {                                      \
      v16 column[from], turned[to];                                     \
      for (int i = 0; i < from; i++) column[i] = half[i][j];            \
      transform(column, turned);                                        \
      for (int i = 0; i < to; i++) (out)[i * to + j] = turned[i];       \
    }                                                                   \
  } while (0)

/* Where tile `t` of all samples stands: its sample and its first output. */
typedef struct winograd_place {
  ptrdiff_t n, top, left;
} winograd_place;

INLINE winograd_place winograd_place_of(ptrdiff_t height, ptrdiff_t width, ptrdiff_t t) {
  const ptrdiff_t across = hg_ceil_div(width, 4), each = hg_ceil_div(height, 4) * across;
  return (winograd_place){t / each, t % each / across * 4, t % across * 4};
}

/* The `size` x `size` window of an image from (top, left) on, zeros outside, channels c to c + n of it. */
INLINE void winograd_load(const float *image, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, ptrdiff_t top,
                          ptrdiff_t left, ptrdiff_t c, ptrdiff_t n, const int size, v16 *window) {
  const float *in = image + (top * width + left) * channels + c;
  const bool whole = top >= 0 && top + size <= height && left >= 0 && left + size <= width && n == 16;
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      const bool inside = top + i >= 0 && top + i < height && left + j >= 0 && left + j < width;
      const float *at = in + (i * width + j) * channels;
      window[i * size + j] = whole ? v16_load(at) : inside ? v16_load_part(at, n) : v16_splat(0);
    }
}

/* Point p of tile i of a block lies at (p `tiles` + i) `width` of `points`. */
INLINE void winograd_spread(const v16 *tile, float *points, ptrdiff_t tiles, ptrdiff_t width) {
  for (int p = 0; p < 36; p++) v16_store(points + p * tiles * width, tile[p]);
}

/* Channels from `channel` up to `last` of tiles [first, end) of the inputs, transformed, as tiles 0, 1, ... of
 * `points`. */
static void winograd_inputs(const hg_winograd_job *job, ptrdiff_t channel, ptrdiff_t last, ptrdiff_t first,
                            ptrdiff_t end, ptrdiff_t tiles, float *points) {
  const ptrdiff_t C = job->in_channels, wide = hg_round_up(C);
  for (ptrdiff_t t = first; t < end; t++) {
    const winograd_place at = winograd_place_of(job->out_height, job->out_width, t);
    const float *image = job->in + at.n * job->in_height * job->in_width * C;
    for (ptrdiff_t c = channel; c < last; c += 16) {
      v16 window[36], tile[36];
      winograd_load(image, job->in_height, job->in_width, C, at.top - job->pad_top, at.left - job->pad_left, c,
                    hg_min(16, C - c), 6, window);
      WINOGRAD_TILE(winograd_input, 6, 6, window, tile);
      winograd_spread(tile, points + (t - first) * wide + c, tiles, wide);
    }
  }
}

/* The product of a point: rows of `a`, `a1` apart along the depth and `step` from one to the next, times b, into out,
 * `ldb` wide. */
INLINE void winograd_product(ptrdiff_t rows, ptrdiff_t depth, const float *a, ptrdiff_t a1, ptrdiff_t step,
                             const float *b, ptrdiff_t ldb, bool accumulate, float *out) {
  const tile_depth d = {.turns = 1, .n3 = 1, .n2 = 1, .n1 = depth, .a1 = a1, .ldb = ldb};
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
static void winograd_outputs(const hg_winograd_job *job, ptrdiff_t first, ptrdiff_t end, ptrdiff_t tiles,
                             const float *points) {
  const ptrdiff_t K = job->out_channels, wide = hg_round_up(K), H = job->out_height, W = job->out_width;
  const hg_output o = job->output;
  for (ptrdiff_t t = first; t < end; t++) {
    const winograd_place at = winograd_place_of(H, W, t);
    for (ptrdiff_t k = 0; k < K; k += 16) {
      const ptrdiff_t n = hg_min(16, K - k);
      const v16 bias = o.bias ? v16_load_part(o.bias + k, n) : v16_splat(0);
      v16 tile[36], half[4][6];
      for (int p = 0; p < 36; p++) tile[p] = v16_load(points + (p * tiles + t - first) * wide + k);
      UNROLL for (int j = 0; j < 6; j++) {
        v16 column[6], turned[4];
        UNROLL for (int i = 0; i < 6; i++) column[i] = tile[i * 6 + j];
        winograd_output(column, turned);
        UNROLL for (int i = 0; i < 4; i++) half[i][j] = turned[i];
      }
      for (ptrdiff_t i = 0; i < hg_min(4, H - at.top); i++) {
        const ptrdiff_t to = ((at.n * H + at.top + i) * W + at.left) * K + k;
        v16 row[4];
        winograd_output(half[i], row);
        for (ptrdiff_t j = 0; j < hg_min(4, W - at.left); j++) {
          v16 y = row[j] + bias;
          if (o.gate) y = v16_select(v16_load_part(o.gate + to + j * K, n) > v16_splat(0), y, v16_splat(0));
          if (o.relu) y = v16_relu(y);
          v16_store_part(o.out + to + j * K, y, n);
        }
      }
    }
  }
}

/* Parts share the blocks of tiles; a block's points stay in the second-level cache. */
static void winograd_gather(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_winograd_job *job = argument;
  const ptrdiff_t C = job->in_channels, from = hg_round_up(C), to = hg_round_up(job->out_channels), most = job->block;
  float *in = job->scratch + part * 36 * most * (from + to), *out = in + 36 * most * from;
  const ptrdiff_t blocks = hg_ceil_div(job->tiles, most), end = hg_share(blocks, part + 1, parts);
  for (ptrdiff_t block = hg_share(blocks, part, parts); block < end; block++) {
    const ptrdiff_t first = block * most, last = hg_min(first + most, job->tiles);
    winograd_inputs(job, 0, C, first, last, most, in);
    for (int p = 0; p < 36; p++)
      winograd_product(last - first, C, in + p * most * from, 1, from, job->filter + p * C * to, to, false,
                       out + p * most * to);
    winograd_outputs(job, first, last, most, out);
  }
}

/* points = G w G^T of each pair of channels, C x K of each point with zeros up to whole groups; parts share C.
 * `turned`: channels change places and the filter is turned by half a turn, for the scatter form. */
static void winograd_prepare(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_winograd_job *job = argument;
  const ptrdiff_t C = job->in_channels, K = job->out_channels, wide = hg_round_up(K);
  for (ptrdiff_t c = hg_share(C, part, parts); c < hg_share(C, part + 1, parts); c++)
    for (ptrdiff_t k = 0; k < K; k += 16) {
      v16 taps[9], tile[36];
      for (int tap = 0; tap < 9; tap++) {
        float lanes[16] = {0};
        const float *w = job->in + (job->turned ? (8 - tap) * C * K + c : (tap * C + c) * K);
        for (ptrdiff_t lane = 0; lane < hg_min(16, K - k); lane++)
          lanes[lane] = w[job->turned ? (k + lane) * C : k + lane];
        taps[tap] = v16_load(lanes);
      }
      WINOGRAD_TILE(winograd_filter, 3, 6, taps, tile);
      winograd_spread(tile, job->output.out + c * wide + k, C, wide);
    }
}

/* Points of the errors of tiles [first, end), for the filter form. */
static void winograd_errors(const hg_winograd_job *job, ptrdiff_t first, ptrdiff_t end, ptrdiff_t tiles,
                            float *points) {
  const ptrdiff_t K = job->out_channels, wide = hg_round_up(K), H = job->out_height, W = job->out_width;
  for (ptrdiff_t t = first; t < end; t++) {
    const winograd_place at = winograd_place_of(H, W, t);
    for (ptrdiff_t k = 0; k < K; k += 16) {
      v16 window[16], tile[36];
      winograd_load(job->dy + at.n * H * W * K, H, W, K, at.top, at.left, k, hg_min(16, K - k), 4, window);
      WINOGRAD_TILE(winograd_error, 4, 6, window, tile);
      winograd_spread(tile, points + (t - first) * wide + k, tiles, wide);
    }
  }
}

/* A part of the points of the filter's gradient, sums over tiles in order, then of the gradient,
 *   dw = G^T [sum over tiles of (B^T x B) * (A dy A^T)] G.
 * Parts share the large channels in groups of 16, and each transforms the errors anew. */
static void winograd_filter_gradient(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_winograd_job *job = argument;
  const ptrdiff_t C = job->in_channels, K = job->out_channels, from = hg_round_up(C), to = hg_round_up(K);
  const ptrdiff_t most = job->block, start = 16 * hg_share(from / 16, part, parts);
  const ptrdiff_t stop = hg_min(C, 16 * hg_share(from / 16, part + 1, parts)), rows = stop - start;
  float *in = job->scratch + 36 * C * to + part * 36 * most * (from + to), *errors = in + 36 * most * from;
  float *sums = job->scratch + start * to;
  if (rows <= 0) return;
  for (ptrdiff_t first = 0; first < job->tiles; first += most) {
    const ptrdiff_t last = hg_min(first + most, job->tiles);
    winograd_inputs(job, start, stop, first, last, most, in);
    winograd_errors(job, first, last, most, errors);
    for (int p = 0; p < 36; p++)
      winograd_product(rows, last - first, in + p * most * from + start, from, 1, errors + p * most * to, to, first > 0,
                       sums + p * C * to);
  }
  for (ptrdiff_t c = 0; c < rows; c++)
    for (ptrdiff_t k = 0; k < K; k += 16) {
      const ptrdiff_t n = hg_min(16, K - k);
      v16 points[36], taps[9];
      for (int p = 0; p < 36; p++) points[p] = v16_load(sums + (p * C + c) * to + k);
      WINOGRAD_TILE(winograd_gradient, 6, 3, points, taps);
      for (int tap = 0; tap < 9; tap++) {
        float *out = job->output.out + (tap * C + start + c) * K + k;
        v16_store_part(out, job->output.accumulate ? v16_load_part(out, n) + taps[tap] : taps[tap], n);
      }
    }
}
