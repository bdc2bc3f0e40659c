/* Part of fuzz.c: images that lie in memory with strides. */

/* Strides of an image, mostly those of a dense one or with pixels, rows and samples apart; now and then too near or too
 * far. */
static void draw_strides(bytes *b, const ptrdiff_t extents[3], ptrdiff_t *sample, ptrdiff_t *row, ptrdiff_t *pixel) {
  const unsigned kind = next(b);
  if (kind == 255) *sample = extent(b, 99), *row = extent(b, 99), *pixel = extent(b, 99);
  for (int i = 0; i < 3; i++)
    if (extents[i] < 1 || extents[i] > 1000) return;
  if (kind < 128 || kind == 255) return;
  const ptrdiff_t height = extents[0], width = extents[1], channels = extents[2];
  if (kind & 1) *pixel = channels + next(b) % 20;
  const ptrdiff_t apart = *pixel ? *pixel : channels, pixels = (width - 1) * apart + channels;
  if (kind & 2) *row = pixels + next(b) % 40 - (next(b) == 255);
  if (kind & 4) *sample = (height - 1) * (*row ? *row : width * apart) + pixels + next(b) % 60 - (next(b) == 255);
}
static void set_strides(bytes *b, hg_geometry2d *g) {
  if (g->size != sizeof *g) return;
  const ptrdiff_t large[] = {g->large_height, g->large_width, g->large_channels};
  const ptrdiff_t small[] = {g->small_height, g->small_width, g->small_channels};
  draw_strides(b, large, &g->large_sample_stride, &g->large_row_stride, &g->large_pixel_stride);
  draw_strides(b, small, &g->small_sample_stride, &g->small_row_stride, &g->small_pixel_stride);
}

/* Floats from the first element of an image of N samples to the last. */
static ptrdiff_t span(ptrdiff_t N, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, ptrdiff_t sample,
                      ptrdiff_t row, ptrdiff_t pixel) {
  if (pixel == 0) pixel = channels;
  if (row == 0) row = width * pixel;
  if (sample == 0) sample = height * row;
  return N ? (N - 1) * sample + (height - 1) * row + (width - 1) * pixel + channels : 0;
}
static ptrdiff_t large_span(const hg_geometry2d *g) {
  return span(g->samples, g->large_height, g->large_width, g->large_channels, g->large_sample_stride,
              g->large_row_stride, g->large_pixel_stride);
}
static ptrdiff_t small_span(const hg_geometry2d *g) {
  return span(g->samples, g->small_height, g->small_width, g->small_channels, g->small_sample_stride,
              g->small_row_stride, g->small_pixel_stride);
}

/* An output once more for the definition: what lies between elements is alike in both if nobody writes there. */
static float *same(ptrdiff_t count, const float *x) {
  float *copy = malloc((size_t)count * sizeof(float) + (count == 0));
  if (!copy) abort();
  return memcpy(copy, x, (size_t)count * sizeof(float));
}
