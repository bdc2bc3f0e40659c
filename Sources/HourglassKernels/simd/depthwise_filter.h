/* The depthwise form's filter gradient. */

/* Sums of `rows` rows of `taps` taps: at `sums`, `down` and `right` apart there, at x[row] and `tap` apart in the
 * input. Positions: lines of them, dy_line and x_line apart, of `count` positions, `columns` and `step` apart. bias:
 * the sum of dy, or NULL. */
typedef struct depthwise_sums {
  float *sums, *bias;
  ptrdiff_t down, right, tap, lines, dy_line, x_line, count, columns, step;
  const float *x[3], *dy;
} depthwise_sums;

INLINE void depthwise_add(const int rows, const int taps, const depthwise_sums *d) {
  vec sum[3][5], bias = d->bias ? vec_load(d->bias) : vec_splat(0);
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int s = 0; s < taps; s++) sum[r][s] =
      vec_load(d->sums + r * d->down + s * d->right);
  const ptrdiff_t tap = d->tap, columns = d->columns, step = d->step;
  for (ptrdiff_t line = 0; line < d->lines; line++) {
    const float *dy = d->dy + line * d->dy_line, *x[3];
    UNROLL for (int r = 0; r < rows; r++) x[r] = d->x[r] + line * d->x_line;
    for (ptrdiff_t q = d->count; q > 0; q--, dy += columns) {
      const vec error = vec_load(dy);
      bias += error;
      UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int s = 0; s < taps; s++) sum[r][s] += vec_load(x[r] + s * tap) * error;
        x[r] += step;
      }
    }
  }
  UNROLL for (int r = 0; r < rows; r++) UNROLL for (int s = 0; s < taps; s++)
      vec_store(d->sums + r * d->down + s * d->right, sum[r][s]);
  if (d->bias) vec_store(d->bias, bias);
}

#define DEPTHWISE_ADD(rows, taps)                                                                \
  static __attribute__((noinline)) void depthwise_add_##rows##x##taps(const depthwise_sums *d) { \
    depthwise_add(rows, taps, d);                                                                \
  }
#define DEPTHWISE_ADD_NAME(rows, taps) [rows][taps] = depthwise_add_##rows##x##taps,
#define DEPTHWISE_ADDS(X) \
  X(1, 0) X(1, 1) X(2, 1) X(3, 1) X(1, 2) X(2, 2) X(3, 2) X(1, 3) X(2, 3) X(3, 3) X(1, 4) X(2, 4) X(1, 5) X(2, 5)
DEPTHWISE_ADDS(DEPTHWISE_ADD)
static void (*const depthwise_adds[4][6])(const depthwise_sums *) = {DEPTHWISE_ADDS(DEPTHWISE_ADD_NAME)};

/* Rows [r, end) of taps of a vector of lanes, of the positions whose tap r = 0 meets row `top` of x; those of `across`
 * meet taps. */
static void depthwise_add_taps(const hg_geometry2d *g, const hg_depthwise_shape *s, depthwise_sums d, ptrdiff_t r,
                               ptrdiff_t end, ptrdiff_t top, const depthwise_axis *across, const float *x) {
  const ptrdiff_t S = g->filter_width, taps = hg_ceil_div(S, hg_ceil_div(S, 5)), most = taps > 3 ? 2 : 3;
  float *const sums = d.sums;
  if (d.bias && (r >= end || across->end - across->met < d.count)) { /* rare: the bias alone, of all positions */
    d.x[0] = x;                                                      /* of which nothing is read */
    depthwise_adds[1][0](&d);
    d.bias = NULL;
  }
  d.count = across->end - across->met;
  d.dy += across->met * d.columns;
  for (; r < end; r += most)
    for (ptrdiff_t i = 0; i < S; i += taps)
      for (ptrdiff_t a = 0; a < s->ins; a++) {
        const ptrdiff_t rows = hg_min(most, end - r), count = hg_min(taps, S - i);
        const ptrdiff_t left = s->left + across->met * g->stride_horizontal + i * g->dilation_horizontal - g->pad_left;
        for (ptrdiff_t j = 0; j < rows; j++)
          d.x[j] = x + ((top + (r + j) * g->dilation_vertical) % s->ring * s->row + (left * s->ins + a) * s->chunk);
        d.sums = sums + ((r * S + i) * s->ins + a) * HG_LANES;
        depthwise_adds[rows][count](&d);
        d.bias = NULL;
      }
}

/* The part's share of the sums: vectors of lanes, or where these are few pieces of one, its rows of taps. */
typedef struct depthwise_share {
  ptrdiff_t first, end, pieces;
} depthwise_share;

/* The first channel of a vector; the last begins earlier where it would not be whole. */
INLINE ptrdiff_t depthwise_vector(ptrdiff_t columns, ptrdiff_t vector) {
  return columns >= 16 ? hg_min(vector * HG_LANES, columns - HG_LANES) : vector * HG_LANES;
}

/* The sums of the share from the gradients or to them. Lanes that the vector before has are left out. */
static void depthwise_move(const hg_depthwise_filter_job *job, depthwise_share share, bool out) {
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels, line = g->filter_width * hg_large_group(g), count = g->filter_height * line;
  const ptrdiff_t piece = count / share.pieces;
  for (ptrdiff_t i = share.first; i < share.end; i++) {
    const ptrdiff_t vector = i / share.pieces, first = i % share.pieces * piece, k = depthwise_vector(K, vector);
    const bool bias = first == 0 && job->dbias;
    for (ptrdiff_t l = first; l < first + piece + bias; l++) {
      const bool is_bias = l == first + piece;
      float *sums = job->sums + (vector * (count + 1) + (is_bias ? count : l)) * HG_LANES;
      float *to = (is_bias ? job->dbias : job->dfilter + l * K) + k;
      for (ptrdiff_t j = 0; j < HG_LANES; j++) {
        const bool own = k + j >= vector * HG_LANES && k + j < K;
        if (!out)
          sums[j] = own && job->accumulate ? to[j] : 0;
        else if (own)
          to[j] = sums[j];
      }
    }
  }
}

