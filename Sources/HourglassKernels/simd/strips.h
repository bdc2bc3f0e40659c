/* The scatter form where the large image has fewer than 16 channels: too few columns for tiles. The tile makes the
 * products z[p, q][r, s, c] = sum over k of in[p, q, k] w[r, s, c, k] of a sample, whose columns are all taps at once;
 * then each element of the large image adds the products that it meets,
 *
 *   out[h, w, c] = end(bias[c] + sum over p, q ascending of z[p, q][h + pad_top - p U, w + pad_left - q V, c]). */

static void strips_products(const hg_geometry2d *g, const float *in, const float *filter, float *z) {
  const ptrdiff_t K = g->small_channels, count = g->small_height * g->small_width;
  const ptrdiff_t columns = hg_round_up(g->filter_height * g->filter_width * g->large_channels);
  for (ptrdiff_t j = 0; j < columns; j += HG_PANEL) {
    const ptrdiff_t width = hg_panel_width(columns - j);
    const tile_depth d = {.n3 = 1, .n2 = 1, .n1 = K, .a1 = 1, .ldb = width};
    for (ptrdiff_t k = 0; k < width;) {
      const ptrdiff_t groups = tile_groups(width - k);
      const hg_output output = {.out = z + j + k};
      const tiling t = tiling_of(count, groups);
      for (ptrdiff_t tile = 0, i = 0; tile < t.tiles; tile++) {
        const ptrdiff_t rows = t.rows + (tile < t.extra);
        const float *row[TILE_ROWS];
        ptrdiff_t offset[TILE_ROWS];
        for (ptrdiff_t a = 0; a < rows; a++, i++) row[a] = in + i * K, offset[a] = i * columns;
        tile_run(rows, groups, row, &d, filter + j * K + k, &output, offset, 16 * groups);
      }
      k += 16 * groups;
    }
  }
}

/* How one large row adds its products. It falls into blocks of V columns counted from -pad_left: block b adds, q
 * ascending, the products s = jV, jV + 1 ... of q = b - j, those of one (q, j) being a run of V C floats of z. */
typedef struct strips_shape {
  ptrdiff_t taps, blocks, run; /* j < taps; floats of a block */
  ptrdiff_t last_run;          /* floats of the run of j = taps - 1, which may be shorter */
  ptrdiff_t block, tap,
      row; /* steps in z from b to b + 1 at the same j, from j to j + 1 at the same b, from p to p + 1 */
} strips_shape;

INLINE strips_shape strips_shape_of(const hg_geometry2d *g) {
  const ptrdiff_t U = g->stride_vertical, V = g->stride_horizontal, C = g->large_channels, S = g->filter_width;
  const ptrdiff_t width = hg_strips_block(g), taps = hg_ceil_div(S, V);
  const ptrdiff_t columns = hg_round_up(g->filter_height * S * C);
  return (strips_shape){.taps = taps,
                        .blocks = hg_ceil_div(g->large_width + g->pad_left, width),
                        .run = width * C,
                        .last_run = hg_min(width, S - (taps - 1) * V) * C,
                        .block = columns,
                        .tap = V * C - columns,
                        .row = g->small_width * columns - U * S * C};
}

/* Blocks [b0, b1) of a row, which all have `wide` taps that end with j = last: for each, p ascending and q ascending,
 *   line[b run + i] = bias[i] + sum over a < high, j = last ... last - wide + 1 of z[at + b block + a row + j tap + i].
 * Vectors run over the end of a block; the next block writes over that. `whole`: all runs have full length. */
