/* Dense layers, and the transposition that some operands need. */

/* m[k] = column k of the 16 x 4 matrix at `in`. Quarter q of four[r] is row 4 q + r, so that all exchanges stay within
 * quarters of a register. */
INLINE void v16_columns(const float *in, ptrdiff_t stride, v16 m[4]) {
  typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));
  v16 four[4];
  UNROLL for (int r = 0; r < 4; r++) {
    const float *row = in + r * stride;
    const v4 a = *(const v4 *)row, b = *(const v4 *)(row + 4 * stride), c = *(const v4 *)(row + 8 * stride),
             d = *(const v4 *)(row + 12 * stride);
    four[r] = V16_QUARTERS(a, b, c, d);
  }
#define IN_QUARTERS(x, y, a, b, c, d)                                                                             \
  SHUFFLE(v16i, x, y, a, b, c, d, a + 4, b + 4, c + 4, d + 4, a + 8, b + 8, c + 8, d + 8, a + 12, b + 12, c + 12, \
          d + 12)
  const v16 low01 = IN_QUARTERS(four[0], four[1], 0, 16, 1, 17), high01 = IN_QUARTERS(four[0], four[1], 2, 18, 3, 19);
  const v16 low23 = IN_QUARTERS(four[2], four[3], 0, 16, 1, 17), high23 = IN_QUARTERS(four[2], four[3], 2, 18, 3, 19);
  m[0] = IN_QUARTERS(low01, low23, 0, 1, 16, 17), m[1] = IN_QUARTERS(low01, low23, 2, 3, 18, 19);
  m[2] = IN_QUARTERS(high01, high23, 0, 1, 16, 17), m[3] = IN_QUARTERS(high01, high23, 2, 3, 18, 19);
#undef IN_QUARTERS
}

/* out[j, i] = in[i, j] for i < rows, j < columns; zero for i in [rows, width). Serial. */
static void transpose(ptrdiff_t rows, ptrdiff_t columns, const float *in, ptrdiff_t in_stride, float *out,
                      ptrdiff_t out_stride, ptrdiff_t width) {
  for (ptrdiff_t i = 0; i < width; i += 16)
    for (ptrdiff_t j = 0; j < columns; j += 16) {
      const ptrdiff_t high = hg_min(16, rows - i), wide = hg_min(16, columns - j);
      float block[16 * 16]; /* a copy: rows that lie a power of two apart would push one another out of the cache */
      if (high == 16 && wide == 16) {
        UNROLL for (int a = 0; a < 16; a++) v16_store(block + 16 * a, v16_load(in + (i + a) * in_stride + j));
      } else {
        for (int a = 0; a < 16; a++)
          v16_store(block + 16 * a, a < high ? v16_load_part(in + (i + a) * in_stride + j, wide) : v16_splat(0));
      }
      for (ptrdiff_t c = 0; c < wide; c += 4) {
        v16 m[4];
        v16_columns(block + c, 16, m);
        for (ptrdiff_t k = 0; k < hg_min(4, wide - c); k++) v16_store(out + (j + c + k) * out_stride + i, m[k]);
      }
    }
}

/* Rows of an operand that are asked whether they are crowded: where fewer than 32 are not, a copy costs more than it
 * saves. Depth of a block that is copied. */
enum { DENSE_CROWD = 32, DENSE_DEPTH = HG_BLOCK / TILE_PANEL };

/* Depth of a block of weights: with few columns it stays in the second-level cache, whatever their number is few sums
 * are stored and loaded again. */
INLINE ptrdiff_t dense_depth(ptrdiff_t columns) { return hg_max(256, 65536 / columns); }

/* Parts share the tiles of all column blocks, column blocks in order. Blocks of depth outermost, so that weights are
 * read in the order of memory: a column block alone meets lines at strides that defeat prefetching. */
