/* Every operation on arguments made of arbitrary bytes: it must refuse them, or compute within arrays of exactly the
 * sizes that the header names and agree with its definition. Arrays hold small whole numbers, so that sums are exact
 * and agreement is equality; where an operation calls exp or log, its documented bound.
 *
 * With -fsanitize=fuzzer the bytes come from libFuzzer; with -DSTANDALONE from a generator: fuzz RUNS [SEED]. */
#include <hourglass_kernels.h>
#ifndef HOURGLASS_KERNELS_IMPLEMENTATION /* the amalgamation has both */
#include <hourglass_reference.h>
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
  const uint8_t *at;
  size_t left;
  uint32_t state; /* of the generator of array elements */
} bytes;

static unsigned next(bytes *b) { return b->left ? (b->left--, *b->at++) : 0; }

/* Mostly small, now and then one that must be refused or that is only just allowed. */
static ptrdiff_t extent(bytes *b, ptrdiff_t most) {
  static const ptrdiff_t odd[] = {
      0, -1, (ptrdiff_t)1 << 31, ((ptrdiff_t)1 << 31) + 1, (ptrdiff_t)1 << 40, PTRDIFF_MAX, PTRDIFF_MIN + 9};
  const unsigned byte = next(b);
  return byte >= 249 ? odd[byte - 249] : 1 + (ptrdiff_t)byte % most;
}

static void fail(const char *operation, const char *what) {
  fprintf(stderr, "%s: %s\n", operation, what);
  abort();
}

/* Whole numbers from -3 to 3 in a block of just this size. */
static float *whole(bytes *b, ptrdiff_t count) {
  float *x = malloc((size_t)count * sizeof(float) + (count == 0));
  if (!x) abort();
  for (ptrdiff_t i = 0; i < count; i++) {
    b->state = b->state * 1664525 + 1013904223;
    x[i] = (float)(b->state >> 24) * 7 / 256;
    x[i] = floorf(x[i]) - 3;
  }
  return x;
}

static void agree(const char *operation, ptrdiff_t count, const float *got, const float *wanted, double bound) {
  for (ptrdiff_t i = 0; i < count; i++)
    if (!(fabs((double)got[i] - (double)wanted[i]) <= bound * (1 + fabs((double)wanted[i])))) {
      fprintf(stderr, "element %td is %g instead of %g\n", i, (double)got[i], (double)wanted[i]);
      fail(operation, "differs from its definition");
    }
}

static void accepted(const char *operation, const char *answer) {
  if (answer) fail(operation, answer);
}

/* Parts in any order, from where the bytes say. */
static void in_turn(void *context, ptrdiff_t parts, void (*body)(void *argument, ptrdiff_t part), void *argument) {
  const ptrdiff_t first = *(ptrdiff_t *)context % parts;
  for (ptrdiff_t i = 0; i < parts; i++) body(argument, (first + i) % parts);
}

static ptrdiff_t first_part;
static hg_parallel parallel_of(bytes *b) {
  const unsigned byte = next(b);
  first_part = byte / 8;
  return (hg_parallel){sizeof(hg_parallel), byte == 255 ? 65537 : (ptrdiff_t)byte % 6, in_turn, &first_part};
}

/* One beyond the last is unknown to the library. */
static hg_activation activation_of(bytes *b) { return (hg_activation)(next(b) % (HG_ACTIVATION_LEAKY_RELU + 2)); }
/* Roundoffs of an activation or its derivative, the sum it is applied to being exact: at most 7, and the reference's
 * own (Tests/HourglassKernelsTests/ActivationTests.swift). */
static double bound_of(hg_activation activation) { return activation <= HG_ACTIVATION_RELU ? 0 : 8 * 0x1p-24; }

/* What a softplus has made is not negative, so its derivative need not be right elsewhere. */
static void as_output(hg_activation activation, ptrdiff_t count, float *y) {
  for (ptrdiff_t i = 0; i < count && activation == HG_ACTIVATION_SOFTPLUS; i++) y[i] = fabsf(y[i]);
}

#include "layers.h"

