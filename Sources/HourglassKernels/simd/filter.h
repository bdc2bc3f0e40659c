/* The filter form: gradients of filters and biases, sums over samples and small positions in order. */

/* out = count floats of `in`, or zeros where it is NULL. */
INLINE void filter_copy(float *out, const float *in, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i += 16) {
    const ptrdiff_t at = hg_max(0, hg_min(i, count - 16)); /* the last 16 again rather than a part of 16 */
    v16_store_part(out + at, in ? v16_load_part(in + at, count) : v16_splat(0), count);
  }
}

/* Copies rows [first, end) of the samples of a run into its halo; with the first of them come the ones. */
INLINE void filter_fill_halo(const hg_filter_job *job, ptrdiff_t first, ptrdiff_t end) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, row = job->halo_width * C, from = g->pad_left * C;
  const ptrdiff_t width = hg_min(g->large_width, job->halo_width - g->pad_left), rows = job->halo_height;
  const hg_strides apart = hg_large_strides(g);
  for (ptrdiff_t i = first; i < end; i++) {
    const ptrdiff_t h = i % rows - g->pad_top;
    float *out = job->halo + i * row;
    filter_copy(out, NULL, row);
    if (h < 0 || h >= g->large_height) continue;
    const float *in = job->x + i / rows * apart.sample + h * apart.row;
    if (apart.pixel == C)
      filter_copy(out + from, in, width * C);
    else
      for (ptrdiff_t w = 0; w < width; w++) filter_copy(out + from + w * C, in + w * apart.pixel, C);
  }
  if (job->ones && first == 0 && end > 0)
    for (ptrdiff_t i = 0; i < rows * row; i++) job->ones[i] = 1;
}

/* The halo that all parts read. */
static void filter_fill(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_filter_job *job = argument;
  const ptrdiff_t rows = job->samples * job->halo_height;
  filter_fill_halo(job, hg_share(rows, part, parts), hg_share(rows, part + 1, parts));
}

/* Small positions [first, end) of an axis whose tap at `tap` pixels lies inside the large image. */
typedef struct filter_span {
  ptrdiff_t first, end;
} filter_span;

INLINE filter_span filter_span_of(ptrdiff_t small, ptrdiff_t large, ptrdiff_t stride, ptrdiff_t pad, ptrdiff_t tap) {
  const ptrdiff_t first = tap < pad ? hg_ceil_div(pad - tap, stride) : 0;
  const ptrdiff_t end = large + pad > tap ? hg_min(small, hg_ceil_div(large + pad - tap, stride)) : 0;
  return first < end ? (filter_span){first, end} : (filter_span){0, 0};
}

/* The product of one tap of a group with C channels, or with a halo of all taps: rows i at `in` + `at` + i (C of them),
 * or (r, s, c) `down`, `right` and 1 apart (R S C of them and the ones); depth the samples and the small positions p, q
 * whose large positions lie `a2` and `a1` apart. */
typedef struct filter_product {
  ptrdiff_t rows, at, channels, down, right, sample, a2, a1;
  filter_span p, q;
  const float *in;
  float *out;
} filter_product;

INLINE filter_product filter_product_of(const hg_filter_job *job, ptrdiff_t group, ptrdiff_t tap) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, U = g->stride_vertical, V = g->stride_horizontal;
  const ptrdiff_t down = g->dilation_vertical, right = g->dilation_horizontal, channels = hg_large_group(g);
  if (job->halo) {
    const ptrdiff_t row = job->halo_width * C;
    return (filter_product){.rows = g->filter_height * g->filter_width * channels + (job->ones != NULL),
                            .at = group * channels,
                            .channels = channels,
                            .down = down * row,
                            .right = right * C,
                            .sample = job->halo_height * row,
                            .a2 = U * row,
                            .a1 = V * C,
                            .p = {0, job->halo_p},
                            .q = {0, job->halo_q},
                            .in = job->halo,
                            .out = job->output.out};
  }
  const ptrdiff_t r = tap / g->filter_width, s = tap % g->filter_width;
  const ptrdiff_t row = g->large_row_stride, pixel = g->large_pixel_stride;
  return (filter_product){.rows = channels,
                          .at = (r * down - g->pad_top) * row + (s * right - g->pad_left) * pixel + group * channels,
                          .channels = channels,
                          .sample = g->large_sample_stride,
                          .a2 = U * row,
                          .a1 = V * pixel,
                          .p = filter_span_of(g->small_height, g->large_height, U, g->pad_top, r * down),
                          .q = filter_span_of(g->small_width, g->large_width, V, g->pad_left, s * right),
                          .in = job->x,
                          .out = job->output.out + tap * channels * g->small_channels};
}

