/* Resampling: lanes are channels; each output is one chain over its taps, rows outside, columns inside. */

/* What one output position sums: taps [a0, a1) of the vertical and [b0, b1) of the horizontal axis; a row of the input
 * is `row` floats, a column C. */
typedef struct resample_taps {
  const hg_resampling_axis *vertical, *horizontal;
  ptrdiff_t a0, a1, b0, b1, row, C;
} resample_taps;

/* `groups` times 16 channels at x, or the first n of 16. */
INLINE void resample_channels(const resample_taps *t, const float *x, float *y, const int groups, ptrdiff_t n) {
  v16 sum[4];
  UNROLL for (int j = 0; j < groups; j++) sum[j] = v16_splat(0);
  for (ptrdiff_t a = t->a0; a < t->a1; a++) {
    const float *line = x + t->vertical->input[a] * t->row;
    const float weight = t->vertical->weight[a];
    for (ptrdiff_t b = t->b0; b < t->b1; b++) {
      const float *at = line + t->horizontal->input[b] * t->C;
      const v16 both = v16_splat(weight * t->horizontal->weight[b]);
      UNROLL for (int j = 0; j < groups; j++) sum[j] += v16_load_part(at + 16 * j, n) * both;
    }
  }
  UNROLL for (int j = 0; j < groups; j++) v16_store_part(y + 16 * j, sum[j], n);
}

/* All of few channels, of which vectors would be mostly empty. */
INLINE void resample_few(const resample_taps *t, const float *x, float *y, const int channels) {
  float sum[4] = {0};
  for (ptrdiff_t a = t->a0; a < t->a1; a++) {
    const float *line = x + t->vertical->input[a] * t->row;
    const float weight = t->vertical->weight[a];
    for (ptrdiff_t b = t->b0; b < t->b1; b++) {
      const float *at = line + t->horizontal->input[b] * t->C;
      const float both = weight * t->horizontal->weight[b];
      UNROLL for (int c = 0; c < channels; c++) sum[c] += at[c] * both;
    }
  }
  UNROLL for (int c = 0; c < channels; c++) y[c] = sum[c];
}

/* Whether an output is an input as it is; and how many from output q on are inputs that lie side by side. */
INLINE bool resample_is_copy(const hg_resampling_axis *axis, ptrdiff_t q) {
  return axis->start[q + 1] - axis->start[q] == 1 && axis->weight[axis->start[q]] == 1;
}
INLINE ptrdiff_t resample_run(const hg_resampling_axis *axis, ptrdiff_t q) {
  ptrdiff_t run = 0;
  while (q + run < axis->outputs && resample_is_copy(axis, q + run) &&
         axis->input[axis->start[q + run]] == axis->input[axis->start[q]] + run)
    run++;
  return run;
}

/* Parts share the rows of the outputs. */
static void resample(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_resample_job job = *(const hg_resample_job *)argument;
  const hg_resampling2d g = *job.geometry;
  const ptrdiff_t C = g.channels, P = g.vertical.outputs, Q = g.horizontal.outputs, row = g.horizontal.inputs * C;
  resample_taps t = {.vertical = &g.vertical, .horizontal = &g.horizontal, .row = row, .C = C};
  const ptrdiff_t end = hg_share(g.samples * P, part + 1, parts);
  for (ptrdiff_t i = hg_share(g.samples * P, part, parts); i < end; i++) {
    const float *x = job.x + i / P * g.vertical.inputs * row;
    float *y = job.y + i * Q * C;
    t.a0 = g.vertical.start[i % P], t.a1 = g.vertical.start[i % P + 1];
    const bool whole = resample_is_copy(&g.vertical, i % P);
    for (ptrdiff_t q = 0, run; q < Q; q += run, y += run * C) {
      run = whole ? resample_run(&g.horizontal, q) : 0;
      if (run > 0) {
        const ptrdiff_t at = g.horizontal.input[g.horizontal.start[q]] * C;
        __builtin_memcpy(y, x + g.vertical.input[t.a0] * row + at, (size_t)(run * C) * sizeof(float));
        continue;
      }
      run = 1;
      t.b0 = g.horizontal.start[q], t.b1 = g.horizontal.start[q + 1];
      ptrdiff_t c = 0;
      for (; c + 64 <= C; c += 64) resample_channels(&t, x + c, y + c, 4, 16);
      if (c + 32 <= C) resample_channels(&t, x + c, y + c, 2, 16), c += 32;
      if (c + 16 <= C) resample_channels(&t, x + c, y + c, 1, 16), c += 16;
      switch (C - c) {
        case 0:
          break;
        case 1:
          resample_few(&t, x + c, y + c, 1);
          break;
        case 2:
          resample_few(&t, x + c, y + c, 2);
          break;
        case 3:
          resample_few(&t, x + c, y + c, 3);
          break;
        case 4:
          resample_few(&t, x + c, y + c, 4);
          break;
        default:
          resample_channels(&t, x + c, y + c, 1, C - c);
      }
    }
  }
}
