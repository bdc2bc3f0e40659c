/* The filter form: gradients of filters and biases, sums over samples and small positions in order. */

/* out = count floats of `in`, or zeros where it is NULL. */
INLINE void filter_copy(float *out, const float *in, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i += 16) {
    const ptrdiff_t at = hg_max(0, hg_min(i, count - 16)); /* the last 16 again rather than a part of 16 */
    v16_store_part(out + at, in ? v16_load_part(in + at, count) : v16_splat(0), count);
  }
}

/* Copies the samples of a run into its halo and fills the ones. */
INLINE void filter_fill_halo(const hg_filter_job *job) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, row = job->halo_width * C, from = g->pad_left * C;
  const ptrdiff_t count = hg_min(g->large_width, job->halo_width - g->pad_left) * C, rows = job->halo_height;
  for (ptrdiff_t i = 0; i < job->samples * rows; i++) {
    const ptrdiff_t h = i % rows - g->pad_top;
    float *out = job->halo + i * row;
    filter_copy(out, NULL, row);
    if (h >= 0 && h < g->large_height)
      filter_copy(out + from, job->x + (i / rows * g->large_height + h) * g->large_width * C, count);
  }
  if (job->ones)
    for (ptrdiff_t i = 0; i < rows * row; i++) job->ones[i] = 1;
}

/* A run of the samples of a job, in the room of a part. */
INLINE hg_filter_job filter_run_of(const hg_filter_job *job, ptrdiff_t run, ptrdiff_t part) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t first = hg_share(job->samples, run, job->runs);
  hg_filter_job r = *job;
  r.samples = hg_share(job->samples, run + 1, job->runs) - first;
  r.x += first * g->large_height * g->large_width * g->large_channels;
  r.dy += first * g->small_height * g->small_width * g->small_channels;
  if (r.halo) r.halo += part * r.room;
  if (r.ones) r.ones += part * r.room;
  if (r.tail) r.tail += part * r.room;
  r.output.accumulate |= run > 0;
  return r;
}

/* Small positions [first, end) of an axis whose tap `tap` lies inside the large image. */
typedef struct filter_span {
  ptrdiff_t first, end;
} filter_span;

INLINE filter_span filter_span_of(ptrdiff_t small, ptrdiff_t large, ptrdiff_t stride, ptrdiff_t pad, ptrdiff_t tap) {
  const ptrdiff_t first = tap < pad ? hg_ceil_div(pad - tap, stride) : 0;
  const ptrdiff_t end = large + pad > tap ? hg_min(small, hg_ceil_div(large + pad - tap, stride)) : 0;
  return first < end ? (filter_span){first, end} : (filter_span){0, 0};
}

/* A block of columns of dy: in place, or the tail. */
typedef struct filter_columns {
  ptrdiff_t first, count, groups, ldb;
  const float *b;
} filter_columns;

INLINE filter_columns filter_columns_from(const hg_filter_job *job, ptrdiff_t first) {
  const ptrdiff_t K = job->geometry->small_channels, whole = K / 16 * 16;
  if (first == whole) return (filter_columns){first, K - whole, 1, 16, job->tail};
  const ptrdiff_t groups = tile_groups(whole - first);
  return (filter_columns){first, 16 * groups, groups, K, job->dy + first};
}

/* The product of one tap, or with a halo of all taps: rows i at `in` + i (C of them, or R S C and the ones), depth the
 * samples and the small positions p, q whose large positions lie `a2` and `a1` apart. */
typedef struct filter_product {
  ptrdiff_t rows, sample, a2, a1;
  filter_span p, q;
  const float *in;
  float *out;
} filter_product;