#define STRIPS_BLOCKS(LANES)                                                                                          \
  typedef float strips_vec##LANES __attribute__((vector_size(4 * LANES)));                                            \
  typedef int32_t strips_int##LANES __attribute__((vector_size(4 * LANES)));                                          \
  typedef float strips_unaligned##LANES __attribute__((vector_size(4 * LANES), aligned(4), may_alias));               \
  INLINE void strips_blocks_##LANES(const strips_shape *s, const float *z, const float *bias, float *line,            \
                                    ptrdiff_t at, ptrdiff_t b0, ptrdiff_t b1, ptrdiff_t last, const ptrdiff_t high,   \
                                    const ptrdiff_t wide, const bool whole) {                                         \
    for (ptrdiff_t b = b0; b < b1; b++)                                                                               \
      for (ptrdiff_t o = 0; o < (LANES < 16 ? 1 : s->run); o += LANES) {                                              \
        strips_vec##LANES sum = *(const strips_unaligned##LANES *)(bias + o);                                         \
        for (ptrdiff_t a = 0; a < high; a++)                                                                          \
          for (ptrdiff_t i = 0; i < wide; i++) {                                                                      \
            const ptrdiff_t j = last - i;                                                                             \
            const float *from = z + (at + b * s->block + a * s->row + j * s->tap + o);                                \
            const strips_vec##LANES more = sum + *(const strips_unaligned##LANES *)from;                              \
            if (whole || j < s->taps - 1) {                                                                           \
              sum = more;                                                                                             \
              continue;                                                                                               \
            }                                                                                                         \
            for (int l = 0; l < LANES; l++) sum[l] = o + l < s->last_run ? more[l] : sum[l];                          \
          }                                                                                                           \
        *(strips_unaligned##LANES *)(line + b * s->run + o) = sum;                                                    \
      }                                                                                                               \
  }                                                                                                                   \
  static void strips_row_##LANES(const strips_shape *s, const float *z, const float *bias, float *line, ptrdiff_t at, \
                                 ptrdiff_t b0, ptrdiff_t b1, ptrdiff_t last, ptrdiff_t high, ptrdiff_t wide) {        \
    if (s->last_run < s->run)                                                                                         \
      strips_blocks_##LANES(s, z, bias, line, at, b0, b1, last, high, wide, false);                                   \
    else if (high == 2 && wide == 2)                                                                                  \
      strips_blocks_##LANES(s, z, bias, line, at, b0, b1, last, 2, 2, true);                                          \
    else                                                                                                              \
      strips_blocks_##LANES(s, z, bias, line, at, b0, b1, last, high, wide, true);                                    \
  }
STRIPS_BLOCKS(4)
STRIPS_BLOCKS(8)
STRIPS_BLOCKS(16)

/* Large row h into `line`, which starts at column -pad_left. bias: one block of it. */
static void strips_row(const hg_geometry2d *g, const strips_shape *s, ptrdiff_t h, const float *z, const float *bias,
                       float *line) {
  const ptrdiff_t U = g->stride_vertical, Q = g->small_width, reach = h + g->pad_top;
  const ptrdiff_t p0 = reach < g->filter_height ? 0 : hg_ceil_div(reach - g->filter_height + 1, U);
  const ptrdiff_t high = hg_max(0, hg_min(g->small_height, reach / U + 1) - p0);
  const ptrdiff_t at = p0 * Q * s->block + (reach - p0 * U) * g->filter_width * g->large_channels;
  for (ptrdiff_t b = 0; b < s->blocks;) {
    /* Taps j with 0 <= b - j < Q; all of them in the blocks [taps - 1, Q). */
    const ptrdiff_t first = hg_max(0, b - Q + 1), last = hg_min(s->taps - 1, b);
    const ptrdiff_t end = b >= s->taps - 1 && b < Q ? hg_min(s->blocks, Q) : b + 1;
    const ptrdiff_t wide = hg_max(0, last - first + 1);
    if (s->run <= 4)
      strips_row_4(s, z, bias, line, at, b, end, last, high, wide);
    else if (s->run <= 8)
      strips_row_8(s, z, bias, line, at, b, end, last, high, wide);
    else
      strips_row_16(s, z, bias, line, at, b, end, last, high, wide);
    b = end;
  }
}

static void strips(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_strips_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, row = g->large_width * C, run = hg_strips_block(g) * C;
  const strips_shape shape = strips_shape_of(g);
  float *z = job->scratch + part * hg_strips_scratch(g);
  float *line = z + hg_strips_products(g) + 16, *bias = line + hg_strips_row(g);
  for (ptrdiff_t i = 0; i < run + 16; i++) bias[i] = job->output.bias ? job->output.bias[i % C] : 0;
  const ptrdiff_t end = hg_share(g->samples, part + 1, parts);
  for (ptrdiff_t n = hg_share(g->samples, part, parts); n < end; n++) {
    strips_products(g, job->in + n * g->small_height * g->small_width * g->small_channels, job->filter, z);
    for (ptrdiff_t h = 0; h < g->large_height; h++) {
      strips_row(g, &shape, h, z, bias, line);
      const ptrdiff_t start = (n * g->large_height + h) * row;
      for (ptrdiff_t at = 0; at < row; at += 16) {
        const ptrdiff_t i = hg_max(0, hg_min(at, row - 16)); /* the last 16 again rather than a part of 16 */
        const ptrdiff_t count = hg_min(16, row);
        v16 v = v16_load(line + g->pad_left * C + i);
        if (job->output.gate)
          v = v16_select(v16_load_part(job->output.gate + start + i, count) > v16_splat(0), v, v16_splat(0));
        if (job->output.relu) v = v16_relu(v);
        v16_store_part(job->output.out + start + i, v, count);
      }
    }
  }
}
