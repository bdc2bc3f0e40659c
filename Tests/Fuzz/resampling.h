/* Part of fuzz.c: resampling, permutation and structural dissimilarity. */

static ptrdiff_t drawn(bytes *b) { return (b->state = b->state * 1664525 + 1013904223) >> 24; }

/* Taps of an axis; weights are whole, so that sums are exact. */
static hg_resampling_axis axis_of(bytes *b, ptrdiff_t *start, ptrdiff_t *input, float *weight) {
  hg_resampling_axis axis = {sizeof axis, extent(b, 9), extent(b, 9), start, input, weight};
  const ptrdiff_t outputs = axis.outputs > 0 && axis.outputs < 10 ? axis.outputs : 0;
  start[0] = (ptrdiff_t)next(b) % 3;
  if (next(b) % 64 == 0) start[0] = -1;
  const bool wild = next(b) % 16 == 0;
  for (ptrdiff_t i = 0; i < outputs; i++) start[i + 1] = start[i] + drawn(b) % 4 - (wild && drawn(b) % 8 == 0);
  for (ptrdiff_t t = 0; t < 40; t++) {
    const ptrdiff_t tap = drawn(b), inputs = axis.inputs > 0 ? axis.inputs : 1;
    input[t] = wild && tap % 32 == 0 ? inputs : tap % inputs;
    weight[t] = (float)(drawn(b) % 5) - 2;
  }
  return axis;
}

static void resampling(bytes *b) {
  ptrdiff_t start[2][10], input[2][40];
  float weight[2][40];
  hg_resampling2d g = {.size = next(b) == 255 ? 8 : sizeof g};
  g.samples = extent(b, 4) - (next(b) % 16 == 0), g.channels = extent(b, 90);
  g.vertical = axis_of(b, start[0], input[0], weight[0]);
  g.horizontal = axis_of(b, start[1], input[1], weight[1]);
  const hg_parallel p = parallel_of(b);
  /* Extents beyond the arrays are refused by the other extents, or not read at all here. */
  if (g.vertical.outputs > 9 || g.horizontal.outputs > 9) return;
  if (hg_resample2d_check(&g) || hg_parallel_check(&p)) {
    float none[1] = {0};
    if (!refuses(hg_resample2d(&g, none, none, &p))) fail("resampling", "takes what its checks refuse");
    return;
  }
  const double in = (double)g.samples * (double)g.vertical.inputs * (double)g.horizontal.inputs * (double)g.channels;
  const double out = (double)g.samples * (double)g.vertical.outputs * (double)g.horizontal.outputs * (double)g.channels;
  if (in > 1e5 || out > 1e5) return;
  float *x = whole(b, (ptrdiff_t)in), *y = whole(b, (ptrdiff_t)out), *y2 = whole(b, (ptrdiff_t)out);
  MADE(resample2d, (&g, x, y, &p));
  hg_reference_resample2d(&g, x, y2);
  agree("resample", (ptrdiff_t)out, y, y2, 0);
  free(x), free(y), free(y2);
}

