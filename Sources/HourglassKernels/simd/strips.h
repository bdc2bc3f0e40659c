/* The scatter form where the large image has few channels (in_strips of conv2d.c): too few columns for tiles. The tile
 * makes the products z[p, q][r, s, c] = sum over k of in[p, q, k] w[r, s, c, k] of a small row, whose columns are all
 * taps at once; then each element of a large row adds the products that it meets,
 *
 *   out[h, w, c] = end(bias[c] + sum over p, q ascending of z[p, q][h + pad_top - p U, w + pad_left - q V, c]).
 *
 * Small rows live in a ring in the first-level cache; each large row is written once. */

/* Products of one small row at `in` into a row of the ring. */
static void strips_products(const hg_geometry2d *g, const hg_strips_shape *s, const float *in, const float *filter,
                            float *z) {
  const ptrdiff_t K = g->small_channels, pixel = g->small_pixel_stride;
  ptrdiff_t offset[TILE_ROWS];
  for (ptrdiff_t i = 0; i < TILE_ROWS; i++) offset[i] = i * s->columns;
  z += (s->taps - 1) * s->columns;
  for (ptrdiff_t panel = 0; panel < s->columns; panel += TILE_PANEL) {
    const ptrdiff_t width = hg_panel_width(TILE_PANEL, s->columns - panel);
    const tile_depth d = {.turns = 1, .n3 = 1, .n2 = 1, .n1 = K, .a1 = 1, .ldb = width};
    for (ptrdiff_t j = 0; j < width;) {
      const ptrdiff_t groups = tile_groups(width - j);
      const tiling t = tiling_of(g->small_width, groups);
      const float *row[TILE_ROWS], *from = in;
      float *to = z + panel + j;
      for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
        const ptrdiff_t rows = t.rows + (tile < t.extra);
        const hg_output output = {.out = to};
        for (ptrdiff_t i = 0; i < rows; i++) row[i] = from + i * pixel;
        tile_run(rows, groups, row, &d, filter + panel * K + j, &output, offset, 16 * groups);
        from += rows * pixel, to += rows * s->columns;
      }
      j += 16 * groups;
    }
  }
}

/* A large row: what it adds, the products of `high` small rows at `from`, `next` apart; and where it goes, from the
 * column -pad_left on (which is not there where that is padding). */
typedef struct strips_line {
  const float *from, *bias, *gate;
  ptrdiff_t next, high;
  float *out;
  bool relu;
} strips_line;

/* `lanes` floats of a block whose products are at `from`. */
INLINE v16 strips_sum(v16 sum, const float *from, ptrdiff_t next, ptrdiff_t tap, const int lanes, const ptrdiff_t high,
                      const ptrdiff_t taps) {
  for (ptrdiff_t a = 0; a < high; a++)
    for (ptrdiff_t j = taps - 1; j >= 0; j--) sum += v16_load_part(from + a * next + j * tap, lanes);
  return sum;
}

INLINE v16 strips_end(v16 sum, const float *gate, bool relu, const int lanes) {
  if (gate) sum = v16_select(v16_load_part(gate, lanes) > v16_splat(0), sum, v16_splat(0));
  return relu ? v16_relu(sum) : sum;
}

/* Blocks [b0, b1) from their float o on. Vectors that are longer than a block run over its end, and the next block
 * writes over that; of blocks that are longer than a vector the last one stores `lanes` or fewer floats. */