INLINE filter_product filter_product_of(const hg_filter_job *job, ptrdiff_t tap) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t C = g->large_channels, U = g->stride_vertical, V = g->stride_horizontal;
  if (job->halo) {
    const ptrdiff_t row = job->halo_width * C;
    return (filter_product){.rows = g->filter_height * g->filter_width * C + (job->ones != NULL),
                            .sample = job->halo_height * row,
                            .a2 = U * row,
                            .a1 = V * C,
                            .p = {0, job->halo_p},
                            .q = {0, job->halo_q},
                            .in = job->halo,
                            .out = job->output.out};
  }
  const ptrdiff_t r = tap / g->filter_width, s = tap % g->filter_width, row = g->large_width * C;
  const filter_span p = filter_span_of(g->small_height, g->large_height, U, g->pad_top, r);
  const filter_span q = filter_span_of(g->small_width, g->large_width, V, g->pad_left, s);
  const bool met = p.end && q.end;
  return (filter_product){
      .rows = C,
      .sample = g->large_height * row,
      .a2 = U * row,
      .a1 = V * C,
      .p = p,
      .q = q,
      .in = met ? job->x + (p.first * U + r - g->pad_top) * row + (q.first * V + s - g->pad_left) * C : job->x,
      .out = job->output.out + tap * C * g->small_channels};
}

/* Tiles [first, end) of a product with a block of columns. The ones are one sample long, so with them a tile goes from
 * sample to sample and accumulates. */
static void filter_tiles(const hg_filter_job *job, const filter_product *f, const filter_columns *c, tiling t,
                         ptrdiff_t first, ptrdiff_t end) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels, Q = g->small_width;
  const ptrdiff_t high = f->p.end - f->p.first, wide = f->q.end - f->q.first;
  const ptrdiff_t samples = job->ones ? 1 : job->samples;
  const tile_depth d = {.turns = 1,
                        .n3 = samples,
                        .a3 = f->sample,
                        .b3 = (g->small_height - high) * Q * c->ldb,
                        .n2 = wide ? high : 0,
                        .a2 = f->a2,
                        .b2 = (Q - wide) * c->ldb,
                        .n1 = wide,
                        .a1 = f->a1,
                        .ldb = c->ldb};
  const ptrdiff_t line = g->filter_width * g->large_channels; /* rows with a halo: (r, s c) */
  const float *b = c->b + (f->p.first * Q + f->q.first) * c->ldb;
  hg_output output = job->output;
  output.out = f->out + c->first;
  for (ptrdiff_t tile = first; tile < end; tile++) {
    const ptrdiff_t start = tiling_first(t, tile), rows = tiling_first(t, tile + 1) - start;
    const float *row[TILE_ROWS];
    ptrdiff_t offset[TILE_ROWS];
    for (ptrdiff_t i = 0; i < rows; i++) {
      const ptrdiff_t j = start + i;
      row[i] = f->in + (job->halo ? j / line * job->halo_width * g->large_channels + j % line : j);
      offset[i] = j * K;
    }
    const bool biased = job->ones && start + rows == f->rows;
    if (biased) offset[rows - 1] = ((intptr_t)job->dbias - (intptr_t)f->out) / (ptrdiff_t)sizeof(float);
    output.accumulate = job->output.accumulate;
    for (ptrdiff_t n = 0; n < job->samples; n += samples) {
      if (biased) row[rows - 1] = job->ones;
      tile_run(rows, c->groups, row, &d, b + n * g->small_height * Q * c->ldb, &output, offset, c->count);
      for (ptrdiff_t i = 0; i < rows; i++) row[i] += f->sample;
      output.accumulate = true;
    }
  }
}

/* The tiles of a product's rows; of a single product with few tiles as many as parts can share evenly. */
INLINE tiling filter_tiling(ptrdiff_t rows, ptrdiff_t groups, ptrdiff_t products, ptrdiff_t parts) {
  const tiling t = tiling_of(rows, groups);
  if (products > 1 || t.tiles >= 8 * parts) return t;
  const ptrdiff_t tiles = hg_min(rows, hg_ceil_div(t.tiles, parts) * parts);
  return (tiling){tiles, rows / tiles, rows % tiles};
}

