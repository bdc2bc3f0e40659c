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

/* Outputs of a line from which on shallow sums take a line at a time, and the floats of weights that are shallow. */
enum { GATHER_LINE = 6, GATHER_SHALLOW = 4096 };

/* Positions in one direction: how many, and the floats from one to the next of the input and of the output. */
typedef struct gather_walk {
  ptrdiff_t count, in, out;
} gather_walk;

/* Lines [first, end) of positions `along`, which lie `across`, and `outer` so many of them. A tile repeats along a
 * long line of a thin image, in the order of memory, with one tile for the rest. Other lines are cut into tiles one by
 * one, and a tile repeats from line to line. */
static void gather_lines(gather_walk along, gather_walk across, gather_walk outer, ptrdiff_t first, ptrdiff_t end,
                         tile_depth d, const float *in, const float *b, hg_output output, ptrdiff_t groups,
                         ptrdiff_t columns) {
  const tiling t = tiling_of(along.count, groups);
  ptrdiff_t offset[TILE_ROWS];
  for (ptrdiff_t i = 0; i < TILE_ROWS; i++) offset[i] = i * along.out;
  if (along.count >= hg_max(30, 5 * tile_rows[groups]) && along.in <= 16) { /* thin, and long */
    const ptrdiff_t whole = tile_rows[groups], turns = along.count / whole, rest = along.count % whole;
    d.row_turn = whole * along.in, d.out_turn = whole * along.out;
    for (ptrdiff_t line = first; line < end; line++) {
      const ptrdiff_t n = line / across.count, p = line % across.count;
      const float *row[TILE_ROWS], *from = in + n * outer.in + p * across.in;
      hg_output o = output_at(output, n * outer.out + p * across.out);
      for (ptrdiff_t i = 0; i < whole; i++) row[i] = from + i * along.in;
      d.turns = turns;
      tile_run(whole, groups, row, &d, b, &o, offset, columns);
      if (rest == 0) continue;
      for (ptrdiff_t i = 0; i < rest; i++) row[i] = from + (turns * whole + i) * along.in;
      o = output_at(o, turns * d.out_turn);
      d.turns = 1;
      tile_run(rest, groups, row, &d, b, &o, offset, columns);
    }
    return;
  }
  d.row_turn = across.in, d.out_turn = across.out;
  for (ptrdiff_t line = first; line < end; line += d.turns) {
    const ptrdiff_t n = line / across.count, p = line % across.count;
    d.turns = hg_min(across.count - p, end - line);
    for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
      const ptrdiff_t start = tiling_first(t, tile), rows = tiling_first(t, tile + 1) - start;
      const float *row[TILE_ROWS];
      for (ptrdiff_t i = 0; i < rows; i++) row[i] = in + n * outer.in + p * across.in + (start + i) * along.in;
      const hg_output o = output_at(output, n * outer.out + p * across.out + start * along.out);
      tile_run(rows, groups, row, &d, b, &o, offset, columns);
    }
  }
}

/* A block of the depth of a class of positions, by tiles over the part's share of them, the samples' positions in
 * order. */