INLINE void strips_blocks(const hg_strips_shape *s, const strips_line *line, ptrdiff_t b0, ptrdiff_t b1, ptrdiff_t o,
                          const int lanes, const ptrdiff_t high, const ptrdiff_t taps) {
  const ptrdiff_t run = s->run, columns = s->columns, next = line->next, tap = run - columns;
  const ptrdiff_t count = run > lanes ? hg_min(lanes, run - o) : lanes;
  const float *from = line->from + b0 * columns + o, *gate = line->gate ? line->gate + b0 * run + o : NULL;
  float *out = line->out + b0 * run + o;
  const bool relu = line->relu;
  const v16 bias = v16_load_part(line->bias + o, lanes);
  if (count == lanes && !gate)
    for (ptrdiff_t b = b0; b < b1; b++, from += columns, out += run)
      v16_store_part(out, strips_end(strips_sum(bias, from, next, tap, lanes, high, taps), NULL, relu, lanes), lanes);
  else
    for (ptrdiff_t b = b0; b < b1; b++, from += columns, out += run) {
      v16_store_part(out, strips_end(strips_sum(bias, from, next, tap, lanes, high, taps), gate, relu, lanes), count);
      if (gate) gate += run;
    }
}
#define STRIPS_BLOCKS(lanes)                                                                                     \
  static __attribute__((noinline)) void strips_blocks_##lanes(const hg_strips_shape *s, const strips_line *line, \
                                                              ptrdiff_t b0, ptrdiff_t b1) {                      \
    for (ptrdiff_t o = 0; o < s->run; o += lanes) {                                                              \
      if (line->high == 2 && s->taps == 2)                                                                       \
        strips_blocks(s, line, b0, b1, o, lanes, 2, 2);                                                          \
      else                                                                                                       \
        strips_blocks(s, line, b0, b1, o, lanes, line->high, s->taps);                                           \
    }                                                                                                            \
  }
STRIPS_BLOCKS(4)
STRIPS_BLOCKS(8)
STRIPS_BLOCKS(16)

/* Floats [i0, i1) of a row, the first of them in block b, where vectors would leave the row: one by one. */
static void strips_ends(const hg_strips_shape *s, const strips_line *line, ptrdiff_t b, ptrdiff_t i0, ptrdiff_t i1) {
  ptrdiff_t o = i0 - b * s->run;
  for (ptrdiff_t i = i0; i < i1; i++) {
    float sum = line->bias[o];
    const float *from = line->from + b * s->columns + o;
    for (ptrdiff_t a = 0; a < line->high && b < s->blocks; a++)
      for (ptrdiff_t j = s->taps - 1; j >= 0; j--) sum += from[a * line->next + j * (s->run - s->columns)];
    if (line->gate && !(line->gate[i] > 0)) sum = 0;
    line->out[i] = line->relu && sum < 0 ? 0 : sum;
    if (++o == s->run) o = 0, b++;
  }
}

/* A large row that was put together in scratch goes to its place: `count` floats of each of `pixels` that lie `apart`
 * there, gated where there is a gate. */
static void strips_put(const float *line, const float *gate, float *out, ptrdiff_t pixels, ptrdiff_t apart,
                       ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < pixels; i++)
    for (ptrdiff_t c = 0; c < count; c += 16) {
      const ptrdiff_t n = hg_min(16, count - c), at = i * apart + c;
      v16 v = v16_load_part(line + i * count + c, n);
      if (gate) v = v16_select(v16_load_part(gate + at, n) > v16_splat(0), v, v16_splat(0));
      v16_store_part(out + at, v, n);
    }
}

