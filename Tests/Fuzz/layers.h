/* Part of fuzz.c: geometries, Winograd's form, upsampling, normalisation and the GELU. */

static hg_geometry2d window_of(bytes *b) {
  hg_geometry2d g = {.size = next(b) == 255 ? 8 : sizeof g};
  g.samples = extent(b, 5) - (next(b) % 16 == 0);
  g.large_height = extent(b, 13), g.large_width = extent(b, 13), g.large_channels = extent(b, 40);
  g.small_height = extent(b, 9), g.small_width = extent(b, 9), g.small_channels = extent(b, 80);
  g.filter_height = extent(b, 6), g.filter_width = extent(b, 6);
  g.stride_vertical = extent(b, 4), g.stride_horizontal = extent(b, 4);
  g.pad_top = extent(b, 5) - 1, g.pad_left = extent(b, 5) - 1;
  return g;
}

static bool small_enough(const hg_geometry2d *g) {
  const double large = (double)g->large_height * (double)g->large_width * (double)g->large_channels;
  const double small = (double)g->small_height * (double)g->small_width * (double)g->small_channels;
  const double taps = (double)g->filter_height * (double)g->filter_width;
  const double N = g->samples > 1 ? (double)g->samples : 1; /* scratch may be large without samples, too */
  return N * (large + small) < 1e5 && taps * (double)g->large_channels * (double)g->small_channels < 1e5 &&
         N * small * taps * (double)g->large_channels < 2e5;
}

/* Of at most 3, where e^(-x^2/2) costs 9 / 2 roundoffs more. */
static void gelu(ptrdiff_t count, const float *x, const float *dy, float *got, float *wanted, const hg_parallel *p) {
  if (hg_parallel_check(p)) return;
  accepted("gelu", hg_gelu_forward(count, x, got, p));
  hg_reference_gelu_forward(count, x, wanted);
  agree("gelu", count, got, wanted, 32 * 0x1p-24);
  accepted("gelu backward", hg_gelu_backward(count, x, dy, got, p));
  hg_reference_gelu_backward(count, x, dy, wanted);
  agree("gelu backward", count, got, wanted, 128 * 0x1p-24);
}