static void dense_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_dense_forward_job *job = argument;
  const ptrdiff_t N = job->geometry->samples, I = job->geometry->inputs, O = job->geometry->outputs;
  const ptrdiff_t whole = O / 16 * 16;
  ptrdiff_t tiles = 0;
  for (ptrdiff_t o = 0; o < O;) {
    const ptrdiff_t groups = tile_groups(o < whole ? whole - o : 1);
    tiles += tiling_of(N, groups).tiles;
    o += 16 * groups;
  }
  const ptrdiff_t begin = hg_share(tiles, part, parts), end = hg_share(tiles, part + 1, parts);
  const bool crowded = !HG_STREAMS && N > 2 * tile_rows[HG_TILE_GROUPS] && tile_crowded(hg_min(I, DENSE_CROWD), O);
  const ptrdiff_t depth = crowded ? DENSE_DEPTH : dense_depth(O);
  float panel[HG_BLOCK] __attribute__((aligned(64)));
  for (ptrdiff_t i = 0; i < I; i += depth) {
    ptrdiff_t before = 0;
    for (ptrdiff_t o = 0; o < O && before < end;) {
      const bool tail = o == whole;
      const ptrdiff_t groups = tile_groups(tail ? 1 : whole - o), high = hg_min(depth, I - i);
      const ptrdiff_t ldb = tail ? 16 : crowded ? 16 * groups : O;
      const float *b = tail ? job->tail + i * 16 : job->weight + i * O + o;
      const tile_depth d = {.turns = 1, .n3 = 1, .n2 = 1, .n1 = high, .a1 = 1, .ldb = ldb};
      hg_output output = output_column(job->output, o);
      output.accumulate = i > 0;
      output.relu = job->output.relu && i + depth >= I;
      const tiling t = tiling_of(N, groups);
      const ptrdiff_t first = hg_max(0, begin - before), last = hg_min(t.tiles, end - before);
      if (crowded && first < last) {
        tile_copy(b, high, O, ldb, panel, ldb);
        b = panel;
      }
      for (ptrdiff_t tile = first; tile < last; tile++) {
        const ptrdiff_t start = tiling_first(t, tile), rows = tiling_first(t, tile + 1) - start;
        const float *row[TILE_ROWS];
        ptrdiff_t offset[TILE_ROWS];
        for (ptrdiff_t a = 0; a < rows; a++) row[a] = job->x + (start + a) * I + i, offset[a] = (start + a) * O;
        tile_run(rows, groups, row, &d, b, &output, offset, tail ? O - whole : 16 * groups);
      }
      before += t.tiles;
      o += 16 * groups;
    }
  }
}

/* Inputs of a block: their sums for a panel of samples fill a third of the first-level cache, and dx is written in runs
 * of four lines. */
enum { DENSE_DATA_BLOCK = 64 };

/* dx at `at` for `samples` <= 4 and `inputs` <= 16, from their sums. */
INLINE void dense_data_store(const float *sums, ptrdiff_t samples, ptrdiff_t inputs, const hg_output *o, ptrdiff_t at,
                             ptrdiff_t stride) {
  float *out = o->out + at;
  const float *gate = o->gate ? o->gate + at : NULL;
  v16 m[4];
  v16_columns(sums, TILE_PANEL, m);
  for (ptrdiff_t k = 0; k < samples; k++) {
    if (gate) m[k] = v16_select(v16_load_part(gate + k * stride, inputs) > v16_splat(0), m[k], v16_splat(0));
    v16_store_part(out + k * stride, m[k], inputs);
  }
}

/* dx^T = weight dy^T: rows are inputs, columns a panel of samples; transposed at the store. The rows of a tile lie
 * apart, so that each streams from pages of its own, which prefetching follows. */
static void dense_backward_data_block(const hg_dense_backward_data_job *job, const float *panel, ptrdiff_t first,
                                      ptrdiff_t inputs, ptrdiff_t sample) {
  const ptrdiff_t N = job->geometry->samples, I = job->geometry->inputs, O = job->geometry->outputs;
  const ptrdiff_t width = hg_panel_width(TILE_PANEL, N - sample), samples = hg_min(width, N - sample);
  const tile_depth d = {.turns = 1, .n3 = 1, .n2 = 1, .n1 = O, .a1 = 1, .ldb = width};
  float sums[DENSE_DATA_BLOCK * TILE_PANEL];
  for (ptrdiff_t j = 0; j < width;) {
    const ptrdiff_t groups = tile_groups(width - j);
    const hg_output output = {.out = sums + j};
    const tiling t = tiling_of(inputs, groups);
    for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
      const ptrdiff_t rows = hg_ceil_div(inputs - tile, t.tiles);
      const float *row[TILE_ROWS];
      ptrdiff_t offset[TILE_ROWS];
      for (ptrdiff_t a = 0; a < rows; a++) {
        row[a] = job->weight + (first + tile + a * t.tiles) * O;
        offset[a] = (tile + a * t.tiles) * TILE_PANEL;
      }
      tile_run(rows, groups, row, &d, panel + j, &output, offset, 16 * groups);
    }
    j += 16 * groups;
  }
  for (ptrdiff_t n = 0; n < samples; n += 4)
    for (ptrdiff_t i = 0; i < inputs; i += 16) {
      const float *from = sums + i * TILE_PANEL + n;
      const ptrdiff_t at = (sample + n) * I + first + i, high = hg_min(4, samples - n), wide = hg_min(16, inputs - i);
      if (high == 4 && wide == 16)
        dense_data_store(from, 4, 16, &job->output, at, I);
      else
        dense_data_store(from, high, wide, &job->output, at, I);
    }
}

