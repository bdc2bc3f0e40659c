/* Max-pooling over channels. */

/* The part of window (p, q) inside the large image: taps [r0, r1) x [s0, s1), tap (0, 0) at large (h, w). */
typedef struct pool_window {
  ptrdiff_t h, w, r0, r1, s0, s1;
} pool_window;

INLINE pool_window pool_window_of(const hg_geometry2d *g, ptrdiff_t p, ptrdiff_t q) {
  const ptrdiff_t h = p * g->stride_vertical - g->pad_top, w = q * g->stride_horizontal - g->pad_left;
  return (pool_window){h,
                       w,
                       hg_max(0, -h),
                       hg_min(g->filter_height, g->large_height - h),
                       hg_max(0, -w),
                       hg_min(g->filter_width, g->large_width - w)};
}

/* Where the run of windows ends that see the same columns as window q, whose taps are w. */
INLINE ptrdiff_t pool_run_end(const hg_geometry2d *g, ptrdiff_t q, const pool_window *w) {
  if (w->s1 - w->s0 < g->filter_width) return q + 1;
  return hg_min(g->small_width, (g->large_width + g->pad_left - g->filter_width) / g->stride_horizontal + 1);
}

/* 16 channels of one window, `n` of them real, at x (tap (r0, s0)); r and s count from there. S: taps of a full row. */
INLINE void pool_maximum(const float *x, ptrdiff_t high, ptrdiff_t wide, ptrdiff_t row, ptrdiff_t pixel, ptrdiff_t n,
                         ptrdiff_t first, ptrdiff_t S, float *y, uint8_t *switches) {
  v16 best = v16_load_part(x, n);
  v16i at = (v16i){0} + (int32_t)first;
  for (ptrdiff_t r = 0; r < high; r++)
    for (ptrdiff_t s = 0; s < wide; s++) {
      const v16 v = v16_load_part(x + r * row + s * pixel, n);
      const v16i larger = ~(v <= best) & (best == best); /* true where v is NaN and best is not */
      best = v16_select(larger, v, best);
      at = (larger & ((v16i){0} + (int32_t)(first + r * S + s))) | (~larger & at);
    }
  v16_store_part(y, best, n);
  if (switches) {
    typedef uint8_t v16b __attribute__((vector_size(16)));
    const v16b bytes = __builtin_convertvector(at, v16b);
    __builtin_memcpy(switches, &bytes, (size_t)n);
  }
}

/* Windows [q0, q1) of row i of the small images, all with the taps of w, `high` x `wide`. */
INLINE void pool_run_maxima(const hg_max_pool_job *job, const hg_geometry2d *g, ptrdiff_t i, ptrdiff_t q0, ptrdiff_t q1,
                            const pool_window *w, ptrdiff_t high, ptrdiff_t wide) {
  const ptrdiff_t K = g->small_channels, S = g->filter_width, first = w->r0 * S + w->s0;
  const ptrdiff_t n = i / g->small_height, p = i % g->small_height;
  const hg_strides from = hg_large_strides(g), to = hg_small_strides(g);
  const float *x = job->x + n * from.sample + (w->h + w->r0) * from.row + (w->w + w->s0) * from.pixel;
  float *y = job->y + n * to.sample + p * to.row + q0 * to.pixel;
  const ptrdiff_t step = g->stride_horizontal * from.pixel;
  uint8_t *switches = job->switches ? job->switches + (i * g->small_width + q0) * K : NULL;
  for (ptrdiff_t q = q0; q < q1; q++, x += step, y += to.pixel) {
    ptrdiff_t k = 0;
    for (; k + 16 <= K; k += 16)
      pool_maximum(x + k, high, wide, from.row, from.pixel, 16, first, S, y + k, switches ? switches + k : NULL);
    if (k < K)
      pool_maximum(x + k, high, wide, from.row, from.pixel, K - k, first, S, y + k, switches ? switches + k : NULL);
    if (switches) switches += K;
  }
}

/* Parts share the rows of the small images. The job is copied, because stores of vectors and bytes might alias it. */
static void max_pool_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_max_pool_job job = *(const hg_max_pool_job *)argument;
  const hg_geometry2d g = *job.geometry;
  const ptrdiff_t rows = g.samples * g.small_height, end = hg_share(rows, part + 1, parts);
  for (ptrdiff_t i = hg_share(rows, part, parts); i < end; i++)
    for (ptrdiff_t q = 0, next; q < g.small_width; q = next) {
      const pool_window w = pool_window_of(&g, i % g.small_height, q);
      const ptrdiff_t high = w.r1 - w.r0, wide = w.s1 - w.s0;
      next = pool_run_end(&g, q, &w);
      if (high == 2 && wide == 2)
        pool_run_maxima(&job, &g, i, q, next, &w, 2, 2);
      else
        pool_run_maxima(&job, &g, i, q, next, &w, high, wide);
    }
}

/* 16 channels of one window, `n` of them real: v goes where the switch names. Windows that lie `apart` write their
 * places, zero elsewhere; others add to them. */
