/* The gather form: each output position reads the input positions that its taps meet. Convolution forward and the data
 * gradient of a transposed convolution; phase by phase also their counterparts, the scatter form. */

/* Consecutive outputs of an axis that meet the same taps [tap, tap + taps); padding is what they do not meet. */
typedef struct gather_run {
  ptrdiff_t first, count, tap, taps;
} gather_run;

INLINE gather_run gather_taps(const hg_axis *axis, ptrdiff_t output) {
  const ptrdiff_t base = output * axis->stride - axis->pad;
  const ptrdiff_t tap = hg_max(0, -base), end = hg_min(axis->taps, axis->inputs - base);
  return tap < end ? (gather_run){output, 1, tap, end - tap} : (gather_run){output, 1, 0, 0};
}

/* The run that starts at output `first`. */
INLINE gather_run gather_run_from(const hg_axis *axis, ptrdiff_t first) {
  gather_run run = gather_taps(axis, first);
  while (first + run.count < axis->outputs) {
    const gather_run next = gather_taps(axis, first + run.count);
    if (next.tap != run.tap || next.taps != run.taps) break;
    run.count++;
  }
  return run;
}

/* A gather from `in` (samples x vertical x horizontal x channels) to rows and columns of `output` that lie `sample`,
 * `row` and `column` apart, `columns` output channels each. filter: panels over columns of (taps, channels) x width. */
typedef struct gather_pass {
  ptrdiff_t samples, channels, columns;
  hg_axis vertical, horizontal;
  ptrdiff_t sample, row, column;
  const float *in, *filter;
  hg_output output;
} gather_pass;

/* One class of positions, those in a vertical and in a horizontal run, by tiles over the part's share of them, the
 * samples' positions in order. b: first weight of the column block, `width` the width of its panel. */
static void gather_class(const gather_pass *g, gather_run v, gather_run h, const float *b, ptrdiff_t width,
                         const hg_output *output, ptrdiff_t groups, ptrdiff_t columns, ptrdiff_t part,
                         ptrdiff_t parts) {
  const bool met = v.taps && h.taps;
  const ptrdiff_t in_row = g->horizontal.inputs * g->channels, in_sample = g->vertical.inputs * in_row;
  const tile_depth d = {.n3 = 1,
                        .n2 = met ? v.taps : 0,
                        .a2 = in_row,
                        .b2 = (g->horizontal.taps - h.taps) * g->channels * width,
                        .n1 = h.taps * g->channels,
                        .a1 = 1,
                        .ldb = width};
  /* Positions without taps read nothing; their rows only need to be pointers. */
  const ptrdiff_t step_v = met ? g->vertical.stride * in_row : 0;
  const ptrdiff_t step_h = met ? g->horizontal.stride * g->channels : 0;
  const float *in = g->in;
  if (met) {
    in += (v.first * g->vertical.stride - g->vertical.pad + v.tap) * in_row +
          (h.first * g->horizontal.stride - g->horizontal.pad + h.tap) * g->channels;
    b += (v.tap * g->horizontal.taps + h.tap) * g->channels * width;
  }

  const ptrdiff_t count = g->samples * v.count * h.count;
  const ptrdiff_t first = hg_share(count, part, parts);
  const tiling t = tiling_of(hg_share(count, part + 1, parts) - first, groups);
  ptrdiff_t n = first / (v.count * h.count), p = first / h.count % v.count, left = h.count - first % h.count;
  const float *from = in + n * in_sample + p * step_v + (h.count - left) * step_h;
  ptrdiff_t to = n * g->sample + (v.first + p) * g->row + (h.first + h.count - left) * g->column;
  for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
    const ptrdiff_t rows = t.rows + (tile < t.extra);
    const float *row[TILE_ROWS];
    ptrdiff_t offset[TILE_ROWS];
    for (ptrdiff_t i = 0; i < rows; i++) {
      row[i] = from, offset[i] = to;
      from += step_h, to += g->column;
      if (--left == 0) {
        left = h.count;
        if (++p == v.count) p = 0, n++;
        from = in + n * in_sample + p * step_v;
        to = n * g->sample + (v.first + p) * g->row + h.first * g->column;
      }
    }
    tile_run(rows, groups, row, &d, b, output, offset, columns);
  }
}

