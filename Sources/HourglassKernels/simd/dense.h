/* Dense layers, and the transposition that some operands need. */

/* out[j, i] = in[i, j] for i < rows, j < columns; zero for i in [rows, width). Serial. */
static void transpose(ptrdiff_t rows, ptrdiff_t columns, const float *in, ptrdiff_t in_stride, float *out,
                      ptrdiff_t out_stride, ptrdiff_t width) {
  for (ptrdiff_t i = 0; i < width; i += 16)
    for (ptrdiff_t j = 0; j < columns; j += 16) {
      v16 m[16];
      const ptrdiff_t high = hg_min(16, rows - i), wide = hg_min(16, columns - j);
      if (high == 16 && wide == 16) {
        UNROLL for (int a = 0; a < 16; a++) m[a] = v16_load(in + (i + a) * in_stride + j);
      } else {
        for (int a = 0; a < 16; a++) m[a] = a < high ? v16_load_part(in + (i + a) * in_stride + j, wide) : v16_splat(0);
      }
      v16_transpose(m);
      if (wide == 16) {
        UNROLL for (int a = 0; a < 16; a++) v16_store(out + (j + a) * out_stride + i, m[a]);
      } else {
        for (int a = 0; a < wide; a++) v16_store(out + (j + a) * out_stride + i, m[a]);
      }
    }
}

/* Depth of a block of weights: 64 columns of it stay in the second-level cache. */
enum { DENSE_DEPTH = 512 };

/* Parts share the tiles of all column blocks, column blocks in order. */
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
  ptrdiff_t before = 0;
  for (ptrdiff_t o = 0; o < O && before < end;) {
    const bool tail = o == whole;
    const ptrdiff_t groups = tile_groups(tail ? 1 : whole - o), ldb = tail ? 16 : O;
    const float *b = tail ? job->tail : job->weight + o;
    const tiling t = tiling_of(N, groups);
    const ptrdiff_t first = hg_max(0, begin - before), last = hg_min(t.tiles, end - before);
    for (ptrdiff_t i = 0; i < I; i += DENSE_DEPTH) {
      const tile_depth d = {.turns = 1, .n3 = 1, .n2 = 1, .n1 = hg_min(DENSE_DEPTH, I - i), .a1 = 1, .ldb = ldb};
      hg_output output = output_column(job->output, o);
      output.accumulate = i > 0;
      output.relu = job->output.relu && i + DENSE_DEPTH >= I;
      for (ptrdiff_t tile = first; tile < last; tile++) {
        const ptrdiff_t start = tiling_first(t, tile), rows = tiling_first(t, tile + 1) - start;
        const float *row[TILE_ROWS];
        ptrdiff_t offset[TILE_ROWS];
        for (ptrdiff_t a = 0; a < rows; a++) row[a] = job->x + (start + a) * I + i, offset[a] = (start + a) * O;
        tile_run(rows, groups, row, &d, b + i * ldb, &output, offset, tail ? O - whole : 16 * groups);
      }
    }
    before += t.tiles;
    o += 16 * groups;
  }
}