/* Tiles of all products and column blocks. */
INLINE ptrdiff_t filter_tile_count(const hg_filter_job *job, ptrdiff_t rows, ptrdiff_t products, ptrdiff_t parts) {
  ptrdiff_t tiles = 0;
  for (ptrdiff_t k = 0; k < job->geometry->small_channels;) {
    const filter_columns c = filter_columns_from(job, k);
    tiles += filter_tiling(rows, c.groups, products, parts).tiles;
    k += c.count;
  }
  return products * tiles;
}

/* Parts share the tiles; each fills the halo and the tail that it reads, which costs little beside the products. */
static void filter(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_filter_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels, products = job->halo ? 1 : g->filter_height * g->filter_width;
  const ptrdiff_t rows = filter_product_of(job, 0).rows, tiles = filter_tile_count(job, rows, products, parts);
  const ptrdiff_t first = hg_share(tiles, part, parts), end = hg_share(tiles, part + 1, parts);
  if (first == end) return;
  for (ptrdiff_t run = 0; run < job->runs; run++) {
    const hg_filter_job r = filter_run_of(job, run, part);
    if (r.halo) filter_fill_halo(&r);
    if (r.tail) hg_pack_tail(r.samples * g->small_height * g->small_width, K, r.dy, r.tail, NULL);
    const ptrdiff_t each = tiles / products;
    for (ptrdiff_t product = first / each; product * each < end; product++) {
      const filter_product f = filter_product_of(&r, product);
      ptrdiff_t before = product * each;
      for (ptrdiff_t k = 0; k < K;) {
        const filter_columns c = filter_columns_from(&r, k);
        const tiling t = filter_tiling(rows, c.groups, products, parts);
        filter_tiles(&r, &f, &c, t, hg_max(0, first - before), hg_min(t.tiles, end - before));
        before += t.tiles;
        k += c.count;
      }
    }
  }
}

/* Whole column groups are chains of their own; up to four run side by side. */
INLINE void column_sums_block(const hg_column_sums_job *job, const int groups, ptrdiff_t column) {
  const ptrdiff_t last = hg_min(16, job->columns - column - 16 * (groups - 1));
  v16 sum[4];
  UNROLL for (int j = 0; j < groups; j++) sum[j] =
      job->accumulate ? v16_load_part(job->out + column + 16 * j, j == groups - 1 ? last : 16) : v16_splat(0);
  const float *in = job->in + column;
  if (last == 16)
    for (ptrdiff_t i = 0; i < job->rows; i++, in += job->columns)
      UNROLL for (int j = 0; j < groups; j++) sum[j] += v16_load(in + 16 * j);
  else
    for (ptrdiff_t i = 0; i < job->rows; i++, in += job->columns)
      UNROLL for (int j = 0; j < groups; j++) sum[j] +=
          j == groups - 1 ? v16_load_part(in + 16 * j, last) : v16_load(in + 16 * j);
  UNROLL for (int j = 0; j < groups; j++)
      v16_store_part(job->out + column + 16 * j, sum[j], j == groups - 1 ? last : 16);
}

/* columns < 16: lane i of sum[v] is partial sum 16 v + i, which belongs to column (16 v + i) mod columns. */
INLINE void column_sums_shared(const hg_column_sums_job *job, const ptrdiff_t columns) {
  const ptrdiff_t count = job->rows * columns, whole = job->rows / 16 * 16 * columns;
  float sums[16 * 16] = {0};
  v16 sum[16];
  for (ptrdiff_t v = 0; v < columns; v++) sum[v] = v16_splat(0);
  for (ptrdiff_t e = 0; e < whole; e += 16 * columns)
    for (ptrdiff_t v = 0; v < columns; v++) sum[v] += v16_load(job->in + e + 16 * v);
  for (ptrdiff_t v = 0; v < columns; v++) v16_store(sums + 16 * v, sum[v]);
  for (ptrdiff_t e = whole; e < count; e++) sums[e - whole] += job->in[e];
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
    switch (job->columns) {
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
        column_sums_shared(job, job->columns);
    }
    return;
  }
  const ptrdiff_t groups = hg_ceil_div(job->columns, 16), end = hg_share(groups, part + 1, parts);
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