static void gather_phase(const gather_pass *g, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t depth = g->vertical.taps * g->horizontal.taps * g->channels;
  for (ptrdiff_t j = 0; j < g->columns; j += HG_PANEL) {
    const ptrdiff_t width = hg_panel_width(g->columns - j), end = hg_min(g->columns, j + HG_PANEL);
    for (ptrdiff_t k = j; k < end;) {
      const ptrdiff_t groups = tile_groups(end - k), columns = hg_min(16 * groups, end - k);
      const hg_output output = output_column(g->output, k);
      const float *b = g->filter + j * depth + (k - j);
      for (ptrdiff_t p = 0; p < g->vertical.outputs;) {
        const gather_run v = gather_run_from(&g->vertical, p);
        for (ptrdiff_t q = 0; q < g->horizontal.outputs;) {
          const gather_run h = gather_run_from(&g->horizontal, q);
          gather_class(g, v, h, b, width, &output, groups, columns, part, parts);
          q += h.count;
        }
        p += v.count;
      }
      k += columns;
    }
  }
}

/* One axis of the scatter form's phase: see hg_phase_taps. */
INLINE hg_axis gather_phase_axis(ptrdiff_t phase, ptrdiff_t large, ptrdiff_t small, ptrdiff_t filter, ptrdiff_t stride,
                                 ptrdiff_t pad) {
  const ptrdiff_t taps = hg_phase_taps((phase + pad) % stride, filter, stride);
  return (hg_axis){hg_ceil_div(large - phase, stride), small, taps, 1, taps - 1 - (phase + pad) / stride};
}

static void gather(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_gather_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  if (!job->scatter) {
    const ptrdiff_t K = g->small_channels, row = g->small_width * K;
    const gather_pass pass = {
        .samples = g->samples,
        .channels = g->large_channels,
        .columns = K,
        .vertical = {g->small_height, g->large_height, g->filter_height, g->stride_vertical, g->pad_top},
        .horizontal = {g->small_width, g->large_width, g->filter_width, g->stride_horizontal, g->pad_left},
        .sample = g->small_height * row,
        .row = row,
        .column = K,
        .in = job->in,
        .filter = job->filter,
        .output = job->output};
    gather_phase(&pass, part, parts);
    return;
  }
  const ptrdiff_t U = g->stride_vertical, V = g->stride_horizontal, C = g->large_channels, row = g->large_width * C;
  const ptrdiff_t tap = g->small_channels * hg_round_up(C); /* floats of one tap in all panels */
  for (ptrdiff_t u = 0; u < hg_min(U, g->large_height); u++)
    for (ptrdiff_t v = 0; v < hg_min(V, g->large_width); v++) {
      const hg_axis vertical = gather_phase_axis(u, g->large_height, g->small_height, g->filter_height, U, g->pad_top);
      const hg_axis horizontal = gather_phase_axis(v, g->large_width, g->small_width, g->filter_width, V, g->pad_left);
      const ptrdiff_t before = hg_phase_taps_before((u + g->pad_top) % U, g->filter_height, U) * g->filter_width +
                               hg_phase_taps_before((v + g->pad_left) % V, g->filter_width, V) * vertical.taps;
      const bool met = vertical.taps && horizontal.taps;
      const ptrdiff_t place = u * row + v * C;
      gather_pass pass = {.samples = g->samples,
                          .channels = g->small_channels,
                          .columns = C,
                          .vertical = vertical,
                          .horizontal = horizontal,
                          .sample = g->large_height * row,
                          .row = U * row,
                          .column = V * C,
                          .in = job->in,
                          .filter = met ? job->filter + before * tap : job->filter,
                          .output = job->output};
      pass.output.out += place;
      if (pass.output.gate) pass.output.gate += place;
      gather_phase(&pass, part, parts);
    }
}