static void convolutions(bytes *b) {
  hg_geometry2d g = window_of(b);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = activation_of(b);
  const bool refused = hg_conv2d_check(&g), bad_parallel = hg_parallel_check(&p), known = a <= HG_ACTIVATION_LEAKY_RELU;
  const bool transposed = next(b) % 2, accumulate = next(b) % 2, only_bias = next(b) % 8 == 0;
  const ptrdiff_t gather_count = hg_conv2d_prepared_gather_count(&g);
  const ptrdiff_t scatter_count = hg_conv2d_prepared_scatter_count(&g);
  const ptrdiff_t scatter_scratch = hg_conv2d_scatter_scratch(&g, &p),
                  filter_scratch = hg_conv2d_filter_scratch(&g, &p);
  if ((gather_count < 0) != refused || (scatter_count < 0) != refused) fail("prepared counts", "against the check");
  if ((scatter_scratch < 0) != (refused || bad_parallel) || (filter_scratch < 0) != (refused || bad_parallel))
    fail("scratch", "against the check");
  if (!refused && !small_enough(&g)) return;
  if (refused || bad_parallel || !known) {
    float none[1] = {0};
    if (!hg_conv2d_forward(&g, none, none, none, a, none, &p) ||
        !hg_conv2d_backward_data(&g, none, none, a, none, none, none, &p) ||
        !hg_conv2d_transpose_forward(&g, none, none, none, a, none, none, &p) ||
        !hg_conv2d_transpose_backward_data(&g, none, none, a, none, none, &p))
      fail("convolution", "takes what its checks refuse");
    return;
  }
  const ptrdiff_t C = g.large_channels, K = g.small_channels, filter_count = g.filter_height * g.filter_width * C * K;
  const ptrdiff_t large = g.samples * g.large_height * g.large_width * C;
  const ptrdiff_t small = g.samples * g.small_height * g.small_width * K;
  float *x = whole(b, large), *y = whole(b, small), *filter = whole(b, filter_count), *bias = whole(b, C > K ? C : K);
  as_output(a, large, x), as_output(a, small, y);
  float *gather = whole(b, gather_count), *scatter = whole(b, scatter_count);
  float *scratch = whole(b, scatter_scratch > filter_scratch ? scatter_scratch : filter_scratch);
  accepted("prepare", hg_conv2d_prepare_gather(&g, filter, gather, &p));
  accepted("prepare", hg_conv2d_prepare_scatter(&g, filter, scatter, &p));
  float *got = whole(b, large > small ? large : small), *wanted = whole(b, large > small ? large : small);
  float *dfilter = only_bias ? NULL : whole(b, filter_count), *dfilter2 = whole(b, filter_count);
  float *dbias = whole(b, C > K ? C : K), *dbias2 = whole(b, C > K ? C : K);
  if (dfilter) memcpy(dfilter2, dfilter, (size_t)filter_count * sizeof(float));
  memcpy(dbias2, dbias, (size_t)(C > K ? C : K) * sizeof(float));
  if (transposed) {
    accepted("transpose forward", hg_conv2d_transpose_forward(&g, y, scatter, bias, a, got, scratch, &p));
    hg_reference_conv2d_transpose_forward(&g, y, filter, bias, a, wanted);
    agree("transpose forward", large, got, wanted, bound_of(a));
    accepted("transpose data", hg_conv2d_transpose_backward_data(&g, x, gather, a, y, got, &p));
    hg_reference_conv2d_transpose_backward_data(&g, x, filter, a, y, wanted);
    agree("transpose data", small, got, wanted, bound_of(a));
    accepted("transpose filter",
             hg_conv2d_transpose_backward_filter(&g, y, x, accumulate, dfilter, dbias, scratch, &p));
    hg_reference_conv2d_transpose_backward_filter(&g, y, x, accumulate, dfilter ? dfilter2 : NULL, dbias2);
  } else {
    accepted("forward", hg_conv2d_forward(&g, x, gather, bias, a, got, &p));
    hg_reference_conv2d_forward(&g, x, filter, bias, a, wanted);
    agree("forward", small, got, wanted, bound_of(a));
    accepted("data", hg_conv2d_backward_data(&g, y, scatter, a, x, got, scratch, &p));
    hg_reference_conv2d_backward_data(&g, y, filter, a, x, wanted);
    agree("data", large, got, wanted, bound_of(a));
    accepted("filter", hg_conv2d_backward_filter(&g, x, y, accumulate, dfilter, dbias, scratch, &p));
    hg_reference_conv2d_backward_filter(&g, x, y, accumulate, dfilter ? dfilter2 : NULL, dbias2);
  }
  if (dfilter) agree("filter", filter_count, dfilter, dfilter2, 0);
  agree("bias", transposed ? C : K, dbias, dbias2, 0);
  float *all[] = {x, y, filter, bias, gather, scatter, scratch, got, wanted, dfilter, dfilter2, dbias, dbias2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void pooling(bytes *b) {
  hg_geometry2d g = window_of(b);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = activation_of(b);
  if (next(b) % 8) g.small_channels = g.large_channels;
  const bool refused = hg_max_pool2d_check(&g) || hg_parallel_check(&p) || a > HG_ACTIVATION_LEAKY_RELU;
  if (!hg_max_pool2d_check(&g) && !small_enough(&g)) return;
  if (refused) {
    float none[1] = {0};
    uint8_t switches[1] = {0};
    if (!hg_max_pool2d_backward(&g, none, switches, a, none, none, &p)) fail("pooling", "takes what its checks refuse");
    return;
  }
  const ptrdiff_t large = g.samples * g.large_height * g.large_width * g.large_channels;
  const ptrdiff_t small = g.samples * g.small_height * g.small_width * g.small_channels;
  float *x = whole(b, large), *y = whole(b, small), *dy = whole(b, small), *dx = whole(b, large);
  float *y2 = whole(b, small), *dx2 = whole(b, large);
  uint8_t *switches = malloc((size_t)small + 1), *switches2 = malloc((size_t)small + 1);
  if (!switches || !switches2) abort();
  accepted("pool", hg_max_pool2d_forward(&g, x, y, switches, &p));
  hg_reference_max_pool2d_forward(&g, x, y2, switches2);
  agree("pool", small, y, y2, 0);
  if (memcmp(switches, switches2, (size_t)small)) fail("pool", "other switches");
  if (next(b) % 2)
    for (ptrdiff_t i = 0; i < small; i++) switches[i] = (uint8_t)(i * 37 + (ptrdiff_t)next(b)); /* of no pooling */
  as_output(a, small, y);
  accepted("pool backward", hg_max_pool2d_backward(&g, dy, switches, a, y, dx, &p));
  hg_reference_max_pool2d_backward(&g, dy, switches, a, y, dx2);
  agree("pool backward", large, dx, dx2, 4 * bound_of(a));
  accepted("unpool", hg_max_unpool2d_forward(&g, dy, switches, dx, &p));
  hg_reference_max_unpool2d_forward(&g, dy, switches, dx2);
  agree("unpool", large, dx, dx2, 0);
  accepted("unpool backward", hg_max_unpool2d_backward(&g, x, switches, y, &p));
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
  if (refused || a > HG_ACTIVATION_LEAKY_RELU) {
    float none[1] = {0};
    if (!hg_dense_forward(&g, none, none, NULL, a, none, none, &p)) fail("dense", "takes what its check refuses");
    return;
  }
  if ((double)g.inputs * (double)g.outputs > 1e5 || (double)g.samples * (double)(g.inputs + g.outputs) > 1e5) return;
  const ptrdiff_t in = g.samples * g.inputs, out = g.samples * g.outputs, weights = g.inputs * g.outputs;
  float *x = whole(b, in), *y = whole(b, out), *weight = whole(b, weights), *bias = whole(b, g.outputs);
  as_output(a, in, x);
  float *scratch = whole(b, most), *got = whole(b, in > out ? in : out), *wanted = whole(b, in > out ? in : out);
  float *dweight = whole(b, weights), *dweight2 = whole(b, weights), *dbias2 = whole(b, g.outputs);
  accepted("dense forward", hg_dense_forward(&g, x, weight, bias, a, got, scratch, &p));
  hg_reference_dense_forward(&g, x, weight, bias, a, wanted);
  agree("dense forward", out, got, wanted, bound_of(a));
  accepted("transpose", hg_transpose(g.inputs, g.outputs, weight, dweight, &p));
  for (ptrdiff_t i = 0; i < weights; i++)
    if (dweight[i % g.outputs * g.inputs + i / g.outputs] != weight[i]) fail("transpose", "another matrix");
  accepted("dense data", hg_dense_backward_data(&g, y, weight, a, x, got, scratch, &p));
  hg_reference_dense_backward_data(&g, y, weight, a, x, wanted);
  agree("dense data", in, got, wanted, bound_of(a));
  const char *answer = hg_dense_backward_weight(&g, first, last, x, y, false, dweight, scratch, &p);
  if ((answer == NULL) != (first >= 0 && first <= last && last <= g.inputs)) fail("dense weight", "wrong about rows");
  hg_reference_dense_backward_weight(&g, x, y, false, dweight2, dbias2);
  if (!answer)
    agree("dense weight", (last - first) * g.outputs, dweight + first * g.outputs, dweight2 + first * g.outputs, 0);
  accepted("dense bias", hg_dense_backward_bias(&g, y, false, bias));
  agree("dense bias", g.outputs, bias, dbias2, 0);
  float *all[] = {x, y, weight, bias, scratch, got, wanted, dweight, dweight2, dbias2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Elements of arrays here are at most 3; a loss of `count` of them carries at most ten roundoffs of each term (4 and
 * its sum) and count / 16 + 6 of the sum (Tests/HourglassKernelsTests/LikelihoodTests.swift). */
static void pointwise(bytes *b) {
  const ptrdiff_t N = extent(b, 5), count = extent(b, 70);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = activation_of(b);
  if (N < 0 || count < 0 || N > 100 || count > 1000) {
    if ((N < 0 || count < 0) && (!hg_bernoulli_logits(N, count, NULL, NULL, NULL, NULL) ||
                                 !hg_gaussian_latent_forward(N, count, NULL, NULL, NULL, NULL)))
      fail("likelihood", "takes negative counts");
    if (count < 0 && !hg_activation_forward(a, count, NULL, NULL, &p)) fail("activation", "takes a negative count");
    return;
  }
  const ptrdiff_t all = N * count;
  float *x = whole(b, 2 * all), *t = whole(b, all), *got = whole(b, 2 * all), *wanted = whole(b, 2 * all);
  float *loss = whole(b, N), *loss2 = whole(b, N), *m = whole(b, all), *m2 = whole(b, all);
  const double bound = 0x1p-24 * (double)count * (10 * 8 + ((double)count / 16 + 6) * 8);
  if ((hg_activation_forward(a, all, x, got, &p) == NULL) != (a <= HG_ACTIVATION_LEAKY_RELU && !hg_parallel_check(&p)))
    fail("activation", "against the check");
  if (a <= HG_ACTIVATION_LEAKY_RELU && !hg_parallel_check(&p)) {
    hg_reference_activation_forward(a, all, x, wanted), agree("activation", all, got, wanted, bound_of(a));
    as_output(a, all, x), accepted("activation backward", hg_activation_backward(a, all, x, t, got, &p));
    hg_reference_activation_backward(a, all, x, t, wanted);
    agree("activation backward", all, got, wanted, bound_of(a));
  }
  gelu(all, x, t, got, wanted, &p);
  const struct {
    const char *name, *(*kernel)(ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *);
    void (*reference)(ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *);
    double loss, gradient;
  } errors[] = {{"bernoulli", hg_bernoulli_logits, hg_reference_bernoulli_logits, bound, 64 * 0x1p-24},
                {"squared error", hg_squared_error, hg_reference_squared_error, 0, 0},
                {"absolute error", hg_absolute_error, hg_reference_absolute_error, 0, 0},
                {"huber", hg_huber_error, hg_reference_huber_error, 0, 0}};
  for (int i = 0; i < 4; i++) {
    accepted(errors[i].name, errors[i].kernel(N, count, x, t, loss, got));
    errors[i].reference(N, count, x, t, loss2, wanted);
    agree(errors[i].name, N, loss, loss2, errors[i].loss), agree(errors[i].name, all, got, wanted, errors[i].gradient);
  }
  accepted("gaussian", hg_gaussian(N, count, 0.5f, x, t, loss, got));
  hg_reference_gaussian(N, count, 0.5f, x, t, loss2, wanted);
  agree("gaussian", N, loss, loss2, 4 * bound), agree("gaussian gradient", all, got, wanted, 0);
  const ptrdiff_t channels = 1 + next(b) % 4, pixels = count / channels, heads = 2 * N * pixels * channels;
  accepted("gaussian heads", hg_gaussian_heads(N, pixels, channels, x, t, loss, got));
  hg_reference_gaussian_heads(N, pixels, channels, x, t, loss2, wanted);
  agree("gaussian heads", N, loss, loss2, 256 * bound),
      agree("gaussian heads gradient", heads, got, wanted, 0x1p14 * 0x1p-24);
  int32_t *labels = (int32_t *)whole(b, N);
  for (ptrdiff_t n = 0; n < N && count > 0; n++) labels[n] = (int32_t)((ptrdiff_t)next(b) % count);
  if (N > 0 && count > 0) {
    accepted("softmax", hg_softmax_cross_entropy(N, count, x, labels, loss, got));
    hg_reference_softmax_cross_entropy(N, count, x, labels, loss2, wanted);
    agree("softmax", N, loss, loss2, 0x1p-24 * (200 + (double)count / 16));
    agree("softmax gradient", all, got, wanted, 0x1p-24 * (200 + (double)count / 16));
    labels[N - 1] = next(b) % 2 ? -1 : (int32_t)count;
    if (!hg_softmax_cross_entropy(N, count, x, labels, loss, got)) fail("softmax", "takes a label beyond the classes");
  }
  accepted("latent", hg_gaussian_latent_forward(N, count, x, t, got, loss));
  hg_reference_gaussian_latent_forward(N, count, x, t, wanted, loss2);
  agree("latent", all, got, wanted, 256 * 0x1p-24), agree("divergence", N, loss, loss2, 4 * bound);
  accepted("latent backward", hg_gaussian_latent_backward(N, count, x, t, m, 2, got));
  hg_reference_gaussian_latent_backward(N, count, x, t, m, 2, wanted);
  agree("latent backward", 2 * all, got, wanted, 2048 * 0x1p-24);
  /* A mean of exactly 1/4 needs variances of 1, and then both ways of adding are exact. */
  accepted("free bits", hg_gaussian_free_bits(N, count, x, 0.25f, 2, got));
  hg_reference_gaussian_free_bits(N, count, x, 0.25f, 2, wanted);
  agree("free bits", 2 * all, got, wanted, 4096 * 0x1p-24);
  accepted("log ratio", hg_gaussian_log_ratio(N, count, x, t, m, loss));
  hg_reference_gaussian_log_ratio(N, count, x, t, m, loss2);
  agree("log ratio", N, loss, loss2, bound);
  accepted("log ratio backward", hg_gaussian_log_ratio_backward(N, count, x, t, m, loss, t, got));
  hg_reference_gaussian_log_ratio_backward(N, count, x, t, m, loss, t, wanted);
  agree("log ratio backward", 2 * all, got, wanted, 2048 * 0x1p-24 * (1 + 9 * (double)count));
  /* A row of one error for each sample; the weights land in the second half of what it was copied to. */
  if ((hg_importance_bound(N, count, 1, x, t, loss, got + all, m2) == NULL) != (count > 0))
    fail("importance", "against what the header says");
  if (count > 0) {
    memcpy(got, m, (size_t)all * sizeof(float)), memcpy(wanted, m, (size_t)all * sizeof(float));
    accepted("importance", hg_importance_bound(N, count, 1, x, t, loss, got + all, got));
    hg_reference_importance_bound(N, count, 1, x, t, loss2, wanted + all, wanted);
    agree("importance", N, loss, loss2, 0x1p-24 * (200 + (double)count / 16));
    agree("importance weights", 2 * all, got, wanted, 0x1p-24 * (400 + (double)count / 16));
  }
  const hg_random_stream stream = {sizeof stream, next(b) * 0x123456789abULL, next(b), next(b), next(b)};
  const ptrdiff_t first = 2 * (ptrdiff_t)next(b);
  accepted("bits", hg_random_bits(&stream, first, all, (uint32_t *)got));
  hg_reference_random_bits(&stream, first, all, (uint32_t *)wanted);
  if (memcmp(got, wanted, (size_t)all * 4)) fail("bits", "differ");
  accepted("normal", hg_random_normal(&stream, first, all, got)),
      hg_reference_random_normal(&stream, first, all, wanted);
  agree("normal", all, got, wanted, 128 * 0x1p-24);
  const float rate = (float)next(b) / 200; /* from 1 on refused */
  const ptrdiff_t words = N * hg_dropout_mask_count(count);
  uint32_t *mask = (uint32_t *)whole(b, words), *mask2 = (uint32_t *)whole(b, words);
  const bool bad = rate >= 1 || a > HG_ACTIVATION_LEAKY_RELU || hg_parallel_check(&p);
  if ((hg_dropout_forward(&stream, rate, N, count, a, x, got, mask, &p) != NULL) != bad)
    fail("dropout", "against what the header says");
  if (!bad) {
    hg_reference_dropout_forward(&stream, rate, N, count, a, x, wanted, mask2);
    agree("dropout", all, got, wanted, 4 * 0x1p-24);
    if (memcmp(mask, mask2, (size_t)words * sizeof *mask)) fail("dropout", "another mask");
    accepted("dropout backward", hg_dropout_backward(rate, N, count, t, mask, a, x, got, &p));
    hg_reference_dropout_backward(rate, N, count, t, mask, a, x, wanted);
    agree("dropout backward", all, got, wanted, 4 * 0x1p-24 + bound_of(a));
  }
  if (!hg_parallel_check(&p)) {
    accepted("noise", hg_gaussian_noise(&stream, 0.5f, N, count, x, got, &p));
    hg_reference_gaussian_noise(&stream, 0.5f, N, count, x, wanted), agree("noise", all, got, wanted, 64 * 0x1p-24);
  }
  free(mask), free(mask2);
  const hg_sgd_options sgd = {sizeof sgd, 0.5f, 2, next(b) % 2 ? 0.5f : 0, 1, next(b) % 2};
  memcpy(got, t, (size_t)all * sizeof(float)), memcpy(wanted, t, (size_t)all * sizeof(float));
  memcpy(m2, m, (size_t)all * sizeof(float));
  accepted("sgd", hg_sgd(&sgd, all, x, got, m)), hg_reference_sgd(&sgd, all, x, wanted, m2);
  agree("sgd", all, got, wanted, 0);
  for (ptrdiff_t i = 0; i < all; i++) m[i] = m2[i] = t[i] = x[all + i] = fabsf(t[i]);
  const hg_rmsprop_options rmsprop = {sizeof rmsprop, 0.5f, 2, 0.5f, 1, 0};
  accepted("rmsprop", hg_rmsprop(&rmsprop, all, x, got, m, NULL));
  hg_reference_rmsprop(&rmsprop, all, x, wanted, m2, NULL);
  const hg_adagrad_options adagrad = {sizeof adagrad, 0.5f, 2, 1};
  accepted("adagrad", hg_adagrad(&adagrad, all, x, got, m)), hg_reference_adagrad(&adagrad, all, x, wanted, m2);
  const hg_adadelta_options adadelta = {sizeof adadelta, 0.5f, 2, 0.5f, 1};
  accepted("adadelta", hg_adadelta(&adadelta, all, x, got, m, t));
  hg_reference_adadelta(&adadelta, all, x, wanted, m2, x + all);
  agree("moments", all, m, m2, 64 * 0x1p-24), agree("moments", all, t, x + all, 64 * 0x1p-24);
  accepted("penalize", hg_penalize(all, 0.5f, 2, 0.25f, x, got)), hg_reference_penalize(all, 0.5f, 2, 0.25f, x, wanted);
  agree("weights", all, got, wanted, 256 * 0x1p-24);
  accepted("moving average", hg_moving_average(all, 0.75f, x, got)), hg_reference_moving_average(all, 0.75f, x, wanted);
  agree("moving average", all, got, wanted, 0x1p-20);
  if (N > 0) {
    accepted("shards", hg_sum_shards(count, N, count, t, false, got));
    for (ptrdiff_t i = 0; i < count; i++) {
      wanted[i] = t[i];
      for (ptrdiff_t n = 1; n < N; n++) wanted[i] += t[n * count + i];
    }
    agree("shards", count, got, wanted, 0);
  }
  if (hg_first_nonfinite(all, x) != -1) fail("nonfinite", "found among whole numbers");
  float *arrays[] = {x, t, got, wanted, loss, loss2, m, m2, (float *)labels};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const families[])(bytes *) = {convolutions, winograd,   pooling,       dense,
                                              pointwise,    upsampling, normalisation, dissimilarity};
  static const char *const sets[] = {"avx512", "avx2", "neon", "baseline"};
  bytes b = {data, size, 1};
  hg_isa_select(sets[next(&b) % 4]); /* stays as it was where this machine lacks it */
  b.state = next(&b);
  families[next(&b) % (sizeof families / sizeof *families)](&b);
  return 0;
}

#ifdef STANDALONE
int main(int count, char **arguments) {
  const long runs = count > 1 ? atol(arguments[1]) : 1000;
  uint64_t state = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
  for (long run = 0; run < runs; run++) {
    uint8_t data[64];
    for (size_t i = 0; i < sizeof data; i++) /* SplitMix64, a byte at a time */
      state += 0x9e3779b97f4a7c15, data[i] = (uint8_t)(((state ^ state >> 30) * 0xbf58476d1ce4e5b9) >> 56);
    LLVMFuzzerTestOneInput(data, sizeof data);
  }
  printf("fuzz: %ld runs, nothing found\n", runs);
  return 0;
}
#endif