/* Axes in a drawn order of the memory that they have there, now and then with a wrong stride. */
static void permutation(bytes *b) {
  hg_permutation g = {.size = next(b) == 255 ? 8 : sizeof g, .samples = extent(b, 4) - (next(b) % 16 == 0)};
  g.rank = extent(b, HG_PERMUTATION_RANK);
  const ptrdiff_t rank = g.rank > 0 && g.rank <= HG_PERMUTATION_RANK ? g.rank : 0;
  ptrdiff_t order[HG_PERMUTATION_RANK], within = 1;
  for (ptrdiff_t k = 0; k < rank; k++) {
    const ptrdiff_t other = (ptrdiff_t)next(b) % (k + 1);
    order[k] = order[other], order[other] = k;
  }
  for (ptrdiff_t k = 0; k < rank; k++) {
    g.extents[order[k]] = extent(b, 5), g.strides[order[k]] = within;
    if (within > 0 && within < 1 << 20 && g.extents[order[k]] > 0 && g.extents[order[k]] < 1 << 20)
      within *= g.extents[order[k]];
  }
  if (rank && next(b) % 16 == 0) g.strides[next(b) % rank] += (ptrdiff_t)next(b) % 5 - 2;
  const hg_parallel p = parallel_of(b);
  if (hg_permute_check(&g) || hg_parallel_check(&p)) {
    float none[1] = {0};
    if (!refuses(hg_permute_forward(&g, none, none, &p)) || !refuses(hg_permute_backward(&g, none, none, &p)))
      fail("permutation", "takes what its checks refuse");
    return;
  }
  double all = (double)g.samples;
  for (ptrdiff_t k = 0; k < rank; k++) all *= (double)g.extents[k];
  if (all > 1e5) return;
  const ptrdiff_t count = (ptrdiff_t)all;
  float *x = whole(b, count), *y = whole(b, count), *y2 = whole(b, count), *dx = whole(b, count);
  MADE(permute_forward, (&g, x, y, &p));
  hg_reference_permute_forward(&g, x, y2);
  agree("permute", count, y, y2, 0);
  MADE(permute_backward, (&g, y, dx, &p));
  agree("permute there and back", count, dx, x, 0);
  hg_reference_permute_backward(&g, y, y2);
  agree("permute backward", count, y2, x, 0);
  free(x), free(y), free(y2), free(dx);
}

/* Elements are whole numbers of at most 3, and a window's variances with C2 at least 9e-4, so that what the kernel's
 * sums in double lose is far below the rounding of its results to float. */
static void dissimilarity(bytes *b) {
  const ptrdiff_t N = extent(b, 3) - (next(b) % 16 == 0), C = extent(b, 3);
  ptrdiff_t H = extent(b, 10), W = extent(b, 10);
  if (H > 0 && H < 11) H += 8;
  if (W > 0 && W < 11) W += 8;
  const hg_parallel p = parallel_of(b);
  const bool refused = hg_ssim_check(N, H, W, C) || hg_parallel_check(&p);
  if (!refuses(hg_ssim_check(N, H, W, C))) {
    IS_BOUNDED(ssim, 3 * N * H * W * C, N, H, W, C);
    IS_BOUNDED(ms_ssim, 3 * N * H * W * C, N, H, W, C);
  }
  if (refused) {
    float none[1] = {0};
    if (!refuses(hg_ssim(N, H, W, C, none, none, none, none, none, &p))) fail("ssim", "takes what its check refuses");
    return;
  }
  if ((double)(N > 1 ? N : 1) * (double)H * (double)W * (double)C > 1e4)
    return; /* scratch is large without samples, too */
  const ptrdiff_t all = N * H * W * C;
  float *y = whole(b, all), *t = whole(b, all), *got = whole(b, all), *wanted = whole(b, all);
  float *loss = whole(b, N), *loss2 = whole(b, N), *scratch = whole(b, hg_ssim_scratch(N, H, W, C, &p));
  MADE(ssim, (N, H, W, C, y, t, next(b) % 8 ? loss : NULL, got, scratch, &p));
  MADE(ssim, (N, H, W, C, y, t, loss, NULL, scratch, &p));
  hg_reference_ssim(N, H, W, C, y, t, loss2, wanted);
  agree("ssim", N, loss, loss2, 0x1p-22), agree("ssim gradient", all, got, wanted, 0x1p-22);
  float *room = whole(b, hg_ms_ssim_scratch(N, H, W, C, &p));
  MADE(ms_ssim, (N, H, W, C, y, t, loss, got, room, &p));
  hg_reference_ms_ssim(N, H, W, C, y, t, loss2, NULL);
  agree("ms-ssim", N, loss, loss2, 0x1p-19 * (double)(H * W * C));
  free(room);
  float *arrays[] = {y, t, got, wanted, loss, loss2, scratch};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}