static void gather_block(gather_walk samples, gather_walk down, gather_walk right, const tile_depth *depth,
                         const float *in, const float *b, hg_output output, ptrdiff_t groups, ptrdiff_t columns,
                         ptrdiff_t part, ptrdiff_t parts) {
  const tile_depth d = *depth;
  /* A 1 x 1 filter of many channels reads each line of memory once, which is best done in the order of memory. */
  const bool once = d.n2 == 1 && d.n1 == right.in && d.n1 >= 64;
  const bool shallow = !once && d.n2 * d.n1 * d.ldb <= GATHER_SHALLOW;
  if (shallow && right.count >= GATHER_LINE) {
    const ptrdiff_t lines = samples.count * down.count;
    const bool one = down.count == 1; /* line of each sample: a tile repeats from sample to sample */
    gather_lines(right, one ? samples : down, one ? down : samples, hg_share(lines, part, parts),
                 hg_share(lines, part + 1, parts), d, in, b, output, groups, columns);
    return;
  }
  if (shallow && down.count >= GATHER_LINE * parts) { /* a border: lines run down, the parts share each */
    const ptrdiff_t first = hg_share(down.count, part, parts), end = hg_share(down.count, part + 1, parts);
    gather_lines((gather_walk){end - first, down.in, down.out}, samples, right, 0, right.count * samples.count, d,
                 in + first * down.in, b, output_at(output, first * down.out), groups, columns);
    return;
  }
  const ptrdiff_t count = samples.count * down.count * right.count;
  const ptrdiff_t first = hg_share(count, part, parts);
  const tiling t = tiling_of(hg_share(count, part + 1, parts) - first, groups);
  ptrdiff_t n = first / (down.count * right.count), p = first / right.count % down.count;
  ptrdiff_t left = right.count - first % right.count;
  const float *from = in + n * samples.in + p * down.in + (right.count - left) * right.in;
  ptrdiff_t to = n * samples.out + p * down.out + (right.count - left) * right.out;
  for (ptrdiff_t tile = 0; tile < t.tiles; tile++) {
    const ptrdiff_t rows = t.rows + (tile < t.extra);
    const float *row[TILE_ROWS];
    ptrdiff_t offset[TILE_ROWS];
    for (ptrdiff_t i = 0; i < rows; i++) {
      row[i] = from, offset[i] = to;
      from += right.in, to += right.out;
      if (--left == 0) {
        left = right.count;
        if (++p == down.count) p = 0, n++;
        from = in + n * samples.in + p * down.in;
        to = n * samples.out + p * down.out;
      }
    }
    if (d.n2 && right.in <= d.n1) { /* what the next tile is the first to read comes in while this one computes */
      const float *next = from + (d.n2 - 1) * d.a2 + d.n1 - right.in;
      for (ptrdiff_t l = 0; l < rows * right.in; l += 16) __builtin_prefetch(next + l);
    }
    tile_run(rows, groups, row, &d, b, &output, offset, columns);
  }
}

/* One class of positions, those in a vertical and in a horizontal run, block after block of the depth, so that the
 * weights of a block stay in the first-level cache for all positions. b: first weight of the column block, `width` the
 * width of its panel. */
static void gather_class(const gather_pass *g, gather_run v, gather_run h, const float *b, ptrdiff_t width,
                         hg_output output, ptrdiff_t groups, ptrdiff_t columns, ptrdiff_t part, ptrdiff_t parts) {
  const bool met = v.taps && h.taps;
  const ptrdiff_t in_row = g->horizontal.inputs * g->channels, in_sample = g->vertical.inputs * in_row;
  const ptrdiff_t taps = met ? v.taps : 0, line = met ? h.taps * g->channels : 0; /* depth: taps x line */
  /* Positions without taps read nothing; their rows only need to be pointers. */
  const gather_walk samples = {g->samples, in_sample, g->sample};
  const gather_walk down = {v.count, met ? g->vertical.stride * in_row : 0, g->row};
  const gather_walk right = {h.count, met ? g->horizontal.stride * g->channels : 0, g->column};
  const float *in = g->in;
  if (met) {
    in += (v.first * g->vertical.stride - g->vertical.pad + v.tap) * in_row +
          (h.first * g->horizontal.stride - g->horizontal.pad + h.tap) * g->channels;
    b += (v.tap * g->horizontal.taps + h.tap) * g->channels * width;
  }
  output = output_at(output, v.first * g->row + h.first * g->column);

  const bool blocked = !HG_STREAMS && taps * line * width > 2 * HG_BLOCK;
  const ptrdiff_t most = blocked ? HG_BLOCK / width : hg_max(1, taps * line);
  const ptrdiff_t slices = hg_max(1, hg_ceil_div(line, most));
  const ptrdiff_t blocks = hg_max(1, slices > 1 ? taps : hg_ceil_div(taps * line, most));
  for (ptrdiff_t block = 0; block < blocks; block++)
    for (ptrdiff_t slice = 0; slice < slices; slice++) {
      const ptrdiff_t tap = hg_share(taps, block, blocks), l = hg_share(line, slice, slices);
      const ptrdiff_t end_tap = hg_share(taps, block + 1, blocks), end = hg_share(line, slice + 1, slices);
      const ptrdiff_t row = g->horizontal.taps * g->channels * width;
      const tile_depth d = {.turns = 1,
                            .n3 = 1,
                            .n2 = end_tap - tap,
                            .a2 = in_row,
                            .b2 = row - (end - l) * width,
                            .n1 = end - l,
                            .a1 = 1,
                            .ldb = width};
      hg_output o = output;
      o.accumulate = tap + l > 0;
      const bool last = end_tap == taps && end == line;
      if (!last) o.gate = NULL, o.relu = false;
      gather_block(samples, down, right, &d, in + tap * in_row + l, b + tap * row + l * width, o, groups, columns, part,
                   parts);
    }
}