/* Rows [p, end) of small positions of sample n, for the sums [first, end) of a share, which are those of a chunk. */
static void depthwise_filter_rows(const hg_depthwise_filter_job *job, const hg_depthwise_shape *s,
                                  depthwise_share share, ptrdiff_t n, ptrdiff_t p, ptrdiff_t end, float *ring) {
  const hg_geometry2d *g = job->geometry;
  const hg_axis vertical = hg_vertical_axis(g), horizontal = hg_horizontal_axis(g);
  const depthwise_axis across = depthwise_axis_of(&horizontal, false, 0);
  const ptrdiff_t K = g->small_channels, Q = g->small_width;
  const ptrdiff_t line = g->filter_width * s->ins, count = g->filter_height * line, pixel = s->ins * s->chunk;
  const hg_strides from_x = hg_large_strides(g), from_dy = hg_small_strides(g);
  const ptrdiff_t piece = g->filter_height / share.pieces;
  const ptrdiff_t k = depthwise_chunk(K, depthwise_vector(K, share.first / share.pieces));
  const ptrdiff_t last_k = depthwise_vector(K, (share.end - 1) / share.pieces) + HG_LANES;
  const float *x = job->x + n * from_x.sample;
  const hg_depthwise_shape as_errors = {.ins = 1, .outs = 1, .columns = K, .chunk = s->chunk};
  float *errors = ring + s->ring * s->row;
  for (ptrdiff_t ready = 0; p < end;) {
    const gather_run run = gather_taps(&vertical, p);
    ptrdiff_t lines = 1;
    if (s->ring == g->large_height) /* lines that meet the same taps */
      while (p + lines < end) {
        const gather_run next = gather_taps(&vertical, p + lines);
        if (next.tap != run.tap || next.taps != run.taps) break;
        lines++;
      }
    const ptrdiff_t top = p * g->stride_vertical - g->pad_top;
    const ptrdiff_t last = top + (lines - 1) * g->stride_vertical + (run.tap + run.taps - 1) * g->dilation_vertical;
    for (ready = hg_max(ready, last - s->ring + 1); run.taps && ready <= last; ready++)
      depthwise_copy(s, k, hg_min(K, last_k) - k, x + ready * from_x.row, g->large_width, &from_x,
                     ring + ready % s->ring * s->row);
    for (ptrdiff_t l = 0; l < lines; l++)
      depthwise_copy(&as_errors, k, hg_min(K, last_k) - k, job->dy + (n * from_dy.sample + (p + l) * from_dy.row), Q,
                     &from_dy, errors + l * Q * s->chunk);
    for (ptrdiff_t i = share.first; i < share.end;) {
      const ptrdiff_t vector = i / share.pieces, next = hg_min(share.end, (vector + 1) * share.pieces);
      const ptrdiff_t from = depthwise_vector(K, vector), first = i - vector * share.pieces;
      float *sums = job->sums + vector * (count + 1) * HG_LANES;
      const depthwise_sums d = {.sums = sums,
                                .bias = job->dbias && first == 0 ? sums + count * HG_LANES : NULL,
                                .down = line * HG_LANES,
                                .right = s->ins * HG_LANES,
                                .tap = g->dilation_horizontal * pixel,
                                .lines = lines,
                                .dy_line = Q * s->chunk,
                                .x_line = g->stride_vertical * s->row,
                                .count = Q,
                                .columns = s->chunk,
                                .step = g->stride_horizontal * pixel,
                                .dy = errors + (from - k)};
      depthwise_add_taps(g, s, d, hg_max(run.tap, first * piece),
                         hg_min(run.tap + run.taps, (first + next - i) * piece), top, &across, ring + (from - k));
      i = next;
    }
    p += lines;
  }
}

static void depthwise_filter(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_depthwise_filter_job *job = argument;
  parts = hg_min(parts, job->rooms);
  if (part >= parts) return;
  const hg_geometry2d *g = job->geometry;
  const hg_depthwise_shape s = hg_depthwise_shape_of(g, false, true);
  const ptrdiff_t P = g->small_height, vectors = hg_ceil_div(g->small_channels, HG_LANES);
  const ptrdiff_t pieces = vectors % parts && vectors < 4 * parts ? g->filter_height : 1;
  const depthwise_share share = {hg_share(vectors * pieces, part, parts), hg_share(vectors * pieces, part + 1, parts),
                                 pieces};
  const ptrdiff_t band = hg_max(1, HG_DEPTHWISE_BAND * parts / (hg_sample_count(g) / P + 1));
  const ptrdiff_t chunk = hg_max(1, s.chunk / HG_LANES) * pieces;
  float *ring = job->rows + part * hg_depthwise_rows(g, &s);
  __builtin_memset(ring, 0, (size_t)(s.ring * s.row) * sizeof(float));
  depthwise_move(job, share, false);
  for (ptrdiff_t n = 0; n < g->samples; n++)
    for (ptrdiff_t p = 0; p < P; p += band)
      for (ptrdiff_t i = share.first; i < share.end;) {
        const ptrdiff_t next = hg_min(share.end, (i / chunk + 1) * chunk);
        depthwise_filter_rows(job, &s, (depthwise_share){i, next, pieces}, n, p, hg_min(P, p + band), ring);
        i = next;
      }
  depthwise_move(job, share, true);
}