static void dense_backward_data(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_dense_backward_data_job *job = argument;
  parts = hg_min(parts, job->rooms);
  if (part >= parts) return;
  const ptrdiff_t N = job->geometry->samples, I = job->geometry->inputs, O = job->geometry->outputs;
  const ptrdiff_t blocks = hg_ceil_div(I, 16);
  const ptrdiff_t first = 16 * hg_share(blocks, part, parts), last = hg_min(I, 16 * hg_share(blocks, part + 1, parts));
  if (first >= last) return;
  float *panels = job->scratch + part * hg_round_up(N) * O;
  for (ptrdiff_t n = 0; n < N; n += TILE_PANEL) {
    const ptrdiff_t width = hg_panel_width(TILE_PANEL, N - n);
    transpose(hg_min(width, N - n), O, job->dy + n * O, O, panels + n * O, width, width);
  }
  for (ptrdiff_t i = first; i < last; i += DENSE_DATA_BLOCK)
    for (ptrdiff_t n = 0; n < N; n += TILE_PANEL)
      dense_backward_data_block(job, panels + n * O, i, hg_min(DENSE_DATA_BLOCK, last - i), n);
}

/* Inputs of a block: the columns of x that it reads stay in a cache for all column blocks of dy. */
enum { DENSE_WEIGHT_BLOCK = 96 };

static void dense_backward_weight(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_dense_backward_weight_job *job = argument;
  const ptrdiff_t N = job->geometry->samples, I = job->geometry->inputs, O = job->geometry->outputs;
  const ptrdiff_t whole = O / 16 * 16, count = job->last - job->first;
  const ptrdiff_t first = job->first + hg_share(count, part, parts),
                  last = job->first + hg_share(count, part + 1, parts);
  const ptrdiff_t some = hg_min(N, DENSE_CROWD);
  const bool crowded_x = O > TILE_PANEL && tile_crowded(some, I), crowded_dy = count > 16 && tile_crowded(some, O);
  const ptrdiff_t most = crowded_x || crowded_dy || !HG_STREAMS ? DENSE_DEPTH : hg_max(1, N);
  float xs[DENSE_DEPTH * DENSE_WEIGHT_BLOCK] __attribute__((aligned(64)));
  float panel[HG_BLOCK] __attribute__((aligned(64)));
  for (ptrdiff_t block = first; block < last; block += DENSE_WEIGHT_BLOCK) {
    const ptrdiff_t inputs = hg_min(last - block, DENSE_WEIGHT_BLOCK);
    for (ptrdiff_t n = 0; n < hg_max(1, N); n += most) {
      const ptrdiff_t depth = hg_min(most, N - n), a1 = crowded_x ? DENSE_WEIGHT_BLOCK : I;
      const float *x = job->x + n * I + block;
      if (crowded_x) {
        tile_copy(x, depth, I, inputs, xs, DENSE_WEIGHT_BLOCK);
        x = xs;
      }
      for (ptrdiff_t o = 0; o < O;) {
        const bool tail = o == whole;
        const ptrdiff_t groups = tile_groups(tail ? 1 : whole - o), columns = tail ? O - whole : 16 * groups;
        const float *b = tail ? job->tail + n * 16 : job->dy + n * O + o;
        if (crowded_dy) {
          tile_copy(b, depth, O, columns, panel, columns);
          b = panel;
        }
        tile_depth d = {.n3 = 1, .n2 = 1, .n1 = depth, .a1 = a1, .ldb = tail ? 16 : crowded_dy ? columns : O};
        hg_output output = output_column(job->output, o);
        output.accumulate |= n > 0;
        for (ptrdiff_t start = 0; start < inputs; start += d.turns * d.row_turn) {
          const ptrdiff_t rows = hg_min(tile_rows[groups], inputs - start);
          d.turns = (inputs - start) / rows, d.row_turn = rows, d.out_turn = rows * O;
          const float *row[TILE_ROWS];
          ptrdiff_t offset[TILE_ROWS];
          for (ptrdiff_t a = 0; a < rows; a++) row[a] = x + start + a, offset[a] = (block + start + a) * O;
          tile_run(rows, groups, row, &d, b, &output, offset, columns);
        }
        o += 16 * groups;
      }
    }
  }
}