/* A band of the lines of all samples: share `band` of `bands`. */
static void gather_phase(const gather_pass *g, ptrdiff_t band, ptrdiff_t bands, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t depth = g->vertical.taps * g->horizontal.taps * g->channels;
  const ptrdiff_t first = hg_share(g->vertical.outputs, band, bands);
  const ptrdiff_t last = hg_share(g->vertical.outputs, band + 1, bands);
  for (ptrdiff_t j = 0; j < g->columns; j += TILE_PANEL) {
    const ptrdiff_t width = hg_panel_width(TILE_PANEL, g->columns - j), end = hg_min(g->columns, j + TILE_PANEL);
    for (ptrdiff_t k = j; k < end;) {
      const ptrdiff_t groups = tile_groups(end - k), columns = hg_min(16 * groups, end - k);
      const hg_output output = output_column(g->output, k);
      const float *b = g->filter + j * depth + (k - j);
      for (ptrdiff_t p = first; p < last;) {
        gather_run v = gather_run_from(&g->vertical, p);
        v.count = hg_min(v.count, last - p);
        for (ptrdiff_t q = 0; q < g->horizontal.outputs;) {
          const gather_run h = gather_run_from(&g->horizontal, q);
          gather_class(g, v, h, b, width, output, groups, columns, part, parts);
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

/* A band of samples [n, n + samples) of a job. */
static void gather_samples(const hg_gather_job *job, ptrdiff_t n, ptrdiff_t samples, ptrdiff_t band, ptrdiff_t bands,
                           ptrdiff_t part, ptrdiff_t parts) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels, C = g->large_channels;
  const ptrdiff_t small_row = g->small_width * K, small = g->small_height * small_row;
  const ptrdiff_t large_row = g->large_width * C, large = g->large_height * large_row;
  const hg_output output = output_at(job->output, n * (job->scatter ? large : small));
  gather_pass pass = {.samples = samples, .filter = job->filter, .output = output};
  if (!job->scatter) {
    pass.in = job->in + n * large;
    pass.channels = C, pass.columns = K;
    pass.vertical = (hg_axis){g->small_height, g->large_height, g->filter_height, g->stride_vertical, g->pad_top};
    pass.horizontal = (hg_axis){g->small_width, g->large_width, g->filter_width, g->stride_horizontal, g->pad_left};
    pass.sample = small, pass.row = small_row, pass.column = K;
    gather_phase(&pass, band, bands, part, parts);
    return;
  }
  const ptrdiff_t U = g->stride_vertical, V = g->stride_horizontal;
  const ptrdiff_t tap = K * hg_round_up(C); /* floats of one tap in all panels */
  pass.in = job->in + n * small;
  pass.channels = K, pass.columns = C;
  pass.sample = large, pass.row = U * large_row, pass.column = V * C;
  for (ptrdiff_t u = 0; u < hg_min(U, g->large_height); u++)
    for (ptrdiff_t v = 0; v < hg_min(V, g->large_width); v++) {
      pass.vertical = gather_phase_axis(u, g->large_height, g->small_height, g->filter_height, U, g->pad_top);
      pass.horizontal = gather_phase_axis(v, g->large_width, g->small_width, g->filter_width, V, g->pad_left);
      const bool met = pass.vertical.taps && pass.horizontal.taps;
      const ptrdiff_t before = hg_phase_taps_before((u + g->pad_top) % U, g->filter_height, U) * g->filter_width +
                               hg_phase_taps_before((v + g->pad_left) % V, g->filter_width, V) * pass.vertical.taps;
      pass.filter = met ? job->filter + before * tap : job->filter;
      pass.output = output_at(output, u * large_row + v * C);
      gather_phase(&pass, band, bands, part, parts);
    }
}

/* Floats of both images of a run of samples, or of a band of one, which should stay in the second-level cache for all
 * phases, columns and blocks. */
enum { GATHER_RUN = HG_STREAMS ? 160 * 1024 : 80 * 1024 };

static void gather(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_gather_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t wanted = hg_max(1, g->samples * hg_sample_count(g) / GATHER_RUN);
  const ptrdiff_t runs = hg_min(g->samples, wanted), bands = wanted / runs;
  for (ptrdiff_t run = 0; run < runs; run++) {
    const ptrdiff_t first = hg_share(g->samples, run, runs), end = hg_share(g->samples, run + 1, runs);
    for (ptrdiff_t band = 0; band < bands; band++) gather_samples(job, first, end - first, band, bands, part, parts);
  }
}
