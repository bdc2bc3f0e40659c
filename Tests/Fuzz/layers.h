/* Part of fuzz.c: layers. */

static hg_geometry2d window_of(bytes *b) {
  const unsigned byte = next(b);
  hg_geometry2d g = {.size = byte == 255 ? 8 : sizeof g};
  g.samples = extent(b, 5) - (next(b) % 16 == 0);
  g.large_height = extent(b, 13), g.large_width = extent(b, 13), g.large_channels = extent(b, 40);
  g.small_height = extent(b, 9), g.small_width = extent(b, 9), g.small_channels = extent(b, 80);
  g.filter_height = extent(b, 6), g.filter_width = extent(b, 6);
  g.stride_vertical = extent(b, 4), g.stride_horizontal = extent(b, 4);
  g.pad_top = extent(b, 12) - 1, g.pad_left = extent(b, 12) - 1;
  const unsigned odd = next(b);
  if (odd == 255) g.algorithm = (hg_algorithm)2;
  if (odd == 254) g.precision = 1;
  if (odd == 253) g.dilation_vertical = extent(b, 3);
  if (odd == 252) g.groups = extent(b, 3);
  return g;
}

static bool small_enough(const hg_geometry2d *g) {
  const double large = (double)g->large_height * (double)g->large_width * (double)g->large_channels;
  const double small = (double)g->small_height * (double)g->small_width * (double)g->small_channels;
  const double taps = (double)g->filter_height * (double)g->filter_width;
  const double N = g->samples > 1 ? (double)g->samples : 1; /* scratch may be large without samples, too */
  const double span = (double)g->filter_height * (double)g->filter_width * (double)(1 + g->dilation_vertical) *
                      (double)(1 + g->dilation_horizontal); /* a large image has so much around it at most */
  return N * (large + small) < 1e5 && taps * (double)g->large_channels * (double)g->small_channels < 1e5 &&
         N * small * taps * (double)g->large_channels < 2e5 && N * span * (double)g->large_channels < 1e6 &&
         large_span(g) < 200000 && small_span(g) < 200000;
}

/* Elements are at most 3, where e^(-x^2/2) costs 9 / 2 roundoffs more. */
static void of_input(bytes *b, ptrdiff_t count, const float *x, const float *dy, float *got, float *wanted,
                     const hg_parallel *p) {
  if (hg_parallel_check(p)) return;
  const hg_activation a = (hg_activation)(HG_ACTIVATION_GELU + next(b) % 4);
  MADE(activation_forward, (a, count, x, got, p));
  hg_reference_activation_forward(a, count, x, wanted);
  agree("activation of its input", count, got, wanted, 32 * 0x1p-24);
  MADE(activation_backward_input, (a, count, x, dy, got, p));
  hg_reference_activation_backward_input(a, count, x, dy, wanted);
  agree("backward by the input", count, got, wanted, 128 * 0x1p-24);
}

/* N positions of count channels, elements of at most 3. */
static void of_channels(bytes *b, ptrdiff_t N, ptrdiff_t count, const float *x, const float *dy, float *got,
                        float *wanted, const hg_parallel *p) {
  const ptrdiff_t all = N * count;
  if (hg_parallel_check(p)) {
    if (all && !refuses(hg_softmax_forward(N, count, x, got, p))) fail("softmax", "takes what its check refuses");
    return;
  }
  float *slope = whole(b, count), *sums = whole(b, count), *sums2 = whole(b, count);
  MADE(prelu_forward, (N, count, x, slope, got, p)), hg_reference_prelu_forward(N, count, x, slope, wanted);
  agree("prelu", all, got, wanted, 0);
  MADE(prelu_backward, (N, count, x, dy, slope, false, next(b) % 8 ? got : NULL, sums, p));
  MADE(prelu_backward, (N, count, x, dy, slope, false, got, NULL, p));
  hg_reference_prelu_backward(N, count, x, dy, slope, false, wanted, sums2);
  agree("prelu backward", all, got, wanted, 0), agree("prelu slopes", count, sums, sums2, 0);
  MADE(softmax_forward, (N, count, x, got, p)), hg_reference_softmax_forward(N, count, x, wanted);
  agree("softmax of channels", all, got, wanted, 0x1p-24 * (32 + (double)count));
  MADE(softmax_backward, (N, count, x, dy, got, p)), hg_reference_softmax_backward(N, count, x, dy, wanted);
  agree("softmax backward", all, got, wanted, 0x1p-24 * (64 + (double)count) * 32);
  free(slope), free(sums), free(sums2);
}