/* Where row (r, s c) with a halo begins. */
INLINE ptrdiff_t filter_halo_row(const filter_product *f, ptrdiff_t r, ptrdiff_t sc) {
  return r * f->down + (f->right == f->channels ? sc : sc / f->channels * f->right + sc % f->channels);
}

/* A block of the depth, positions in order: samples n, or lines p of one, or a part q of a line; and of its columns
 * `count` from `first` on, which are of one group of channels, at `b`: samples, lines and positions lie `sample`,
 * `line` and `ldb` apart. */
typedef struct filter_block {
  filter_span n, p, q;
  ptrdiff_t group, first, count, groups, sample, line, ldb;
  const float *b;
} filter_block;

INLINE filter_span filter_meet(filter_span a, filter_span b) {
  const ptrdiff_t first = hg_max(a.first, b.first), end = hg_min(a.end, b.end);
  return first < end ? (filter_span){first, end} : (filter_span){0, 0};
}

/* Tiles [first, end) of a product with a block. */
static void filter_tiles(const hg_filter_job *job, const filter_product *f, const filter_block *c, tiling t,
                         ptrdiff_t first, ptrdiff_t end) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels;
  const filter_span p = filter_meet(f->p, c->p), q = filter_meet(f->q, c->q);
  const ptrdiff_t high = q.end ? p.end - p.first : 0, wide = q.end - q.first;
  if (high == 0 && job->output.accumulate) return;
  const tile_depth d = {.turns = 1,
                        .n3 = c->n.end - c->n.first,
                        .a3 = f->sample,
                        .b3 = c->sample - high * c->line,
                        .n2 = high,
                        .a2 = f->a2,
                        .b2 = c->line - wide * c->ldb,
                        .n1 = wide,
                        .a1 = f->a1,
                        .ldb = c->ldb};
  const ptrdiff_t taps = g->filter_width * f->channels;
  const float *in = f->in, *b = c->b;
  if (high) {
    in += f->at + c->n.first * f->sample + p.first * f->a2 + q.first * f->a1;
    b += (p.first - c->p.first) * c->line + (q.first - c->q.first) * c->ldb;
  }
  const hg_output output = {.out = f->out + c->first, .accumulate = job->output.accumulate};
  for (ptrdiff_t tile = first; tile < end; tile++) {
    const ptrdiff_t start = tiling_first(t, tile), rows = tiling_first(t, tile + 1) - start;
    const float *row[TILE_ROWS];
    ptrdiff_t offset[TILE_ROWS];
    for (ptrdiff_t i = 0; i < rows; i++) {
      const ptrdiff_t j = start + i;
      row[i] = in + (job->halo ? filter_halo_row(f, j / taps, j % taps) : j);
      offset[i] = j * K;
    }
    if (job->ones && start + rows == f->rows) {
      row[rows - 1] = job->ones;
      offset[rows - 1] = ((intptr_t)job->dbias - (intptr_t)f->out) / (ptrdiff_t)sizeof(float);
    }
    tile_run(rows, c->groups, row, &d, b, &output, offset, c->count);
  }
}

/* The tiles of a product's rows; of a single product with few tiles as many as parts can share evenly. */
INLINE tiling filter_tiling(ptrdiff_t rows, ptrdiff_t groups, ptrdiff_t products, ptrdiff_t parts) {
  const tiling t = tiling_of(rows, groups);
  if (products > 1 || t.tiles >= 8 * parts) return t;
  const ptrdiff_t tiles = hg_min(rows, hg_ceil_div(t.tiles, parts) * parts);
  return (tiling){tiles, rows / tiles, rows % tiles};
}

/* Tiles whose sums stay in the second-level cache for all blocks of a run; and the fewest for which a copy pays. */
enum { FILTER_CHUNK = 256, FILTER_COPY = 8 };

/* The columns of a block side by side in `panel`, rows of `width` floats. */
INLINE void filter_panel(filter_block *c, float *panel, ptrdiff_t width) {
  const ptrdiff_t high = c->p.end - c->p.first, wide = c->q.end - c->q.first;
  for (ptrdiff_t n = 0; n < c->n.end - c->n.first; n++)
    for (ptrdiff_t p = 0; p < high; p++)
      tile_copy(c->b + n * c->sample + p * c->line, wide, c->ldb, c->count, panel + (n * high + p) * wide * width,
                width);
  c->b = panel, c->ldb = width, c->line = wide * width, c->sample = high * c->line;
}

