/* The gather form: each output position reads the input positions that its taps meet. Convolution forward and the data
 * gradient of a transposed convolution; phase by phase also their counterparts, the scatter form. */

/* Consecutive outputs of an axis that meet the same taps [tap, tap + taps); padding is what they do not meet. */
typedef struct gather_run {
  ptrdiff_t first, count, tap, taps;
} gather_run;

INLINE gather_run gather_taps(const hg_axis *axis, ptrdiff_t output) {
  const ptrdiff_t base = output * axis->stride - axis->pad;
  ptrdiff_t tap = hg_max(0, -base), end = hg_max(0, axis->inputs - base);
  if (axis->dilation > 1) tap = hg_ceil_div(tap, axis->dilation), end = hg_ceil_div(end, axis->dilation);
  end = hg_min(axis->taps, end);
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

/* A gather from `in` (samples x vertical x horizontal of `channels`, apart as `from` says) to rows and columns of
 * `output` that lie `sample`, `row` and `column` apart, `columns` output channels each. filter: panels over columns of
 * (taps, channels) x width. */
typedef struct gather_pass {
  ptrdiff_t samples, channels, columns;
  hg_axis vertical, horizontal;
  hg_strides from;
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
                         bool shallow, ptrdiff_t part, ptrdiff_t parts) {
  const tile_depth d = *depth;
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
      const float *next = from + (d.n3 - 1) * d.a3 + (d.n2 - 1) * d.a2 + d.n1 - right.in;
      for (ptrdiff_t l = 0; l < rows * right.in; l += 16) __builtin_prefetch(next + l);
    }
    tile_run(rows, groups, row, &d, b, &output, offset, columns);
  }
}

/* The depth of a class: `rows` rows of `taps` taps of `line` floats, which along the input lie `row` and `tap`
 * apart. */
typedef struct gather_depth {
  ptrdiff_t rows, row, taps, tap, line;
} gather_depth;

/* Steps [l, end) of the lines of taps [t, end_t) of rows [r, end_r); `skip` rows of weights behind each row. */
INLINE tile_depth gather_steps(const gather_depth *g, ptrdiff_t rows, ptrdiff_t taps, ptrdiff_t l, ptrdiff_t end,
                               ptrdiff_t weights, ptrdiff_t width) {
  const bool flat = g->taps == 1; /* then rows are the middle loop */
  const ptrdiff_t behind_tap = (g->line - (end - l)) * width, behind_row = weights - taps * g->line * width;
  return (tile_depth){.turns = 1,
                      .n3 = flat ? 1 : rows,
                      .a3 = flat ? 0 : g->row,
                      .b3 = flat ? 0 : behind_row,
                      .n2 = flat ? rows : taps,
                      .a2 = flat ? g->row : g->tap,
                      .b2 = flat ? behind_tap + behind_row : behind_tap,
                      .n1 = end - l,
                      .a1 = 1,
                      .ldb = width};
}

/* One class of positions, those in a vertical and in a horizontal run, block after block of the depth, so that the
 * weights of a block stay in the first-level cache for all positions. b: first weight of the column block, `width` the
 * width of its panel. */