/* Sums of two elements of at most 3 carry one roundoff more than the activation. */
static void branches(bytes *b, hg_activation a, ptrdiff_t N, ptrdiff_t count, const float *x, const float *t,
                     float *got, float *wanted, const hg_parallel *p) {
  if (hg_parallel_check(p) || !is_known(a)) return;
  const ptrdiff_t all = N * count, skip = count > 0 ? next(b) % count : 0;
  MADE(fork_backward, (a, all, x, t, t, got, p));
  hg_reference_fork_backward(a, all, x, t, t, wanted), agree("fork backward", all, got, wanted, 4 * bound_of(a));
  MADE(join_forward, (a, all, t, t, got, p));
  hg_reference_join_forward(a, all, t, t, wanted), agree("join", all, got, wanted, 4 * bound_of(a));
  MADE(concat_forward, (N, count - skip, skip, x, t, got, p));
  hg_reference_concat_forward(N, count - skip, skip, x, t, wanted), agree("concat", all, got, wanted, 0);
  MADE(concat_backward, (N, count - skip, skip, t, got, got + N * (count - skip), p));
  hg_reference_concat_backward(N, count - skip, skip, t, wanted, wanted + N * (count - skip));
  agree("concat backward", all, got, wanted, 0);
}

/* Scratch is at most what four threads want and four times the floats of all arrays, however many threads there are. */
#define IS_BOUNDED(name, arrays, ...)                                                                 \
  do {                                                                                                \
    const hg_parallel four = {sizeof four, 4, NULL, NULL}, most = {sizeof most, 65536, NULL, NULL};   \
    const ptrdiff_t bound = hg_##name##_scratch(__VA_ARGS__, &four) + 4 * (arrays);                   \
    for (hg_parallel q = most; q.threads >= 64; q.threads /= 32)                                      \
      if (hg_##name##_scratch(__VA_ARGS__, &q) > bound) fail("hg_" #name "_scratch", "has no bound"); \
  } while (0)

static void conv2d_is_bounded(const hg_geometry2d *g) {
  const ptrdiff_t groups = g->groups > 1 ? g->groups : 1;
  const ptrdiff_t arrays = g->samples * (g->large_height * g->large_width * g->large_channels +
                                         g->small_height * g->small_width * g->small_channels) +
                           g->filter_height * g->filter_width * (g->large_channels / groups) * g->small_channels;
  IS_BOUNDED(conv2d_forward, arrays, g);
  IS_BOUNDED(conv2d_backward_data, arrays, g);
  IS_BOUNDED(conv2d_backward_filter, arrays, g);
  IS_BOUNDED(conv2d_transpose_forward, arrays, g);
  IS_BOUNDED(conv2d_transpose_backward_data, arrays, g);
  IS_BOUNDED(conv2d_transpose_backward_filter, arrays, g);
}

static void convolutions(bytes *b) {
  hg_geometry2d g = window_of(b);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = activation_of(b);
  const bool winograd = g.size == sizeof g && next(b) % 2;
  const unsigned kind = next(b) % 4;
  if (g.size == sizeof g && !winograd && kind > 0) {
    g.dilation_vertical = extent(b, 4) - 1, g.dilation_horizontal = extent(b, 4) - 1;
    if (kind > 1) { /* groups, of one channel of the large image or of more */
      g.groups = 1 + next(b) % (kind == 2 ? 40 : 4);
      g.large_channels = g.groups * (kind == 2 ? 1 : 1 + next(b) % 9);
      g.small_channels = g.groups * (1 + next(b) % (kind == 2 ? 2 : 9));
    }
  }
  if (winograd) {
    g.algorithm = HG_ALGORITHM_WINOGRAD;
    if (next(b) % 8) {
      g.stride_vertical = g.stride_horizontal = 1 + next(b) % 2;
      g.filter_height = g.filter_width = 2 + g.stride_vertical;
    }
  }
  set_strides(b, &g);
  const bool refused = hg_conv2d_check(&g), bad_parallel = hg_parallel_check(&p), known = is_known(a);
  const bool transposed = next(b) % 2, accumulate = next(b) % 2, only_bias = next(b) % 8 == 0;
  const ptrdiff_t gather_count = hg_conv2d_prepared_gather_count(&g);
  const ptrdiff_t scatter_count = hg_conv2d_prepared_scatter_count(&g);
  const ptrdiff_t scratches[] = {
      hg_conv2d_forward_scratch(&g, &p),           hg_conv2d_backward_data_scratch(&g, &p),
      hg_conv2d_backward_filter_scratch(&g, &p),   hg_conv2d_transpose_backward_data_scratch(&g, &p),
      hg_conv2d_transpose_forward_scratch(&g, &p), hg_conv2d_transpose_backward_filter_scratch(&g, &p)};
  ptrdiff_t most = 0;
  for (int i = 0; i < 6; i++) {
    if ((scratches[i] < 0) != (refused || bad_parallel)) fail("scratch", "against the check");
    most = scratches[i] > most ? scratches[i] : most;
  }
  if (!refused) conv2d_is_bounded(&g);
  if ((gather_count < 0) != refused || (scatter_count < 0) != refused) fail("prepared counts", "against the check");
  if (!refused && !small_enough(&g)) return;
  if (refused || bad_parallel || !known) {
    float none[1] = {0};
    const hg_gather_filter gather = {0};
    const hg_scatter_filter scatter = {0};
    if (!refuses(hg_conv2d_forward(&g, none, &gather, none, a, none, none, &p)) ||
        !refuses(hg_conv2d_backward_data(&g, none, &scatter, a, none, none, none, &p)) ||
        !refuses(hg_conv2d_transpose_forward(&g, none, &scatter, none, a, none, none, &p)) ||
        !refuses(hg_conv2d_transpose_backward_data(&g, none, &gather, a, none, none, none, &p)))
      fail("convolution", "takes what its checks refuse");
    return;
  }
  const ptrdiff_t C = g.large_channels, K = g.small_channels, groups = g.groups > 1 ? g.groups : 1;
  const ptrdiff_t filter_count = g.filter_height * g.filter_width * (C / groups) * K;
  const ptrdiff_t large = large_span(&g), small = small_span(&g);
  float *x = whole(b, large), *y = whole(b, small), *filter = whole(b, filter_count), *bias = whole(b, C > K ? C : K);
  as_output(a, large, x), as_output(a, small, y);
  hg_gather_filter *gather = (hg_gather_filter *)whole(b, gather_count);
  hg_scatter_filter *scatter = (hg_scatter_filter *)whole(b, scatter_count);
  /* Winograd's form makes thirds and more of whole numbers: agreement is closeness, of sums that differ by those. */
  const double bound = winograd ? 0.01 : bound_of(a), filter_bound = winograd ? 0.01 : 0;
  ACCEPTED(conv2d_prepare_gather, (&g, filter, gather, &p));
  ACCEPTED(conv2d_prepare_scatter, (&g, filter, scatter, &p));
  float *got = whole(b, large > small ? large : small), *wanted = same(large > small ? large : small, got);
  float *dfilter = only_bias ? NULL : whole(b, filter_count), *dfilter2 = whole(b, filter_count);
  float *dbias = whole(b, C > K ? C : K), *dbias2 = whole(b, C > K ? C : K);
  if (dfilter) memcpy(dfilter2, dfilter, (size_t)filter_count * sizeof(float));
  memcpy(dbias2, dbias, (size_t)(C > K ? C : K) * sizeof(float));
  float *scratch = whole(b, most);
  if (transposed) {
    MADE(conv2d_transpose_forward, (&g, y, scatter, bias, a, got, scratch, &p));
    hg_reference_conv2d_transpose_forward(&g, y, filter, bias, a, wanted);
    agree("transpose forward", large, got, wanted, bound);
    MADE(conv2d_transpose_backward_data, (&g, x, gather, a, y, got, scratch, &p));
    hg_reference_conv2d_transpose_backward_data(&g, x, filter, a, y, wanted);
    agree("transpose data", small, got, wanted, bound);
    MADE(conv2d_transpose_backward_filter, (&g, y, x, accumulate, dfilter, dbias, scratch, &p));
    hg_reference_conv2d_transpose_backward_filter(&g, y, x, accumulate, dfilter ? dfilter2 : NULL, dbias2);
  } else {
    MADE(conv2d_forward, (&g, x, gather, bias, a, got, scratch, &p));
    hg_reference_conv2d_forward(&g, x, filter, bias, a, wanted);
    agree("forward", small, got, wanted, bound);
    MADE(conv2d_backward_data, (&g, y, scatter, a, x, got, scratch, &p));
    hg_reference_conv2d_backward_data(&g, y, filter, a, x, wanted);
    agree("data", large, got, wanted, bound);
    MADE(conv2d_backward_filter, (&g, x, y, accumulate, dfilter, dbias, scratch, &p));
    hg_reference_conv2d_backward_filter(&g, x, y, accumulate, dfilter ? dfilter2 : NULL, dbias2);
  }
  if (dfilter) agree("filter", filter_count, dfilter, dfilter2, filter_bound);
  agree("bias", transposed ? C : K, dbias, dbias2, 0);
  float *all[] = {x,       y,        filter, bias,  &gather->prepared, &scatter->prepared, scratch, got, wanted,
                  dfilter, dfilter2, dbias,  dbias2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void pooling(bytes *b) {
  hg_geometry2d g = window_of(b);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = activation_of(b);
  if (next(b) % 8) g.small_channels = g.large_channels;
  set_strides(b, &g);
  const bool refused = hg_max_pool2d_check(&g) || hg_parallel_check(&p) || !is_known(a);
  if (!refuses(hg_max_pool2d_check(&g)) && !small_enough(&g)) return;
  if (refused) {
    float none[1] = {0};
    uint8_t switches[1] = {0};
    if (!refuses(hg_max_pool2d_backward(&g, none, switches, a, none, none, &p)))
      fail("pooling", "takes what its checks refuse");
    return;
  }
  const ptrdiff_t large = large_span(&g), small = small_span(&g);
  const ptrdiff_t windows = g.samples * g.small_height * g.small_width * g.small_channels;
  float *x = whole(b, large), *y = whole(b, small), *dy = whole(b, small), *dx = whole(b, large);
  float *y2 = same(small, y), *dx2 = same(large, dx);
  uint8_t *switches = malloc((size_t)windows + (windows == 0)), *switches2 = malloc((size_t)windows + (windows == 0));
  if (!switches || !switches2) abort();
  MADE(max_pool2d_forward, (&g, x, y, switches, &p));
  hg_reference_max_pool2d_forward(&g, x, y2, switches2);
  agree("pool", small, y, y2, 0);
  if (memcmp(switches, switches2, (size_t)windows)) fail("pool", "other switches");
  if (next(b) % 2)
    for (ptrdiff_t i = 0; i < windows; i++) switches[i] = (uint8_t)(i * 37 + (ptrdiff_t)next(b)); /* of no pooling */
  as_output(a, small, y), memcpy(y2, y, (size_t)small * sizeof(float));
  MADE(max_pool2d_backward, (&g, dy, switches, a, y, dx, &p));
  hg_reference_max_pool2d_backward(&g, dy, switches, a, y, dx2);
  agree("pool backward", large, dx, dx2, 4 * bound_of(a));
  MADE(max_unpool2d_forward, (&g, dy, switches, dx, &p));
  hg_reference_max_unpool2d_forward(&g, dy, switches, dx2);
  agree("unpool", large, dx, dx2, 0);
  MADE(max_unpool2d_backward, (&g, x, switches, y, &p));
  hg_reference_max_unpool2d_backward(&g, x, switches, y2);
  agree("unpool backward", small, y, y2, 0);
  float *all[] = {x, y, dy, dx, y2, dx2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  free(switches), free(switches2);
}

static void dense(bytes *b) {
  hg_dense g = {.size = next(b) == 255 ? 8 : sizeof g};
  g.samples = extent(b, 20) - (next(b) % 16 == 0), g.inputs = extent(b, 100), g.outputs = extent(b, 100);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = activation_of(b);
  const ptrdiff_t first = (ptrdiff_t)next(b) % 60 - 2, last = first + (ptrdiff_t)next(b) % 60 - 2;
  const bool refused = hg_dense_check(&g) || hg_parallel_check(&p);
  const ptrdiff_t scratches[] = {hg_dense_forward_scratch(&g, &p), hg_dense_backward_data_scratch(&g, &p),
                                 hg_dense_backward_weight_scratch(&g, &p)};
  ptrdiff_t most = 0;
  for (int i = 0; i < 3; i++) {
    if ((scratches[i] < 0) != refused) fail("dense scratch", "against the check");
    most = scratches[i] > most ? scratches[i] : most;
  }
  if (!refuses(hg_dense_check(&g))) {
    const ptrdiff_t arrays = g.samples * (g.inputs + g.outputs) + g.inputs * g.outputs;
    IS_BOUNDED(dense_forward, arrays, &g);
    IS_BOUNDED(dense_backward_data, arrays, &g);
    IS_BOUNDED(dense_backward_weight, arrays, &g);
  }
  if (refused || !is_known(a)) {
    float none[1] = {0};
    if (!refuses(hg_dense_forward(&g, none, none, NULL, a, none, none, &p)))
      fail("dense", "takes what its check refuses");
    return;
  }
  if ((double)g.inputs * (double)g.outputs > 1e5 || (double)g.samples * (double)(g.inputs + g.outputs) > 1e5) return;
  const ptrdiff_t in = g.samples * g.inputs, out = g.samples * g.outputs, weights = g.inputs * g.outputs;
  float *x = whole(b, in), *y = whole(b, out), *weight = whole(b, weights), *bias = whole(b, g.outputs);
  as_output(a, in, x);
  float *scratch = whole(b, most), *got = whole(b, in > out ? in : out), *wanted = whole(b, in > out ? in : out);
  float *dweight = whole(b, weights), *dweight2 = whole(b, weights), *dbias2 = whole(b, g.outputs);
  MADE(dense_forward, (&g, x, weight, bias, a, got, scratch, &p));
  hg_reference_dense_forward(&g, x, weight, bias, a, wanted);
  agree("dense forward", out, got, wanted, bound_of(a));
  ACCEPTED(transpose, (g.inputs, g.outputs, weight, dweight, &p));
  for (ptrdiff_t i = 0; i < weights; i++)
    if (dweight[i % g.outputs * g.inputs + i / g.outputs] != weight[i]) fail("transpose", "another matrix");
  MADE(dense_backward_data, (&g, y, weight, a, x, got, scratch, &p));
  hg_reference_dense_backward_data(&g, y, weight, a, x, wanted);
  agree("dense data", in, got, wanted, bound_of(a));
  made[MADE_dense_backward_weight] = true;
  const char *answer = hg_dense_backward_weight(&g, first, last, x, y, false, dweight, scratch, &p);
  if ((answer == NULL) != (first >= 0 && first <= last && last <= g.inputs)) fail("dense weight", "wrong about rows");
  hg_reference_dense_backward_weight(&g, x, y, false, dweight2, dbias2);
  if (!answer)
    agree("dense weight", (last - first) * g.outputs, dweight + first * g.outputs, dweight2 + first * g.outputs, 0);
  ACCEPTED(dense_backward_bias, (&g, y, false, bias, &p));
  agree("dense bias", g.outputs, bias, dbias2, 0);
  float *all[] = {x, y, weight, bias, scratch, got, wanted, dweight, dweight2, dbias2};
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
  set_strides(b, &g);
  const bool refused = hg_upsample2d_check(&g) || hg_parallel_check(&p);
  if (refused) {
    float none[1] = {0};
    if (!refuses(hg_upsample2d_forward(&g, none, none, &p)) || !refuses(hg_upsample2d_backward(&g, none, none, &p)))
      fail("upsampling", "takes what its checks refuse");
    return;
  }
  if (!small_enough(&g)) return;
  const ptrdiff_t large = large_span(&g), small = small_span(&g);
  float *x = whole(b, large), *y = whole(b, small), *x2 = same(large, x), *y2 = same(small, y);
  MADE(upsample2d_forward, (&g, y, x, &p));
  hg_reference_upsample2d_forward(&g, y, x2);
  agree("upsample", large, x, x2, 0);
  MADE(upsample2d_backward, (&g, x, y, &p));
  hg_reference_upsample2d_backward(&g, x, y2);
  agree("upsample backward", small, y, y2, 0);
  float *all[] = {x, y, x2, y2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Elements are at most 3 and epsilon is at least 1/2, so that nothing exceeds a few thousand; sums of at most `terms`
 * of them carry as many roundoffs. */
static void normalisation(bytes *b) {
  hg_group_norm g = {.size = next(b) == 255 ? 8 : sizeof g};
  const hg_activation a = activation_of(b);
  g.activation = a;
  g.samples = extent(b, 4) - (next(b) % 16 == 0), g.positions = extent(b, 20);
  g.groups = extent(b, 9), g.channels = extent(b, 40);
  if (g.groups > 0 && g.groups < 10 && g.channels > 0 && g.channels < 41 && next(b) % 8) g.channels *= g.groups;
  g.epsilon = (float)next(b) / 100 - 0.25f;
  const hg_parallel p = parallel_of(b);
  const bool accumulate = next(b) % 2;
  const bool refused = hg_group_norm_check(&g) || hg_parallel_check(&p);
  if (refused) {
    float none[1] = {0};
    if (!refuses(hg_group_norm_forward(&g, none, none, none, none, none, none, &p)) ||
        !refuses(hg_group_norm_backward(&g, none, none, none, none, none, accumulate, none, none, none, &p)))
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
  MADE(group_norm_forward, (&g, x, weight, bias, got, mean, variance, &p));
  hg_reference_group_norm_forward(&g, x, weight, bias, wanted, mean2, variance2);
  agree("mean", groups, mean, mean2, bound), agree("variance", groups, variance, variance2, bound);
  agree("norm", all, got, wanted, bound + bound_of(a) * 64);
  MADE(group_norm_apply, (&g, x, mean, variance, weight, NULL, got, &p));
  hg_reference_group_norm_apply(&g, x, mean, variance, weight, NULL, wanted);
  agree("norm apply", all, got, wanted, 64 * (0x1p-24 + bound_of(a)));
  float *dweight = whole(b, g.channels), *dbias = whole(b, g.channels), *dbias2 = whole(b, g.channels);
  float *dweight2 = whole(b, g.channels);
  memcpy(dweight2, dweight, (size_t)g.channels * sizeof(float)),
      memcpy(dbias2, dbias, (size_t)g.channels * sizeof(float));
  MADE(group_norm_backward,
       (&g, x, dy, mean, variance, weight, accumulate, next(b) % 8 ? got : NULL, dweight, dbias, &p));
  hg_reference_group_norm_backward(&g, x, dy, mean, variance, weight, accumulate, wanted, dweight2, dbias2);
  agree("norm weight", g.channels, dweight, dweight2, bound), agree("norm bias", g.channels, dbias, dbias2, 0);
  MADE(group_norm_backward, (&g, x, dy, mean, variance, weight, false, got, NULL, NULL, &p));
  agree("norm backward", all, got, wanted, bound);
  float *arrays[] = {x,     dy,       weight,    bias,    got,   wanted, mean,
                     mean2, variance, variance2, dweight, dbias, dbias2, dweight2};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}