/* Parts share the large rows; small rows that two parts need are computed by both. */
static void strips(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_strips_job *job = argument;
  parts = hg_min(parts, job->rooms);
  if (part >= parts) return;
  const hg_geometry2d *g = job->geometry;
  const hg_strips_shape s = hg_strips_shape_of(g);
  const ptrdiff_t C = g->large_channels, H = g->large_height, P = g->small_height, U = g->stride_vertical;
  const ptrdiff_t R = g->filter_height, row = g->large_width * C;
  const hg_strides from = hg_small_strides(g), to = hg_large_strides(g);
  float *ring = job->scratch + part * hg_strips_scratch(g), *bias = ring + s.ring * s.row + 16;
  float *const apart = s.line ? bias + hg_round_up(s.run) + 16 : NULL;
  for (ptrdiff_t i = 0; i < s.run + 16; i++) bias[i] = job->output.bias ? job->output.bias[i % C] + 0.0f : 0;
  __builtin_memset(ring, 0, (size_t)(s.ring * s.row + 16) * sizeof(float));

  void (*const blocks)(const hg_strips_shape *, const strips_line *, ptrdiff_t, ptrdiff_t) =
      s.run <= 4   ? strips_blocks_4
      : s.run <= 8 ? strips_blocks_8
                   : strips_blocks_16;

  /* A row in floats, counted from column -pad_left. The block across its start begins in the row before, where 16
   * floats are put back; the last one may end in the row after, which comes later. The first and the last rows of a
   * part have no such neighbours. */
  const ptrdiff_t start = g->pad_left * C, stop = start + row;
  const ptrdiff_t inside = hg_min(hg_ceil_div(start, s.run), s.blocks), across = hg_min(start / s.run, s.blocks);
  const ptrdiff_t longest = s.blocks * s.run + 16, back = (R - 1) / U, back_until = (R - 1) % U;

  const ptrdiff_t first = hg_share(g->samples * H, part, parts), end = hg_share(g->samples * H, part + 1, parts);
  for (ptrdiff_t i = first, n = first / H, h = first % H; i < end; n++, h = 0) {
    const float *in = job->in + n * from.sample;
    /* Row h meets small row `newest` through tap r, the one before through tap r + U, and so on. */
    ptrdiff_t newest = (h + g->pad_top) / U, r = (h + g->pad_top) % U, ready = hg_max(0, newest - back);
    ptrdiff_t base = s.ring_mask < 0 ? ready : 0; /* the small row in place 0 */
    for (; h < H && i < end; h++, i++) {
      /* One row ahead, so that the sums do not wait for stores just made. */
      for (; ready < hg_min(P, newest + 2); ready++) {
        if (s.ring_mask < 0 && ready - base == s.ring) {
          const ptrdiff_t met = hg_max(0, newest - back);
          __builtin_memmove(ring, ring + (met - base) * s.row, (size_t)((ready - met) * s.row) * sizeof(float));
          base = met;
        }
        strips_products(g, &s, in + ready * from.row, job->filter, ring + ((ready - base) & s.ring_mask) * s.row);
      }
      const ptrdiff_t oldest = hg_max(0, newest - back + (r > back_until));
      const ptrdiff_t place = (oldest - base) & s.ring_mask, next = ((oldest + 1 - base) & s.ring_mask) - place;
      const strips_line line = {
          .from = ring + place * s.row + (s.taps - 1) * s.columns + (r + (newest - oldest) * U) * s.taps * s.run,
          .bias = bias,
          .gate = job->output.gate && !apart ? job->output.gate + i * row - start : NULL,
          .next = next * s.row - U * s.taps * s.run,
          .high = hg_max(0, hg_min(P - 1, newest) - oldest + 1),
          .out = apart ? apart : job->output.out + i * row - start,
          .relu = job->output.relu,
      };
      const bool before = (i - first) * row >= 16 && inside > across && start - across * s.run <= 16;
      const ptrdiff_t b0 = before ? across : inside, b1 = (end - i) * row + start >= longest ? s.blocks : b0;
      if (apart) {
        const hg_output o = output_at(job->output, n * to.sample + h * to.row);
        blocks(&s, &line, across, s.blocks);
        strips_ends(&s, &line, s.blocks, hg_max(start, s.blocks * s.run), stop);
        if (to.pixel == C)
          strips_put(line.out + start, o.gate, o.out, 1, 0, row);
        else
          strips_put(line.out + start, o.gate, o.out, g->large_width, to.pixel, C);
      } else if (b0 < b1) {
        const v16 kept = before ? v16_load(line.out + start - 16) : v16_splat(0);
        if (before) blocks(&s, &line, across, inside), v16_store(line.out + start - 16, kept);
        blocks(&s, &line, inside, b1);
        if (!before) strips_ends(&s, &line, across, start, hg_min(stop, inside * s.run));
        strips_ends(&s, &line, b1, hg_max(start, b1 * s.run), stop);
      } else {
        strips_ends(&s, &line, across, start, stop);
      }
      if (++r == U) r = 0, newest++;
    }
  }
}
