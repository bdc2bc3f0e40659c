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

/* 16 channels of one window, `n` of them real, at x (tap (r0, s0)); r and s count from there. S: taps of a full row. */
INLINE void pool_maximum(const float *x, ptrdiff_t high, ptrdiff_t wide, ptrdiff_t row, ptrdiff_t channels, ptrdiff_t n,
                         ptrdiff_t first, ptrdiff_t S, float *y, uint8_t *switches) {
  v16 best = v16_load_part(x, n);
  v16i at = (v16i){0} + (int32_t)first;
  for (ptrdiff_t r = 0; r < high; r++)
    for (ptrdiff_t s = 0; s < wide; s++) {
      const v16 v = v16_load_part(x + r * row + s * channels, n);
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

/* Parts share the rows of the small images. */
static void max_pool_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_max_pool_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels, row = g->large_width * K, S = g->filter_width;
  const ptrdiff_t rows = g->samples * g->small_height, end = hg_share(rows, part + 1, parts);
  for (ptrdiff_t i = hg_share(rows, part, parts); i < end; i++)
    for (ptrdiff_t q = 0; q < g->small_width; q++) {
      const pool_window w = pool_window_of(g, i % g->small_height, q);
      const ptrdiff_t high = w.r1 - w.r0, wide = w.s1 - w.s0, first = w.r0 * S + w.s0;
      const float *x = job->x + i / g->small_height * g->large_height * row + (w.h + w.r0) * row + (w.w + w.s0) * K;
      const ptrdiff_t at = (i * g->small_width + q) * K;
      for (ptrdiff_t k = 0; k < K; k += 16) {
        uint8_t *switches = job->switches ? job->switches + at + k : NULL;
        const ptrdiff_t n = hg_min(16, K - k);
        if (high == 2 && wide == 2 && n == 16)
          pool_maximum(x + k, 2, 2, row, K, 16, first, S, job->y + at + k, switches);
        else
          pool_maximum(x + k, high, wide, row, K, n, first, S, job->y + at + k, switches);
      }
    }
}

/* gate > 0 ? v : 0 for n channels, v where there is no gate. */
INLINE v16 pool_gate(const float *gate, v16 v, ptrdiff_t n) {
  return gate ? v16_select(v16_load_part(gate, n) > v16_splat(0), v, v16_splat(0)) : v;
}

/* 16 channels of one window: dy goes where the switch names, zero elsewhere. Windows that lie `apart` write their
 * places, gated; others add to them. */
INLINE void pool_scatter(const float *dy, const uint8_t *switches, ptrdiff_t high, ptrdiff_t wide, ptrdiff_t row,
                         ptrdiff_t channels, ptrdiff_t n, ptrdiff_t first, ptrdiff_t S, const bool apart,
                         const float *gate, float *dx) {
  typedef uint8_t v16b __attribute__((vector_size(16)));
  v16b bytes = {0};
  __builtin_memcpy(&bytes, switches, (size_t)n);
  const v16i at = __builtin_convertvector(bytes, v16i);
  const v16 v = v16_load_part(dy, n);
  for (ptrdiff_t r = 0; r < high; r++)
    for (ptrdiff_t s = 0; s < wide; s++) {
      const ptrdiff_t place = r * row + s * channels;
      const v16i here = at == (v16i){0} + (int32_t)(first + r * S + s);
      const v16 part = v16_select(here, v, v16_splat(0));
      v16_store_part(dx + place,
                     apart ? pool_gate(gate ? gate + place : NULL, part, n) : v16_load_part(dx + place, n) + part, n);
    }
}

/* Parts share the samples. */
static void max_pool_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_max_unpool_job *job = argument;
  const hg_geometry2d *g = job->geometry;
  const ptrdiff_t K = g->small_channels, row = g->large_width * K, S = g->filter_width;
  const ptrdiff_t count = g->large_height * row, end = hg_share(g->samples, part + 1, parts);
  const bool apart = g->stride_vertical >= g->filter_height && g->stride_horizontal >= S;
  for (ptrdiff_t n = hg_share(g->samples, part, parts); n < end; n++) {
    float *dx = job->output.out + n * count;
    const float *gate = job->output.gate ? job->output.gate + n * count : NULL;
    __builtin_memset(dx, 0, (size_t)count * sizeof(float));
    for (ptrdiff_t p = 0; p < g->small_height; p++)
      for (ptrdiff_t q = 0; q < g->small_width; q++) {
        const pool_window w = pool_window_of(g, p, q);
        const ptrdiff_t high = w.r1 - w.r0, wide = w.s1 - w.s0, first = w.r0 * S + w.s0;
        const ptrdiff_t at = ((n * g->small_height + p) * g->small_width + q) * K;
        const ptrdiff_t corner = (w.h + w.r0) * row + (w.w + w.s0) * K;
        for (ptrdiff_t k = 0; k < K; k += 16) {
          const ptrdiff_t real = hg_min(16, K - k);
          const float *dy = job->dy + at + k, *gates = gate ? gate + corner + k : NULL;
          const uint8_t *switches = job->switches + at + k;
          float *out = dx + corner + k;
          if (apart && high == 2 && wide == 2 && real == 16)
            pool_scatter(dy, switches, 2, 2, row, K, 16, first, S, true, gates, out);
          else if (apart)
            pool_scatter(dy, switches, high, wide, row, K, real, first, S, true, gates, out);
          else
            pool_scatter(dy, switches, high, wide, row, K, real, first, S, false, NULL, out);
        }
      }
    if (gate && !apart)
      for (ptrdiff_t i = 0; i < count; i += 16) {
        const ptrdiff_t real = hg_min(16, count - i);
        v16_store_part(dx + i, pool_gate(gate + i, v16_load_part(dx + i, real), real), real);
      }
  }
}