/* Tiles [first, end) of all products with the columns of `columns`, block after block of a run. */
static void filter_run(const hg_filter_job *run, filter_block columns, tiling t, ptrdiff_t first, ptrdiff_t end) {
  const hg_geometry2d *g = run->geometry;
  const ptrdiff_t P = g->small_height, Q = g->small_width, width = 16 * columns.groups;
  const hg_strides apart = hg_small_strides(g);
  const ptrdiff_t most = HG_BLOCK / width;
  const bool copied = columns.count < width || (end - first >= FILTER_COPY && tile_crowded(most, apart.pixel));
  const bool whole = P * Q <= most || (HG_STREAMS && !copied);
  const ptrdiff_t some = run->ones ? 1 : HG_STREAMS && !copied ? run->samples : hg_max(1, most / (P * Q));
  const ptrdiff_t across = whole ? 1 : hg_ceil_div(Q, most), down = whole ? 1 : hg_ceil_div(P, hg_max(1, most / Q));
  const ptrdiff_t high = whole ? hg_ceil_div(run->samples, some) : run->samples;
  float panel[HG_BLOCK] __attribute__((aligned(64)));
  hg_filter_job job = *run;
  for (ptrdiff_t block = 0; block < high * down * across; block++) {
    const ptrdiff_t n = block / across / down, p = block / across % down, q = block % across;
    filter_block c = columns;
    c.n = (filter_span){hg_share(run->samples, n, high), hg_share(run->samples, n + 1, high)};
    c.p = (filter_span){hg_share(P, p, down), hg_share(P, p + 1, down)};
    c.q = (filter_span){hg_share(Q, q, across), hg_share(Q, q + 1, across)};
    c.b = run->dy + c.n.first * apart.sample + c.p.first * apart.row + c.q.first * apart.pixel + c.first;
    c.sample = apart.sample, c.line = apart.row, c.ldb = apart.pixel;
    if (copied) filter_panel(&c, panel, width);
    for (ptrdiff_t product = first / t.tiles; product * t.tiles < end; product++) {
      const filter_product f = filter_product_of(run, columns.group, product);
      filter_tiles(&job, &f, &c, t, hg_max(0, first - product * t.tiles), hg_min(t.tiles, end - product * t.tiles));
    }
    job.output.accumulate = true;
  }
}

/* Parts share the tiles of all columns and products; each fills the halo that it reads, unless that is there already,
 * which costs little beside the products. */
static void filter(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_filter_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = hg_small_group(g), products = job->halo ? 1 : g->filter_height * g->filter_width;
  const ptrdiff_t rows = filter_product_of(job, 0, 0).rows;
  ptrdiff_t tiles = 0;
  for (ptrdiff_t k = 0; k < K; k += TILE_PANEL)
    tiles += g->groups * products * filter_tiling(rows, tile_groups(K - k), products, parts).tiles;
  const ptrdiff_t first = hg_share(tiles, part, parts), end = hg_share(tiles, part + 1, parts);
  if (first == end) return;
  for (ptrdiff_t run = 0; run < job->runs; run++) {
    const hg_filter_job r = hg_filter_run_of(job, run, part);
    if (r.halo && !r.filled) filter_fill_halo(&r, 0, r.samples * r.halo_height);
    ptrdiff_t before = 0;
    for (ptrdiff_t group = 0; group < g->groups && before < end; group++)
      for (ptrdiff_t k = 0; k < K; k += TILE_PANEL) {
        const filter_block columns = {
            .group = group, .first = group * K + k, .count = hg_min(TILE_PANEL, K - k), .groups = tile_groups(K - k)};
        const tiling t = filter_tiling(rows, columns.groups, products, parts);
        const ptrdiff_t last = hg_min(products * t.tiles, end - before);
        for (ptrdiff_t tile = hg_max(0, first - before); tile < last; tile += FILTER_CHUNK)
          filter_run(&r, columns, t, tile, hg_min(last, tile + FILTER_CHUNK));
        before += products * t.tiles;
      }
  }
}