INLINE void pool_scatter(v16 v, const uint8_t *switches, ptrdiff_t high, ptrdiff_t wide, ptrdiff_t row, ptrdiff_t pixel,
                         ptrdiff_t n, ptrdiff_t first, ptrdiff_t S, const bool apart, float *dx) {
  typedef uint8_t v16b __attribute__((vector_size(16)));
  v16b bytes = {0};
  __builtin_memcpy(&bytes, switches, (size_t)n);
  const v16i at = __builtin_convertvector(bytes, v16i);
  for (ptrdiff_t r = 0; r < high; r++)
    for (ptrdiff_t s = 0; s < wide; s++) {
      float *place = dx + r * row + s * pixel;
      const v16i here = at == (v16i){0} + (int32_t)(first + r * S + s);
      const v16 part = v16_select(here, v, v16_splat(0));
      v16_store_part(place, apart ? part : v16_load_part(place, n) + part, n);
    }
}

/* Windows [q0, q1) of row i of the small images, all with the taps of w, `high` x `wide`. */
INLINE void pool_run_errors(const hg_max_unpool_job *job, const hg_geometry2d *g, ptrdiff_t i, ptrdiff_t q0,
                            ptrdiff_t q1, const pool_window *w, ptrdiff_t high, ptrdiff_t wide, const bool apart) {
  const ptrdiff_t K = g->small_channels, S = g->filter_width, first = w->r0 * S + w->s0;
  const ptrdiff_t n = i / g->small_height, p = i % g->small_height;
  const hg_strides from = hg_small_strides(g), to = hg_large_strides(g);
  float *dx = job->dx + n * to.sample + (w->h + w->r0) * to.row + (w->w + w->s0) * to.pixel;
  const ptrdiff_t step = g->stride_horizontal * to.pixel;
  ptrdiff_t at = n * from.sample + p * from.row + q0 * from.pixel;
  const uint8_t *switches = job->switches + (i * g->small_width + q0) * K;
  for (ptrdiff_t q = q0; q < q1; q++, dx += step, at += from.pixel, switches += K)
    for (ptrdiff_t k = 0; k < K; k += 16) {
      const ptrdiff_t real = hg_min(16, K - k);
      v16 v = v16_load_part(job->dy + at + k, real);
      if (job->activation != HG_ACTIVATION_LINEAR)
        v = v16_gate(job->activation, v16_load_part(job->y + at + k, real), v);
      if (real == 16)
        pool_scatter(v, switches + k, high, wide, to.row, to.pixel, 16, first, S, apart, dx + k);
      else
        pool_scatter(v, switches + k, high, wide, to.row, to.pixel, real, first, S, apart, dx + k);
    }
}

/* Zeros in `rows` rows of a large image. */
INLINE void pool_clear(const hg_geometry2d *g, float *dx, ptrdiff_t rows) {
  const ptrdiff_t K = g->large_channels, row = g->large_row_stride, pixel = g->large_pixel_stride;
  const bool packed = pixel == K; /* rows, or also all of them */
  const ptrdiff_t lines = packed && row == g->large_width * K ? 1 : rows, pixels = packed ? 1 : g->large_width;
  const ptrdiff_t count = rows / lines * g->large_width / pixels * K;
  for (ptrdiff_t i = 0; i < lines; i++)
    for (ptrdiff_t w = 0; w < pixels; w++) __builtin_memset(dx + i * row + w * pixel, 0, (size_t)count * sizeof(float));
}

/* Parts share bands of rows of the large images: those from one row of windows to the next where windows lie apart,
 * else whole images. */
static void max_pool_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_max_unpool_job job = *(const hg_max_unpool_job *)argument;
  const hg_geometry2d g = *job.geometry;
  const ptrdiff_t P = g.small_height, Q = g.small_width, S = g.filter_width;
  const ptrdiff_t U = g.stride_vertical, V = g.stride_horizontal;
  const bool apart = U >= g.filter_height && V >= S;
  const bool tiled =
      U == g.filter_height && V == S && P * U - g.pad_top >= g.large_height && Q * V - g.pad_left >= g.large_width;
  const ptrdiff_t bands = apart ? P : 1, end = hg_share(g.samples * bands, part + 1, parts);
  for (ptrdiff_t i = hg_share(g.samples * bands, part, parts); i < end; i++) {
    const ptrdiff_t n = i / bands, band = i % bands;
    const ptrdiff_t top = band ? band * U - g.pad_top : 0;
    const ptrdiff_t bottom = band + 1 < bands ? (band + 1) * U - g.pad_top : g.large_height;
    const hg_strides to = hg_large_strides(&g);
    if (!tiled) pool_clear(&g, job.dx + n * to.sample + top * to.row, bottom - top);
    for (ptrdiff_t p = band; p < (apart ? band + 1 : P); p++)
      for (ptrdiff_t q = 0, next; q < Q; q = next) {
        const pool_window w = pool_window_of(&g, p, q);
        const ptrdiff_t high = w.r1 - w.r0, wide = w.s1 - w.s0;
        next = pool_run_end(&g, q, &w);
        if (apart && high == 2 && wide == 2)
          pool_run_errors(&job, &g, n * P + p, q, next, &w, 2, 2, true);
        else if (apart)
          pool_run_errors(&job, &g, n * P + p, q, next, &w, high, wide, true);
        else
          pool_run_errors(&job, &g, n * P + p, q, next, &w, high, wide, false);
      }
  }
}