/* Whole numbers become thirds and more here: agreement is closeness, of sums that differ by whole numbers. */
static void winograd(bytes *b) {
  hg_geometry2d g = window_of(b);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = HG_ACTIVATION_RELU;
  const bool accumulate = next(b) % 2;
  if (next(b) % 8) {
    g.stride_vertical = g.stride_horizontal = 1 + next(b) % 2;
    g.filter_height = g.filter_width = 2 + g.stride_vertical;
  }
  const bool refused = hg_winograd_check(&g), bad_parallel = hg_parallel_check(&p);
  const ptrdiff_t gather_count = hg_winograd_prepared_gather_count(&g), scratch_count = hg_winograd_scratch(&g, &p);
  const ptrdiff_t scatter_count = hg_winograd_prepared_scatter_count(&g);
  if ((gather_count < 0) != refused || (scatter_count < 0) != refused ||
      (scratch_count < 0) != (refused || bad_parallel))
    fail("winograd", "sizes against the check");
  if (refused || bad_parallel) {
    float none[1] = {0};
    if (!hg_winograd_forward(&g, none, none, none, a, none, none, &p) ||
        !hg_winograd_backward_data(&g, none, none, a, none, none, none, &p) ||
        !hg_winograd_backward_filter(&g, none, none, false, none, none, none, &p) ||
        !hg_winograd_transpose_forward(&g, none, none, none, a, none, none, &p) ||
        !hg_winograd_transpose_backward_data(&g, none, none, a, none, none, none, &p) ||
        !hg_winograd_transpose_backward_filter(&g, none, none, false, none, none, none, &p))
      fail("winograd", "takes what its checks refuse");
    return;
  }
  if (!small_enough(&g)) return;
  const ptrdiff_t large = g.samples * g.large_height * g.large_width * g.large_channels;
  const ptrdiff_t small = g.samples * g.small_height * g.small_width * g.small_channels;
  const ptrdiff_t taps = g.filter_height * g.filter_width * g.large_channels * g.small_channels;
  float *x = whole(b, large), *y = whole(b, small), *filter = whole(b, taps), *bias = whole(b, g.small_channels);
  float *large_bias = whole(b, g.large_channels);
  float *gather = whole(b, gather_count), *scatter = whole(b, scatter_count), *scratch = whole(b, scratch_count);
  float *got = whole(b, large > small ? large : small), *wanted = whole(b, large > small ? large : small);
  float *dfilter = whole(b, taps), *dfilter2 = whole(b, taps);
  memcpy(dfilter2, dfilter, (size_t)taps * sizeof(float));
  accepted("winograd prepare", hg_winograd_prepare_gather(&g, filter, gather, &p));
  accepted("winograd prepare", hg_winograd_prepare_scatter(&g, filter, scatter, &p));
  accepted("winograd forward", hg_winograd_forward(&g, x, gather, bias, a, got, scratch, &p));
  hg_reference_conv2d_forward(&g, x, filter, bias, a, wanted);
  agree("winograd forward", small, got, wanted, 0.01);
  accepted("winograd data", hg_winograd_backward_data(&g, y, scatter, a, x, got, scratch, &p));
  hg_reference_conv2d_backward_data(&g, y, filter, a, x, wanted);
  agree("winograd data", large, got, wanted, 0.01);
  accepted("winograd filter", hg_winograd_backward_filter(&g, x, y, accumulate, dfilter, NULL, scratch, &p));
  hg_reference_conv2d_backward_filter(&g, x, y, accumulate, dfilter2, NULL);
  agree("winograd filter", taps, dfilter, dfilter2, 0.01);
  accepted("winograd transpose", hg_winograd_transpose_forward(&g, y, scatter, large_bias, a, got, scratch, &p));
  hg_reference_conv2d_transpose_forward(&g, y, filter, large_bias, a, wanted);
  agree("winograd transpose", large, got, wanted, 0.01);
  accepted("winograd transpose data", hg_winograd_transpose_backward_data(&g, x, gather, a, y, got, scratch, &p));
  hg_reference_conv2d_transpose_backward_data(&g, x, filter, a, y, wanted);
  agree("winograd transpose data", small, got, wanted, 0.01);
  float *all[] = {x, y, filter, bias, large_bias, gather, scatter, scratch, got, wanted, dfilter, dfilter2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void upsampling(bytes *b) {
  hg_geometry2d g = window_of(b);
  const hg_parallel p = parallel_of(b);
  if (next(b) % 8) {
    g.filter_height = g.stride_vertical, g.filter_width = g.stride_horizontal, g.pad_top = g.pad_left = 0;
    g.large_channels = g.small_channels;
    const bool small = g.small_height > 0 && g.small_height < 100 && g.stride_vertical > 0 && g.stride_vertical < 100 &&
                       g.small_width > 0 && g.small_width < 100 && g.stride_horizontal > 0 && g.stride_horizontal < 100;
    if (small) g.large_height = g.small_height * g.stride_vertical, g.large_width = g.small_width * g.stride_horizontal;
  }
  const bool refused = hg_upsample2d_check(&g) || hg_parallel_check(&p);
  if (refused) {
    float none[1] = {0};
    if (!hg_upsample2d_forward(&g, none, none, &p) || !hg_upsample2d_backward(&g, none, none, &p))
      fail("upsampling", "takes what its checks refuse");
    return;
  }
  if (!small_enough(&g)) return;
  const ptrdiff_t large = g.samples * g.large_height * g.large_width * g.large_channels;
  const ptrdiff_t small = g.samples * g.small_height * g.small_width * g.small_channels;
  float *x = whole(b, large), *y = whole(b, small), *x2 = whole(b, large), *y2 = whole(b, small);
  accepted("upsample", hg_upsample2d_forward(&g, y, x, &p));
  hg_reference_upsample2d_forward(&g, y, x2);
  agree("upsample", large, x, x2, 0);
  accepted("upsample backward", hg_upsample2d_backward(&g, x, y, &p));
  hg_reference_upsample2d_backward(&g, x, y2);
  agree("upsample backward", small, y, y2, 0);
  float *all[] = {x, y, x2, y2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Elements are at most 3 and epsilon is at least 1/2, so that nothing exceeds a few thousand; sums of at most `terms`
 * of them carry as many roundoffs. */
static void normalisation(bytes *b) {
  hg_group_norm g = {.size = next(b) == 255 ? 8 : sizeof g};
  g.samples = extent(b, 4) - (next(b) % 16 == 0), g.positions = extent(b, 20);
  g.groups = extent(b, 9), g.channels = extent(b, 40);
  if (g.groups > 0 && g.groups < 10 && g.channels > 0 && g.channels < 41 && next(b) % 8) g.channels *= g.groups;
  g.epsilon = (float)next(b) / 100 - 0.25f;
  const hg_parallel p = parallel_of(b);
  const bool accumulate = next(b) % 2;
  const bool refused = hg_group_norm_check(&g) || hg_parallel_check(&p);
  if (refused) {
    float none[1] = {0};
    if (!hg_group_norm_forward(&g, none, none, none, none, none, none, &p) ||
        !hg_group_norm_backward(&g, none, none, none, none, none, accumulate, none, none, none, &p))
      fail("normalisation", "takes what its checks refuse");
    return;
  }
  const double N = g.samples > 1 ? (double)g.samples : 1; /* weights have a size without samples, too */
  if (g.epsilon < 0.5f || N * (double)g.positions * (double)g.channels > 1e5) return;
  const ptrdiff_t all = g.samples * g.positions * g.channels, groups = g.samples * g.groups;
  const double terms = (double)g.samples * (double)g.positions * (double)(g.channels / g.groups) + 16;
  const double bound = 64 * terms * 0x1p-24;
  float *x = whole(b, all), *dy = whole(b, all), *weight = whole(b, g.channels), *bias = whole(b, g.channels);
  float *got = whole(b, all), *wanted = whole(b, all), *mean = whole(b, groups), *mean2 = whole(b, groups);
  float *variance = whole(b, groups), *variance2 = whole(b, groups);
  accepted("norm", hg_group_norm_forward(&g, x, weight, bias, got, mean, variance, &p));
  hg_reference_group_norm_forward(&g, x, weight, bias, wanted, mean2, variance2);
  agree("mean", groups, mean, mean2, bound), agree("variance", groups, variance, variance2, bound);
  agree("norm", all, got, wanted, bound);
  accepted("norm apply", hg_group_norm_apply(&g, x, mean, variance, weight, NULL, got, &p));
  hg_reference_group_norm_apply(&g, x, mean, variance, weight, NULL, wanted);
  agree("norm apply", all, got, wanted, 64 * 0x1p-24);
  float *dweight = whole(b, g.channels), *dbias = whole(b, g.channels), *dbias2 = whole(b, g.channels);
  float *dweight2 = whole(b, g.channels);
  memcpy(dweight2, dweight, (size_t)g.channels * sizeof(float)),
      memcpy(dbias2, dbias, (size_t)g.channels * sizeof(float));
  accepted("norm backward", hg_group_norm_backward(&g, x, dy, mean, variance, weight, accumulate,
                                                   next(b) % 8 ? got : NULL, dweight, dbias, &p));
  hg_reference_group_norm_backward(&g, x, dy, mean, variance, weight, accumulate, wanted, dweight2, dbias2);
  agree("norm weight", g.channels, dweight, dweight2, bound), agree("norm bias", g.channels, dbias, dbias2, 0);
  accepted("norm backward", hg_group_norm_backward(&g, x, dy, mean, variance, weight, false, got, NULL, NULL, &p));
  agree("norm backward", all, got, wanted, bound);
  float *arrays[] = {x,     dy,       weight,    bias,    got,   wanted, mean,
                     mean2, variance, variance2, dweight, dbias, dbias2, dweight2};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
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
  if (refused) {
    float none[1] = {0};
    if (!hg_ssim(N, H, W, C, none, none, none, none, none, &p)) fail("ssim", "takes what its check refuses");
    return;
  }
  if ((double)(N > 1 ? N : 1) * (double)H * (double)W * (double)C > 1e4)
    return; /* scratch is large without samples, too */
  const ptrdiff_t all = N * H * W * C;
  float *y = whole(b, all), *t = whole(b, all), *got = whole(b, all), *wanted = whole(b, all);
  float *loss = whole(b, N), *loss2 = whole(b, N), *scratch = whole(b, hg_ssim_scratch(H, W, C, &p));
  accepted("ssim", hg_ssim(N, H, W, C, y, t, next(b) % 8 ? loss : NULL, got, scratch, &p));
  accepted("ssim", hg_ssim(N, H, W, C, y, t, loss, NULL, scratch, &p));
  hg_reference_ssim(N, H, W, C, y, t, loss2, wanted);
  agree("ssim", N, loss, loss2, 0x1p-22), agree("ssim gradient", all, got, wanted, 0x1p-22);
  float *arrays[] = {y, t, got, wanted, loss, loss2, scratch};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}
