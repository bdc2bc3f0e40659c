/* The sum over boxes times a scale, and its adjoint, the repetition: 16 channels of a small position at a time, and the
 * U x V large ones that they meet. Parts share the rows of the small images. */

INLINE void for_each_upsampled(const hg_upsample_job *job, ptrdiff_t part, ptrdiff_t parts,
                               void (*body)(const hg_upsample_job *, float scale, ptrdiff_t small, ptrdiff_t large,
                                            ptrdiff_t n)) {
  const hg_geometry2d *g = job->geometry;
  const float scale = job->means ? 1.0f / (float)(g->stride_vertical * g->stride_horizontal) : 1.0f;
  const ptrdiff_t K = g->small_channels, Q = g->small_width, P = g->small_height;
  const hg_strides at_small = hg_small_strides(g), at_large = hg_large_strides(g);
  const ptrdiff_t rows = g->samples * g->small_height, end = hg_share(rows, part + 1, parts);
  for (ptrdiff_t i = hg_share(rows, part, parts); i < end; i++) {
    const ptrdiff_t n = i / P, p = i % P;
    ptrdiff_t small = n * at_small.sample + p * at_small.row;
    ptrdiff_t large = n * at_large.sample + p * g->stride_vertical * at_large.row;
    for (ptrdiff_t q = 0; q < Q; q++, small += at_small.pixel, large += g->stride_horizontal * at_large.pixel) {
      ptrdiff_t k = 0;
      for (; k + 16 <= K; k += 16) body(job, scale, small + k, large + k, 16);
      if (k < K) body(job, scale, small + k, large + k, K - k);
    }
  }
}

INLINE void upsample_forward_part(const hg_upsample_job *job, float scale, ptrdiff_t small, ptrdiff_t large,
                                  ptrdiff_t n) {
  const hg_geometry2d *g = job->geometry;
  const v16 y = v16_load_part(job->in + small, n) * v16_splat(scale);
  for (ptrdiff_t r = 0; r < g->stride_vertical; r++)
    for (ptrdiff_t s = 0; s < g->stride_horizontal; s++)
      v16_store_part(job->out + large + r * g->large_row_stride + s * g->large_pixel_stride, y, n);
}

INLINE void upsample_backward_part(const hg_upsample_job *job, float scale, ptrdiff_t small, ptrdiff_t large,
                                   ptrdiff_t n) {
  const hg_geometry2d *g = job->geometry;
  v16 sum = v16_splat(0);
  for (ptrdiff_t r = 0; r < g->stride_vertical; r++)
    for (ptrdiff_t s = 0; s < g->stride_horizontal; s++)
      sum += v16_load_part(job->in + large + r * g->large_row_stride + s * g->large_pixel_stride, n);
  v16_store_part(job->out + small, sum * v16_splat(scale), n);
}

static void upsample_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  for_each_upsampled(argument, part, parts, upsample_forward_part);
}

static void upsample_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  for_each_upsampled(argument, part, parts, upsample_backward_part);
}