/* Whole column groups are chains of their own; up to four run side by side. */
INLINE void column_sums_block(const hg_column_sums_job *job, const int groups, ptrdiff_t column) {
  const hg_image *i = &job->image;
  const ptrdiff_t last = hg_min(16, i->channels - column - 16 * (groups - 1)), pixel = i->strides.pixel;
  v16 sum[4];
  UNROLL for (int j = 0; j < groups; j++) sum[j] =
      job->accumulate ? v16_load_part(job->out + column + 16 * j, j == groups - 1 ? last : 16) : v16_splat(0);
  for (ptrdiff_t row = 0; row < i->samples * i->height; row++) {
    const float *in = job->in + row / i->height * i->strides.sample + row % i->height * i->strides.row + column;
    if (last == 16)
      for (ptrdiff_t w = 0; w < i->width; w++, in += pixel)
        UNROLL for (int j = 0; j < groups; j++) sum[j] += v16_load(in + 16 * j);
    else
      for (ptrdiff_t w = 0; w < i->width; w++, in += pixel)
        UNROLL for (int j = 0; j < groups; j++) sum[j] +=
            j == groups - 1 ? v16_load_part(in + 16 * j, last) : v16_load(in + 16 * j);
  }
  UNROLL for (int j = 0; j < groups; j++)
      v16_store_part(job->out + column + 16 * j, sum[j], j == groups - 1 ? last : 16);
}

/* Whether pixels lie side by side. */
INLINE bool column_sums_packed(const hg_column_sums_job *job) {
  return job->image.strides.pixel == job->image.channels && job->image.samples * job->image.height == 1;
}

/* The pixels from number `first` on, `count` of them, side by side in `room`. */
static __attribute__((noinline)) void column_sums_collect(const hg_column_sums_job *job, ptrdiff_t first,
                                                          ptrdiff_t count, float *room) {
  const hg_image i = job->image;
  ptrdiff_t row = first / i.width, w = first % i.width;
  for (ptrdiff_t j = 0; j < count; row++, w = 0) {
    const float *in = job->in + row / i.height * i.strides.sample + row % i.height * i.strides.row;
    for (; j < count && w < i.width; j++, w++)
      for (ptrdiff_t c = 0; c < i.channels; c++) room[j * i.channels + c] = in[w * i.strides.pixel + c];
  }
}

/* columns < 16: lane i of sum[v] is partial sum 16 v + i, which belongs to column (16 v + i) mod columns. */
INLINE void column_sums_shared(const hg_column_sums_job *job, const ptrdiff_t columns) {
  const ptrdiff_t pixels = job->image.samples * job->image.height * job->image.width, whole = pixels / 16 * 16;
  float sums[16 * 16] = {0}, room[16 * 16];
  v16 sum[16];
  for (ptrdiff_t v = 0; v < columns; v++) sum[v] = v16_splat(0);
  const bool packed = column_sums_packed(job);
  const float *in = packed ? job->in : room;
  for (ptrdiff_t i = 0; i < whole; i += 16) {
    if (!packed) column_sums_collect(job, i, 16, room);
    for (ptrdiff_t v = 0; v < columns; v++) sum[v] += v16_load(in + 16 * v);
    if (packed) in += 16 * columns;
  }
  for (ptrdiff_t v = 0; v < columns; v++) v16_store(sums + 16 * v, sum[v]);
  if (!packed) column_sums_collect(job, whole, pixels - whole, room);
  for (ptrdiff_t e = 0; e < (pixels - whole) * columns; e++) sums[e] += in[e];
  /* Partial sums i and i + n of a column, n = 8, 4, 2, 1. */
  for (ptrdiff_t n = 8 * columns; n >= columns; n /= 2)
    for (ptrdiff_t i = 0; i < n; i++) sums[i] += sums[i + n];
  for (ptrdiff_t j = 0; j < columns; j++) job->out[j] = job->accumulate ? job->out[j] + sums[j] : sums[j];
}

/* Parts share the column groups; shared sums belong to the first part. */
static void column_sums(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_column_sums_job *job = argument;
  if (job->shared) {
    if (part != 0) return;
    switch (job->image.channels) {
      case 1:
        column_sums_shared(job, 1);
        break;
      case 2:
        column_sums_shared(job, 2);
        break;
      case 3:
        column_sums_shared(job, 3);
        break;
      default:
        column_sums_shared(job, job->image.channels);
    }
    return;
  }
  const ptrdiff_t groups = hg_ceil_div(job->image.channels, 16), end = hg_share(groups, part + 1, parts);
  for (ptrdiff_t group = hg_share(groups, part, parts); group < end;) {
    switch (hg_min(4, end - group)) {
      case 1:
        column_sums_block(job, 1, 16 * group);
        break;
      case 2:
        column_sums_block(job, 2, 16 * group);
        break;
      case 3:
        column_sums_block(job, 3, 16 * group);
        break;
      default:
        column_sums_block(job, 4, 16 * group);
    }
    group += hg_min(4, end - group);
  }
}