static void gather_class(const gather_pass *g, gather_run v, gather_run h, const float *b, ptrdiff_t width,
                         hg_output output, ptrdiff_t groups, ptrdiff_t columns, ptrdiff_t part, ptrdiff_t parts) {
  const bool met = v.taps && h.taps;
  const ptrdiff_t in_row = g->from.row, pixel = g->from.pixel;
  /* Taps that lie side by side are one line. */
  const bool flat = g->horizontal.dilation == 1 && pixel == g->channels;
  const gather_depth depth = {.rows = met ? v.taps : 0,
                              .row = g->vertical.dilation * in_row,
                              .taps = flat ? 1 : h.taps,
                              .tap = g->horizontal.dilation * pixel,
                              .line = met ? (flat ? h.taps : 1) * g->channels : 0};
  /* Positions without taps read nothing; their rows only need to be pointers. */
  const gather_walk samples = {g->samples, g->from.sample, g->sample};
  const gather_walk lower = {v.count, met ? g->vertical.stride * in_row : 0, g->row};
  const gather_walk right = {h.count, met ? g->horizontal.stride * pixel : 0, g->column};
  const float *in = g->in;
  if (met) {
    in += (v.first * g->vertical.stride - g->vertical.pad + v.tap * g->vertical.dilation) * in_row +
          (h.first * g->horizontal.stride - g->horizontal.pad + h.tap * g->horizontal.dilation) * pixel;
    b += (v.tap * g->horizontal.taps + h.tap) * g->channels * width;
  }
  output = output_at(output, v.first * g->row + h.first * g->column);

  /* A block is some rows whole, or some taps of one, or a part of a tap's line. */
  const ptrdiff_t weights = g->horizontal.taps * g->channels * width, steps = depth.taps * depth.line;
  ptrdiff_t down = 1, across = 1, slices = 1, largest = depth.rows * steps;
  if (!HG_STREAMS && largest * width > 2 * HG_BLOCK) {
    const ptrdiff_t most = HG_BLOCK / width;
    slices = hg_ceil_div(depth.line, most);
    across = slices > 1 ? depth.taps : hg_ceil_div(steps, most);
    down = slices * across > 1 ? depth.rows : hg_ceil_div(depth.rows * steps, most);
    largest = hg_ceil_div(depth.rows, down) * hg_ceil_div(depth.taps, across) * hg_ceil_div(depth.line, slices);
  }
  const ptrdiff_t blocks = down * across * slices;
  /* All blocks share positions alike, or a part would add to sums that another has not begun. A 1 x 1 filter of many
   * channels reads each line of memory once, which is best done in the order of memory. */
  const bool once = depth.rows * depth.taps == 1 && slices == 1 && depth.line == right.in && depth.line >= 64;
  const bool shallow = !once && largest * width <= GATHER_SHALLOW;
  for (ptrdiff_t block = 0; block < blocks; block++) {
    ptrdiff_t r = 0, rows = depth.rows, s = 0, taps = depth.taps, l = 0, end = depth.line;
    if (blocks > 1) {
      const ptrdiff_t i = block / slices / across, j = block / slices % across, slice = block % slices;
      r = hg_share(depth.rows, i, down), rows = hg_share(depth.rows, i + 1, down) - r;
      s = hg_share(depth.taps, j, across), taps = hg_share(depth.taps, j + 1, across) - s;
      l = hg_share(depth.line, slice, slices), end = hg_share(depth.line, slice + 1, slices);
    }
    const tile_depth d = gather_steps(&depth, rows, taps, l, end, weights, width);
    hg_output o = output;
    if (block > 0) o.accumulate = true;
    if (block < blocks - 1) o.gate = NULL, o.relu = false;
    gather_block(samples, lower, right, &d, in + r * depth.row + s * depth.tap + l,
                 b + r * weights + (s * depth.line + l) * width, o, groups, columns, shallow, part, parts);
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

/* A band of samples [n, n + samples) of a job, one group of channels after the other. */
static void gather_samples(const hg_gather_job *job, ptrdiff_t n, ptrdiff_t samples, ptrdiff_t band, ptrdiff_t bands,
                           ptrdiff_t part, ptrdiff_t parts) {
  const hg_geometry2d *g = job->geometry;
  const hg_axis vertical = hg_vertical_axis(g), horizontal = hg_horizontal_axis(g);
  const ptrdiff_t taps = g->filter_height * g->filter_width;
  const hg_strides from = job->scatter ? hg_small_strides(g) : hg_large_strides(g);
  const hg_strides to = job->scatter ? hg_large_strides(g) : hg_small_strides(g);
  const ptrdiff_t U = job->scatter ? g->stride_vertical : 1, V = job->scatter ? g->stride_horizontal : 1;
  gather_pass pass = {.samples = samples,
                      .channels = job->scatter ? hg_small_group(g) : hg_large_group(g),
                      .columns = job->scatter ? hg_large_group(g) : hg_small_group(g),
                      .from = from,
                      .sample = to.sample,
                      .row = U * to.row,
                      .column = V * to.pixel};
  const ptrdiff_t tap = pass.channels * hg_round_up(pass.columns); /* floats of one tap in all panels of a group */
  const ptrdiff_t up = hg_phase_step(U, vertical.dilation), left = hg_phase_step(V, horizontal.dilation);
  for (ptrdiff_t group = 0; group < g->groups; group++) {
    const hg_output output = output_at(output_column(job->output, group * pass.columns), n * to.sample);
    const float *filter = job->filter + group * taps * tap;
    pass.in = job->in + n * from.sample + group * pass.channels;
    pass.vertical = vertical, pass.horizontal = horizontal, pass.filter = filter, pass.output = output;
    if (!job->scatter) {
      gather_phase(&pass, band, bands, part, parts);
      continue;
    }
    for (ptrdiff_t u = 0; u < hg_min(U, g->large_height); u++)
      for (ptrdiff_t v = 0; v < hg_min(V, g->large_width); v++) {
        pass.vertical = hg_phase_axis(&vertical, u);
        pass.horizontal = hg_phase_axis(&horizontal, v);
        if (pass.vertical.taps && pass.horizontal.taps) {
          const ptrdiff_t r = hg_phase_first_tap(u, vertical.taps, U, vertical.pad, vertical.dilation);
          const ptrdiff_t s = hg_phase_first_tap(v, horizontal.taps, V, horizontal.pad, horizontal.dilation);
          const ptrdiff_t before = hg_phase_taps_before(r, vertical.taps, up) * horizontal.taps +
                                   hg_phase_taps_before(s, horizontal.taps, left) * pass.vertical.taps;
          pass.filter = filter + before * tap;
        }
        pass.output = output_at(output, u * to.row + v * to.pixel);
        gather_phase(&pass, band, bands, part, parts);
      }
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
