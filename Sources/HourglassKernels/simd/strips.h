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

/* One large row in blocks of V columns counted from -pad_left: block b adds, q ascending, the products s = jV, jV + 1
 * ... of q = b - j. Those of one (q, j) are a run of V C floats in z. Vectors of 16 run over the end of a block; the
 * next block writes over that. `bias`: one block of it. */
static void strips_row(const hg_geometry2d *g, ptrdiff_t h, const float *z, const float *bias, float *line) {
  const ptrdiff_t U = g->stride_vertical, V = g->stride_horizontal, C = g->large_channels, S = g->filter_width;
  const ptrdiff_t P = g->small_height, Q = g->small_width;
  const ptrdiff_t columns = hg_round_up(g->filter_height * S * C), taps = hg_ceil_div(S, V);
  const ptrdiff_t width = hg_strips_block(g), run = width * C,
                  blocks = hg_ceil_div(g->large_width + g->pad_left, width);
  const ptrdiff_t last_run = hg_min(run, (S - (taps - 1) * V) * C); /* what tap block `taps - 1` holds */
  const ptrdiff_t step = V * C - columns;                           /* from (q, j) to (q - 1, j + 1) */
  const ptrdiff_t reach = h + g->pad_top;
  const ptrdiff_t p0 = reach < g->filter_height ? 0 : hg_ceil_div(reach - g->filter_height + 1, U);
  const ptrdiff_t p1 = hg_min(P, reach / U + 1);
  const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  for (ptrdiff_t b = 0; b < blocks; b++) {
    const ptrdiff_t j0 = hg_max(0, b - Q + 1), j1 = hg_min(taps - 1, b);
    for (ptrdiff_t o = 0; o < run; o += 16) {
      v16 sum = v16_load(bias + o);
      for (ptrdiff_t p = p0; p < p1; p++) {
        const ptrdiff_t at = (p * Q + b) * columns + (reach - p * U) * S * C + o;
        ptrdiff_t j = j1;
        if (j == taps - 1 && j >= j0) {
          if (o < last_run) {
            const v16i in_run = lane < (v16i){0} + (int32_t)hg_min(16, last_run - o);
            sum = v16_select(in_run, sum + v16_load(z + at + j * step), sum);
          }
          j--;
        }
        for (; j >= j0; j--) sum += v16_load(z + at + j * step);
      }
      v16_store(line + b * run + o, sum);
    }
  }
}

static void strips(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_strips_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, row = g->large_width * C, run = hg_strips_block(g) * C;
  float *z = job->scratch + part * hg_strips_scratch(g);
  float *line = z + hg_strips_products(g) + 16, *bias = line + hg_strips_row(g);
  for (ptrdiff_t i = 0; i < run + 16; i++) bias[i] = job->output.bias ? job->output.bias[i % C] : 0;
  const ptrdiff_t end = hg_share(g->samples, part + 1, parts);
  for (ptrdiff_t n = hg_share(g->samples, part, parts); n < end; n++) {
    strips_products(g, job->in + n * g->small_height * g->small_width * g->small_channels, job->filter, z);
    for (ptrdiff_t h = 0; h < g->large_height; h++) {
      strips_row(g, h, z, bias, line);
      const ptrdiff_t start = (n * g->large_height + h) * row;
      for (ptrdiff_t i = 0; i < row; i += 16) {
        const ptrdiff_t count = hg_min(16, row - i);
        v16 v = v16_load(line + g->pad_left * C + i);
        if (job->output.gate)
          v = v16_select(v16_load_part(job->output.gate + start + i, count) > v16_splat(0), v, v16_splat(0));
        if (job->output.relu) v = v16_relu(v);
        v16_store_part(job->output.out + start + i, v, count);
      }
    }
  }
}
