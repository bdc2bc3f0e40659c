/* The gather and the filter form with few small channels (hg_in_dots): lanes are large channels, of which there are
 * enough, where columns of the tile would be mostly empty. */

/* Small positions, and taps of a row, that are summed side by side: as many chains as registers last for, to hide
 * latency. */
enum { DOT_POSITIONS = HG_LANES == 16 ? 8 : 4, DOT_TAPS = 4 };

/* sums[i] = v16_sum(sum[i]) for i < DOT_POSITIONS, four or eight trees side by side: each level adds the halves of what
 * is left of two registers. */
INLINE void dots_trees(const v16 *sum, float *sums) {
  v16 level[DOT_POSITIONS];
  UNROLL for (int i = 0; i < DOT_POSITIONS / 2; i++) {
    const v16 a = sum[2 * i], b = sum[2 * i + 1];
    level[i] = SHUFFLE(v16i, a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
               SHUFFLE(v16i, a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
  UNROLL for (int i = 0; i < DOT_POSITIONS / 4; i++) {
    const v16 a = level[2 * i], b = level[2 * i + 1];
    level[i] = SHUFFLE(v16i, a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
               SHUFFLE(v16i, a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  }
  /* Quarter q is position q of a; and of b, where there are eight, position 4 + q. */
  const v16 a = level[0], b = level[DOT_POSITIONS / 4 - 1];
  const v16 two = SHUFFLE(v16i, a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
                  SHUFFLE(v16i, a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  const v16 one = SHUFFLE(v16i, two, two, 0, 2, 0, 2, 4, 6, 4, 6, 8, 10, 8, 10, 12, 14, 12, 14) +
                  SHUFFLE(v16i, two, two, 1, 3, 1, 3, 5, 7, 5, 7, 9, 11, 9, 11, 13, 15, 13, 15);
  UNROLL for (int i = 0; i < DOT_POSITIONS; i++) sums[i] = one[i % 4 * 4 + i / 4];
}

/* Where sums over taps read: lines of taps [first, end) of a small row, `count` floats of each from `in` + r `line` and
 * from `filter` + r `lines`. Positions lie `step` apart. The `channels` of a tap lie `pixel` behind those before. */
typedef struct dots_taps {
  ptrdiff_t first, end, count, line, lines, step, channels, pixel;
  const float *in, *filter;
} dots_taps;

/* The 16 floats of a line from float j on; of `split` ones the pixels do not lie side by side. */
INLINE v16 dots_load(const dots_taps *d, const bool split, const float *line, ptrdiff_t j) {
  if (!split) return v16_load(line + j);
  const ptrdiff_t tap = j / d->channels, c = j % d->channels, n = hg_min(16, d->channels - c);
  const float *from = line + tap * d->pixel + c;
  if (n == 16) return v16_load(from);
  float lanes[16];
  for (ptrdiff_t i = 0; i < 16; i++) lanes[i] = from[i < n ? i : i + d->pixel - d->channels];
  return v16_load(lanes);
}

/* Outputs `to`, to + apart, ... of channel k at `positions` positions: each in 16 lanes, summed at the end. The last 16
 * of a line come without what came before. */
INLINE void dots_sum(const dots_taps *d, const int positions, const bool split, const hg_output *o, ptrdiff_t k,
                     ptrdiff_t to, ptrdiff_t apart) {
  const ptrdiff_t whole = d->count / 16 * 16;
  const v16i lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const v16i rest = lane >= (v16i){0} + (int32_t)(16 - (d->count - whole));
  v16 sum[DOT_POSITIONS];
  UNROLL for (int i = 0; i < positions; i++) sum[i] = v16_splat(0);
  for (ptrdiff_t r = d->first; r < d->end; r++) {
    const float *x = d->in + r * d->line, *w = d->filter + r * d->lines;
    for (ptrdiff_t j = 0; j < whole; j += 16) {
      const v16 weight = v16_load(w + j);
      UNROLL for (int i = 0; i < positions; i++) sum[i] += dots_load(d, split, x + i * d->step, j) * weight;
    }
    if (whole == d->count) continue;
    const v16 weight = v16_select(rest, v16_load(w + d->count - 16), v16_splat(0));
    UNROLL for (int i = 0; i < positions; i++) sum[i] +=
        v16_select(rest, dots_load(d, split, x + i * d->step, d->count - 16), v16_splat(0)) * weight;
  }
  float sums[DOT_POSITIONS];
  if (positions == DOT_POSITIONS)
    dots_trees(sum, sums);
  else
    UNROLL for (int i = 0; i < positions; i++) sums[i] = v16_sum(sum[i]);
  UNROLL for (int i = 0; i < positions; i++, to += apart) {
    float y = sums[i];
    if (o->bias) y += o->bias[k];
    if (o->relu) y = y < 0 ? 0 : y;
    if (o->gate) y = o->gate[to] > 0 ? y : 0;
    o->out[to] = y;
  }
}

#define DOTS_SUM(kind, positions, split)                                                                     \
  static __attribute__((noinline)) void dots_sum_##kind(const dots_taps *d, const hg_output *o, ptrdiff_t k, \
                                                        ptrdiff_t to, ptrdiff_t apart) {                     \
    dots_sum(d, positions, split, o, k, to, apart);                                                          \
  }
DOTS_SUM(one, 1, false)
DOTS_SUM(split_one, 1, true)
DOTS_SUM(block, DOT_POSITIONS, false)
DOTS_SUM(split_block, DOT_POSITIONS, true)

/* y[n, p, q, k] = sum over r and (s, c) of x[n, p U + r - pad, (q V + s - pad, c)] filter[r, k, (s, c)]; parts share
 * the rows of the small images. A block that would pass the end of a run of positions begins earlier. */
static void dots_gather(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_gather_job *job = argument;
  const hg_geometry2d g = *job->geometry;
  const hg_output o = job->output;
  const hg_axis vertical = hg_vertical_axis(&g), horizontal = hg_horizontal_axis(&g);
  const hg_strides from = hg_large_strides(&g), apart = hg_small_strides(&g);
  const ptrdiff_t C = g.large_channels, K = g.small_channels, lines = K * g.filter_width * C;
  const ptrdiff_t rows = g.samples * g.small_height, end = hg_share(rows, part + 1, parts);
  for (ptrdiff_t q = 0; q < g.small_width;) {
    const gather_run h = gather_run_from(&horizontal, q);
    q += h.count;
    for (ptrdiff_t i = hg_share(rows, part, parts); i < end; i++) {
      const ptrdiff_t n = i / g.small_height, p = i % g.small_height;
      const gather_run v = gather_taps(&vertical, p);
      const ptrdiff_t top = n * from.sample + (p * g.stride_vertical - g.pad_top) * from.row;
      const ptrdiff_t out = n * apart.sample + p * apart.row;
      for (ptrdiff_t j = 0; j < h.count;) {
        const ptrdiff_t positions = h.count < DOT_POSITIONS ? 1 : DOT_POSITIONS;
        const ptrdiff_t first = h.first + hg_min(j, h.count - positions);
        const ptrdiff_t left = first * g.stride_horizontal - g.pad_left + h.tap;
        for (ptrdiff_t k = 0; k < K; k++) {
          const dots_taps d = {.first = v.tap,
                               .end = v.tap + v.taps,
                               .count = h.taps * C,
                               .line = from.row,
                               .lines = lines,
                               .step = g.stride_horizontal * from.pixel,
                               .channels = C,
                               .pixel = from.pixel,
                               .in = job->in + (top + left * from.pixel),
                               .filter = job->filter + (k * g.filter_width + h.tap) * C};
          const ptrdiff_t to = out + first * apart.pixel + k;
          if (positions == 1 && from.pixel == C)
            dots_sum_one(&d, &o, k, to, apart.pixel);
          else if (positions == 1)
            dots_sum_split_one(&d, &o, k, to, apart.pixel);
          else if (from.pixel == C)
            dots_sum_block(&d, &o, k, to, apart.pixel);
          else
            dots_sum_split_block(&d, &o, k, to, apart.pixel);
        }
        j += positions;
      }
    }
  }
}

/* Channels c to c + 16, or the last 16, of `taps` taps (r, s), (r, s + 1), ...: for each small channel a sum over
 * samples and small positions in order. */
INLINE void dots_filter_taps(const hg_filter_job *job, ptrdiff_t r, ptrdiff_t s, ptrdiff_t c, const int taps) {
  const hg_geometry2d g = *job->geometry;
  const ptrdiff_t C = g.large_channels, K = g.small_channels, P = g.small_height, Q = g.small_width;
  const ptrdiff_t from = hg_min(c, C - 16), done = c - from; /* lanes that belong to the block before */
  const hg_strides from_x = hg_large_strides(&g), from_dy = hg_small_strides(&g);
  const ptrdiff_t step = g.stride_horizontal * from_x.pixel;
  const filter_span p = filter_span_of(P, g.large_height, g.stride_vertical, g.pad_top, r);
  filter_span q[DOT_TAPS];
  ptrdiff_t first = 0, end = Q; /* positions that all the taps have */
  for (int t = 0; t < taps; t++) {
    q[t] = filter_span_of(Q, g.large_width, g.stride_horizontal, g.pad_left, s + t);
    first = hg_max(first, q[t].first);
    end = hg_min(end, q[t].end);
  }
  for (ptrdiff_t k = 0; k < K; k++) {
    float *out = job->output.out + ((r * g.filter_width + s) * C + from) * K + k;
    v16 sum[DOT_TAPS];
    for (int t = 0; t < taps; t++) {
      float lanes[16] = {0};
      if (job->output.accumulate)
        for (ptrdiff_t j = done; j < 16; j++) lanes[j] = out[(t * C + j) * K];
      sum[t] = v16_load(lanes);
    }
    for (ptrdiff_t i = 0; i < job->samples; i++)
      for (ptrdiff_t row = p.first; row < p.end; row++) {
        const ptrdiff_t top = i * from_x.sample + (row * g.stride_vertical + r - g.pad_top) * from_x.row;
        const ptrdiff_t at = top + (s - g.pad_left) * from_x.pixel + from;
        const float *dy = job->dy + (i * from_dy.sample + row * from_dy.row + k);
        for (ptrdiff_t j = 0; j < Q; j++) {
          const float *x = job->x + (at + j * step);
          const v16 error = v16_splat(dy[j * from_dy.pixel]);
          const bool all = j >= first && j < end;
          for (int t = 0; t < taps; t++)
            if (all || (j >= q[t].first && j < q[t].end)) sum[t] += v16_load(x + t * from_x.pixel) * error;
        }
      }
    for (int t = 0; t < taps; t++) {
      float lanes[16];
      v16_store(lanes, sum[t]);
      for (ptrdiff_t j = done; j < 16; j++) out[(t * C + j) * K] = lanes[j];
    }
  }
}

/* dw[r, s, c, k] = sum over n, p, q of x[n, p U + r - pad, q V + s - pad, c] dy[n, p, q, k]; parts share the blocks of
 * taps and channels. */
static void dots_filter(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_filter_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t channels = hg_ceil_div(g->large_channels, 16), across = hg_ceil_div(g->filter_width, DOT_TAPS);
  const ptrdiff_t blocks = g->filter_height * across * channels, end = hg_share(blocks, part + 1, parts);
  for (ptrdiff_t run = 0; run < job->runs; run++) {
    const hg_filter_job now = hg_filter_run_of(job, run, part);
    for (ptrdiff_t i = hg_share(blocks, part, parts); i < end; i++) {
      const ptrdiff_t c = i % channels * 16, s = i / channels % across * DOT_TAPS, r = i / channels / across;
      switch (hg_min(DOT_TAPS, g->filter_width - s)) {
        case 1:
          dots_filter_taps(&now, r, s, c, 1);
          break;
        case 2:
          dots_filter_taps(&now, r, s, c, 2);
          break;
        case 3:
          dots_filter_taps(&now, r, s, c, 3);
          break;
        default:
          dots_filter_taps(&now, r, s, c, 4);
      }
    }
  }
}