/* dx^T = weight dy^T: rows are inputs, columns samples. 16 inputs by up to 64 samples, transposed at the store. */
static void dense_backward_data_block(const hg_dense_backward_data_job *job, ptrdiff_t first, ptrdiff_t sample) {
  const ptrdiff_t N = job->geometry->samples, I = job->geometry->inputs, O = job->geometry->outputs;
  const ptrdiff_t inputs = hg_min(16, I - first), width = hg_panel_width(N - sample);
  const tile_depth d = {.turns = 1, .n3 = 1, .n2 = 1, .n1 = O, .a1 = 1, .ldb = width};
  float sums[16 * HG_PANEL];
  for (ptrdiff_t j = 0; j < width;) {
    const ptrdiff_t groups = tile_groups(width - j);
    const hg_output output = {.out = sums + j};
    const tiling t = tiling_of(inputs, groups);
    for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
      const ptrdiff_t start = tiling_first(t, tile), rows = tiling_first(t, tile + 1) - start;
      const float *row[TILE_ROWS];
      ptrdiff_t offset[TILE_ROWS];
      for (ptrdiff_t a = 0; a < rows; a++) {
        row[a] = job->weight + (first + start + a) * O;
        offset[a] = (start + a) * HG_PANEL;
      }
      tile_run(rows, groups, row, &d, job->dy_panels + sample * O + j, &output, offset, 16 * groups);
    }
    j += 16 * groups;
  }
  for (ptrdiff_t j = 0; j < width; j += 16) {
    v16 m[16];
    UNROLL for (int a = 0; a < 16; a++) m[a] = a < inputs ? v16_load(sums + a * HG_PANEL + j) : v16_splat(0);
    v16_transpose(m);
    const ptrdiff_t samples = hg_min(16, N - sample - j);
    for (ptrdiff_t a = 0; a < samples; a++) {
      const ptrdiff_t at = (sample + j + a) * I + first;
      v16 v = m[a];
      if (job->output.gate)
        v = v16_select(v16_load_part(job->output.gate + at, inputs) > v16_splat(0), v, v16_splat(0));
      v16_store_part(job->output.out + at, v, inputs);
    }
  }
}

/* Inputs of a block: their weights are read once for all panels of samples. */
enum { DENSE_DATA_BLOCK = 64 };

static void dense_backward_data(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_dense_backward_data_job *job = argument;
  const ptrdiff_t N = job->geometry->samples, I = job->geometry->inputs, blocks = hg_ceil_div(I, 16);
  const ptrdiff_t first = 16 * hg_share(blocks, part, parts), last = hg_min(I, 16 * hg_share(blocks, part + 1, parts));
  for (ptrdiff_t block = first; block < last; block += DENSE_DATA_BLOCK)
    for (ptrdiff_t n = 0; n < N; n += HG_PANEL)
      for (ptrdiff_t i = block; i < hg_min(last, block + DENSE_DATA_BLOCK); i += 16)
        dense_backward_data_block(job, i, n);
}

/* Inputs of a block: the columns of x that it reads stay in the first-level cache for all column blocks of dy. */
enum { DENSE_WEIGHT_BLOCK = 96 };

static void dense_backward_weight(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_dense_backward_weight_job *job = argument;
  const ptrdiff_t N = job->geometry->samples, I = job->geometry->inputs, O = job->geometry->outputs;
  const ptrdiff_t whole = O / 16 * 16, count = job->last - job->first;
  const ptrdiff_t first = job->first + hg_share(count, part, parts),
                  last = job->first + hg_share(count, part + 1, parts);
  for (ptrdiff_t block = first; block < last; block += DENSE_WEIGHT_BLOCK)
    for (ptrdiff_t o = 0; o < O;) {
      const bool tail = o == whole;
      const ptrdiff_t groups = tile_groups(tail ? 1 : whole - o);
      const tile_depth d = {.turns = 1, .n3 = 1, .n2 = 1, .n1 = N, .a1 = I, .ldb = tail ? 16 : O};
      const hg_output output = {.out = job->dweight + o};
      const tiling t = tiling_of(hg_min(DENSE_WEIGHT_BLOCK, last - block), groups);
      for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
        const ptrdiff_t start = block + tiling_first(t, tile), rows = block + tiling_first(t, tile + 1) - start;
        const float *row[TILE_ROWS];
        ptrdiff_t offset[TILE_ROWS];
        for (ptrdiff_t a = 0; a < rows; a++) row[a] = job->x + start + a, offset[a] = (start + a) * O;
        tile_run(rows, groups, row, &d, tail ? job->tail : job->dy + o, &output, offset,
                 tail ? O - whole : 16 * groups);
      }
      o += 16 * groups;
    }
}
