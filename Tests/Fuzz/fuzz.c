/* Every operation on arguments made of arbitrary bytes: it must refuse them, or compute within arrays of exactly the
 * sizes that the header names and agree with its definition. Arrays hold small whole numbers, so that sums are exact
 * and agreement is equality; where an operation calls exp or log, its documented bound.
 *
 * With -fsanitize=fuzzer the bytes come from libFuzzer; with -DSTANDALONE from a generator: fuzz RUNS [SEED]. With
 * `fuzz RUNS SEED bits` arrays hold fractions, nothing is compared, and each output is printed as its operation and a
 * hash of its bits: the same on every processor, instruction set and compiler that fuses multiply and add. */
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

/* Whether outputs are printed rather than compared, those of the instruction set in use alone. */
static bool printing;

/* Whole numbers from -3 to 3, or fractions where outputs are printed, in a block of just this size. */
static float *whole(bytes *b, ptrdiff_t count) {
  float *x = malloc((size_t)count * sizeof(float) + (count == 0));
  if (!x) abort();
  for (ptrdiff_t i = 0; i < count; i++) {
    b->state = b->state * 1664525 + 1013904223;
    x[i] = (float)(b->state >> 24) * 7 / 256;
    x[i] = printing ? (float)((int32_t)(b->state >> 8) - (1 << 23)) * 0x1p-22f : floorf(x[i]) - 3;
  }
  return x;
}

/* FNV-1a of the bits, with one NaN for all. */
static void print_bits(const char *operation, ptrdiff_t count, const float *x) {
  uint64_t hash = 0xcbf29ce484222325;
  for (ptrdiff_t i = 0; i < count; i++) {
    uint32_t word;
    memcpy(&word, &x[i], sizeof word);
    if (x[i] != x[i]) word = 0x7fc00000;
    for (int byte = 0; byte < 4; byte++) hash = (hash ^ (word >> 8 * byte & 255)) * 0x100000001b3;
  }
  printf("%s %td %016llx\n", operation, count, (unsigned long long)hash);
}

static void agree(const char *operation, ptrdiff_t count, const float *got, const float *wanted, double bound) {
  if (printing) {
    print_bits(operation, count, got);
    return;
  }
  for (ptrdiff_t i = 0; i < count; i++)
    if (!(fabs((double)got[i] - (double)wanted[i]) <= bound * (1 + fabs((double)wanted[i])))) {
      fprintf(stderr, "element %td is %g instead of %g\n", i, (double)got[i], (double)wanted[i]);
      fail(operation, "differs from its definition");
    }
}

/* The operations of the table; those that were made on arguments that they accept. */
enum {
#define HG_OPERATION(name) MADE_##name,
#include "../../Sources/HourglassKernels/ops.def"
  OPERATIONS
};
static const char *const operation_names[] = {
#define HG_OPERATION(name) "hg_" #name,
#include "../../Sources/HourglassKernels/ops.def"
};
static bool made[OPERATIONS];

/* Whether a call refuses, by a sentence with a code. */
static bool refuses(const char *answer) {
  const hg_error code = hg_error_of(answer);
  if (answer ? code < HG_ERROR_SIZE || code > HG_ERROR_ISA : code != HG_ERROR_NONE) fail("hg_error_of", "another code");
  return answer != NULL;
}

static void accepted(const char *operation, const char *answer) {
  if (answer) fail(operation, answer);
}
/* A call that is no operation of its own, and one that is. */
#define ACCEPTED(name, arguments) accepted("hg_" #name, hg_##name arguments)
#define MADE(name, arguments) (made[MADE_##name] = true, ACCEPTED(name, arguments))

/* Parts in any order, from where the bytes say. */
static void in_turn(void *context, ptrdiff_t parts, void (*body)(void *argument, ptrdiff_t part), void *argument) {
  const ptrdiff_t first = *(ptrdiff_t *)context % parts;
  for (ptrdiff_t i = 0; i < parts; i++) body(argument, (first + i) % parts);
}

static ptrdiff_t first_part;
static hg_parallel parallel_of(bytes *b) {
  const unsigned byte = next(b);
  first_part = byte / 8;
  const ptrdiff_t threads = byte == 255 ? 65537 : byte > 240 ? 300 : (ptrdiff_t)byte % 6;
  return (hg_parallel){sizeof(hg_parallel), threads, in_turn, &first_part};
}

/* One beyond the last is unknown to the library. */
static hg_activation activation_of(bytes *b) {
  const unsigned kind = next(b) % (HG_ACTIVATION_HARD_TANH + 2);
  return kind == HG_ACTIVATION_LEAKY_RELU ? HG_LEAKY_RELU((float)(next(b) + 1) / 256) : (hg_activation)kind;
}
static bool is_known(hg_activation activation) { return (activation & 0xff) <= HG_ACTIVATION_HARD_TANH; }
/* Roundoffs of an activation or its derivative, the sum it is applied to being exact: at most 7, and the reference's
 * own (Tests/HourglassKernelsTests/ActivationTests.swift). */
static double bound_of(hg_activation activation) { return activation <= HG_ACTIVATION_RELU ? 0 : 8 * 0x1p-24; }

/* What a softplus has made is not negative, so its derivative need not be right elsewhere. */
static void as_output(hg_activation activation, ptrdiff_t count, float *y) {
  for (ptrdiff_t i = 0; i < count && activation == HG_ACTIVATION_SOFTPLUS; i++) y[i] = fabsf(y[i]);
}

#include "strides.h"
/* */
#include "layers.h"
/* */
#include "resampling.h"

/* Elements of arrays here are at most 3; a loss of `count` of them carries at most ten roundoffs of each term (4 and
 * its sum) and count / 16 + 6 of the sum (Tests/HourglassKernelsTests/LikelihoodTests.swift). */
static void pointwise(bytes *b) {
  const ptrdiff_t N = extent(b, 5), count = extent(b, 70);
  const hg_parallel p = parallel_of(b);
  const hg_activation a = activation_of(b);
  if (N < 0 || count < 0 || N > 100 || count > 1000) {
    if ((N < 0 || count < 0) && (!refuses(hg_bernoulli_logits(N, count, NULL, NULL, NULL, NULL, NULL)) ||
                                 !refuses(hg_gaussian_latent_forward(N, count, NULL, NULL, NULL, NULL, NULL))))
      fail("likelihood", "takes negative counts");
    if (count < 0 && !refuses(hg_activation_forward(a, count, NULL, NULL, &p)))
      fail("activation", "takes a negative count");
    return;
  }
  const hg_parallel *q = hg_parallel_check(&p) ? NULL : &p;
  if (!q && !refuses(hg_squared_error(N, count, NULL, NULL, NULL, NULL, &p)))
    fail("likelihood", "takes what its check refuses");
  const ptrdiff_t all = N * count;
  float *x = whole(b, 2 * all), *t = whole(b, all), *got = whole(b, 2 * all), *wanted = whole(b, 2 * all);
  float *loss = whole(b, N), *loss2 = whole(b, N), *m = whole(b, all), *m2 = whole(b, all);
  const double bound = 0x1p-24 * (double)count * (10 * 8 + ((double)count / 16 + 6) * 8);
  if ((hg_activation_forward(a, all, x, got, &p) == NULL) != (is_known(a) && !hg_parallel_check(&p)))
    fail("activation", "against the check");
  if (is_known(a) && !hg_parallel_check(&p)) {
    MADE(activation_forward, (a, all, x, got, &p));
    hg_reference_activation_forward(a, all, x, wanted), agree("activation", all, got, wanted, bound_of(a));
    as_output(a, all, x), MADE(activation_backward, (a, all, x, t, got, &p));
    hg_reference_activation_backward(a, all, x, t, wanted);
    agree("activation backward", all, got, wanted, bound_of(a));
  }
  branches(b, a, N, count, x, t, got, wanted, &p);
  of_input(b, all, x, t, got, wanted, &p);
  of_channels(b, N, count, x, t, got, wanted, &p);
  const struct {
    int operation;
    const char *(*kernel)(ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *, const hg_parallel *);
    void (*reference)(ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *);
    double loss, gradient;
  } errors[] = {{MADE_bernoulli_logits, hg_bernoulli_logits, hg_reference_bernoulli_logits, bound, 64 * 0x1p-24},
                {MADE_squared_error, hg_squared_error, hg_reference_squared_error, 0, 0},
                {MADE_absolute_error, hg_absolute_error, hg_reference_absolute_error, 0, 0},
                {MADE_huber_error, hg_huber_error, hg_reference_huber_error, 0, 0},
                {MADE_log_cosh_error, hg_log_cosh_error, hg_reference_log_cosh_error, bound, 64 * 0x1p-24}};
  for (int i = 0; i < 5; i++) {
    const char *name = operation_names[errors[i].operation];
    made[errors[i].operation] = true;
    accepted(name, errors[i].kernel(N, count, x, t, loss, got, q));
    errors[i].reference(N, count, x, t, loss2, wanted);
    agree(name, N, loss, loss2, errors[i].loss), agree(name, all, got, wanted, errors[i].gradient);
  }
  MADE(gaussian, (N, count, 0.5f, x, t, loss, got, q));
  hg_reference_gaussian(N, count, 0.5f, x, t, loss2, wanted);
  agree("gaussian", N, loss, loss2, 4 * bound), agree("gaussian gradient", all, got, wanted, 0);
  const ptrdiff_t channels = 1 + next(b) % 4, pixels = count / channels, heads = 2 * N * pixels * channels;
  MADE(gaussian_heads, (N, pixels, channels, x, t, loss, got, q));
  hg_reference_gaussian_heads(N, pixels, channels, x, t, loss2, wanted);
  agree("gaussian heads", N, loss, loss2, 256 * bound),
      agree("gaussian heads gradient", heads, got, wanted, 0x1p14 * 0x1p-24);
  for (ptrdiff_t i = 0; i < all; i++) t[i] = fabsf(t[i]);
  MADE(poisson, (N, count, x, t, loss, got, q)), hg_reference_poisson(N, count, x, t, loss2, wanted);
  agree("poisson", N, loss, loss2, 8 * bound), agree("poisson gradient", all, got, wanted, 256 * 0x1p-24);
  MADE(multinomial, (N, count, x, t, loss, got, q)), hg_reference_multinomial(N, count, x, t, loss2, wanted);
  agree("multinomial", N, loss, loss2, 16 * bound);
  agree("multinomial gradient", all, got, wanted, 0x1p-24 * 64 * (3 * (double)count + 8));
  MADE(negative_binomial, (N, pixels, channels, x, t, loss, got, q));
  hg_reference_negative_binomial(N, pixels, channels, x, t, loss2, wanted);
  agree("negative binomial", N, loss, loss2, 16 * bound);
  agree("negative binomial gradient", heads, got, wanted, 0x1p10 * 0x1p-24);
  MADE(discretized_logistic, (N, pixels, channels, x, t, loss, got, q));
  hg_reference_discretized_logistic(N, pixels, channels, x, t, loss2, wanted);
  agree("discretized logistic", N, loss, loss2, 256 * bound);
  agree("discretized logistic gradient", heads, got, wanted, 0x1p12 * 0x1p-24);
  int32_t *labels = (int32_t *)whole(b, N);
  for (ptrdiff_t n = 0; n < N && count > 0; n++) labels[n] = (int32_t)((ptrdiff_t)next(b) % count);
  if (N > 0 && count > 0) {
    MADE(softmax_cross_entropy, (N, count, x, labels, loss, got, q));
    hg_reference_softmax_cross_entropy(N, count, x, labels, loss2, wanted);
    agree("softmax", N, loss, loss2, 0x1p-24 * (200 + (double)count / 16));
    agree("softmax gradient", all, got, wanted, 0x1p-24 * (200 + (double)count / 16));
    labels[N - 1] = next(b) % 2 ? -1 : (int32_t)count;
    if (!refuses(hg_softmax_cross_entropy(N, count, x, labels, loss, got, q)))
      fail("softmax", "takes a label beyond the classes");
  }
  MADE(gaussian_latent_forward, (N, count, x, t, got, loss, q));
  hg_reference_gaussian_latent_forward(N, count, x, t, wanted, loss2);
  agree("latent", all, got, wanted, 256 * 0x1p-24), agree("divergence", N, loss, loss2, 4 * bound);
  MADE(gaussian_latent_backward, (N, count, x, t, m, 2, got, q));
  hg_reference_gaussian_latent_backward(N, count, x, t, m, 2, wanted);
  agree("latent backward", 2 * all, got, wanted, 2048 * 0x1p-24);
  /* A mean of exactly 1/4 needs variances of 1, and then both ways of adding are exact. */
  MADE(gaussian_free_bits, (N, count, x, 0.25f, 2, got, q));
  hg_reference_gaussian_free_bits(N, count, x, 0.25f, 2, wanted);
  agree("free bits", 2 * all, got, wanted, 4096 * 0x1p-24);
  MADE(gaussian_log_ratio, (N, count, x, t, m, loss, q));
  hg_reference_gaussian_log_ratio(N, count, x, t, m, loss2);
  agree("log ratio", N, loss, loss2, bound);
  MADE(gaussian_log_ratio_backward, (N, count, x, t, m, loss, t, got, q));
  hg_reference_gaussian_log_ratio_backward(N, count, x, t, m, loss, t, wanted);
  agree("log ratio backward", 2 * all, got, wanted, 2048 * 0x1p-24 * (1 + 9 * (double)count));
  /* A row of one error for each sample; the weights land in the second half of what it was copied to. */
  if ((hg_importance_bound(N, count, 1, x, t, loss, got + all, m2, q) == NULL) != (count > 0))
    fail("importance", "against what the header says");
  if (count > 0) {
    memcpy(got, m, (size_t)all * sizeof(float)), memcpy(wanted, m, (size_t)all * sizeof(float));
    MADE(importance_bound, (N, count, 1, x, t, loss, got + all, got, q));
    hg_reference_importance_bound(N, count, 1, x, t, loss2, wanted + all, wanted);
    agree("importance", N, loss, loss2, 0x1p-24 * (200 + (double)count / 16));
    agree("importance weights", 2 * all, got, wanted, 0x1p-24 * (400 + (double)count / 16));
  }
  const hg_random_stream stream = {sizeof stream, next(b) * 0x123456789abULL, next(b), next(b), next(b)};
  const ptrdiff_t first = 2 * (ptrdiff_t)next(b);
  MADE(random_bits, (&stream, first, all, (uint32_t *)got));
  hg_reference_random_bits(&stream, first, all, (uint32_t *)wanted);
  if (memcmp(got, wanted, (size_t)all * 4)) fail("bits", "differ");
  MADE(random_uniform, (&stream, first, all, got)), hg_reference_random_uniform(&stream, first, all, wanted);
  agree("uniform", all, got, wanted, 0);
  MADE(random_normal, (&stream, first, all, got)), hg_reference_random_normal(&stream, first, all, wanted);
  agree("normal", all, got, wanted, 128 * 0x1p-24);
  const float rate = (float)next(b) / 200; /* from 1 on refused */
  const ptrdiff_t words = N * hg_dropout_mask_count(count);
  uint32_t *mask = (uint32_t *)whole(b, words), *mask2 = (uint32_t *)whole(b, words);
  const bool bad = rate >= 1 || !is_known(a) || hg_parallel_check(&p);
  if ((hg_dropout_forward(&stream, rate, N, count, a, x, got, mask, &p) != NULL) != bad)
    fail("dropout", "against what the header says");
  if (!bad) {
    MADE(dropout_forward, (&stream, rate, N, count, a, x, got, mask, &p));
    hg_reference_dropout_forward(&stream, rate, N, count, a, x, wanted, mask2);
    agree("dropout", all, got, wanted, 4 * 0x1p-24);
    if (memcmp(mask, mask2, (size_t)words * sizeof *mask)) fail("dropout", "another mask");
    MADE(dropout_backward, (rate, N, count, t, mask, a, x, got, &p));
    hg_reference_dropout_backward(rate, N, count, t, mask, a, x, wanted);
    agree("dropout backward", all, got, wanted, 4 * 0x1p-24 + bound_of(a));
  }
  if (!hg_parallel_check(&p)) {
    MADE(gaussian_noise, (&stream, 0.5f, N, count, x, got, &p));
    hg_reference_gaussian_noise(&stream, 0.5f, N, count, x, wanted), agree("noise", all, got, wanted, 64 * 0x1p-24);
  }
  free(mask), free(mask2);
  const hg_sgd_options sgd = {sizeof sgd, 0.5f, 2, next(b) % 2 ? 0.5f : 0, 1, next(b) % 2};
  memcpy(got, t, (size_t)all * sizeof(float)), memcpy(wanted, t, (size_t)all * sizeof(float));
  memcpy(m2, m, (size_t)all * sizeof(float));
  MADE(sgd, (&sgd, all, x, got, m, q)), hg_reference_sgd(&sgd, all, x, wanted, m2);
  agree("sgd", all, got, wanted, 0);
  for (ptrdiff_t i = 0; i < all; i++) m[i] = m2[i] = t[i] = x[all + i] = fabsf(t[i]);
  const hg_adam_options adam = {sizeof adam, 0.5f, 2, 0.5f, 0.75f, 1, 0.25f, 0.5f, 0.25f};
  MADE(adam, (&adam, all, x, got, m, x + all, q)), hg_reference_adam(&adam, all, x, wanted, m2, t);
  agree("adam", all, got, wanted, 256 * 0x1p-24), agree("moments", all, m, m2, 64 * 0x1p-24);
  agree("moments", all, x + all, t, 64 * 0x1p-24);
  for (ptrdiff_t i = 0; i < all; i++) m[i] = m2[i] = t[i] = x[all + i];
  const hg_rmsprop_options rmsprop = {sizeof rmsprop, 0.5f, 2, 0.5f, 1, 0};
  MADE(rmsprop, (&rmsprop, all, x, got, m, NULL, q));
  hg_reference_rmsprop(&rmsprop, all, x, wanted, m2, NULL);
  const hg_adagrad_options adagrad = {sizeof adagrad, 0.5f, 2, 1};
  MADE(adagrad, (&adagrad, all, x, got, m, q)), hg_reference_adagrad(&adagrad, all, x, wanted, m2);
  const hg_adadelta_options adadelta = {sizeof adadelta, 0.5f, 2, 0.5f, 1};
  MADE(adadelta, (&adadelta, all, x, got, m, t, q));
  hg_reference_adadelta(&adadelta, all, x, wanted, m2, x + all);
  agree("moments", all, m, m2, 64 * 0x1p-24), agree("moments", all, t, x + all, 64 * 0x1p-24);
  MADE(penalize, (all, 0.5f, 2, 0.25f, x, got, q)), hg_reference_penalize(all, 0.5f, 2, 0.25f, x, wanted);
  agree("weights", all, got, wanted, 256 * 0x1p-24);
  MADE(clip, (all, 0.5f, 0.25f, got, q)), hg_reference_clip(all, 0.5f, 0.25f, wanted);
  agree("clipped", all, got, wanted, 256 * 0x1p-24);
  MADE(moving_average, (all, 0.75f, x, got, q)), hg_reference_moving_average(all, 0.75f, x, wanted);
  agree("moving average", all, got, wanted, 0x1p-20);
  if (N > 0) {
    const bool onto = next(b) % 2;
    memcpy(wanted, got, (size_t)count * sizeof(float));
    MADE(sum_shards, (count, N, count, t, onto, got, q)), hg_reference_sum_shards(count, N, count, t, onto, wanted);
    agree("shards", count, got, wanted, 0);
  }
  made[MADE_sum_of_squares] = made[MADE_first_nonfinite] = true;
  if (hg_sum_of_squares(all, x) != hg_reference_sum_of_squares(all, x)) fail("sum of squares", "differs");
  const ptrdiff_t columns = 1 + next(b) % 70, rows = all / columns;
  int32_t *least = (int32_t *)whole(b, rows), *least2 = (int32_t *)whole(b, rows);
  MADE(argmin, (rows, columns, x, least)), hg_reference_argmin(rows, columns, x, least2);
  if (memcmp(least, least2, (size_t)rows * sizeof *least)) fail("argmin", "another column");
  free(least), free(least2);
  if (all > 0 && next(b) % 2) x[next(b) % all] = next(b) % 2 ? INFINITY : NAN;
  if (hg_first_nonfinite(all, x) != hg_reference_first_nonfinite(all, x)) fail("nonfinite", "found elsewhere");
  float *arrays[] = {x, t, got, wanted, loss, loss2, m, m2, (float *)labels};
  for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const families[])(bytes *) = {convolutions,  pooling,       dense,      pointwise,  upsampling,
                                              normalisation, dissimilarity, resampling, permutation};
  bytes b = {data, size, 1};
  ptrdiff_t sets = 0;
  while (hg_isa_names(sets)) sets++;
  const unsigned set = next(&b);
  if (!printing) accepted("hg_isa_select", hg_isa_select(hg_isa_names(set % sets)));
  b.state = next(&b);
  families[next(&b) % (sizeof families / sizeof *families)](&b);
  return 0;
}

#ifdef STANDALONE
int main(int count, char **arguments) {
  const long runs = count > 1 ? atol(arguments[1]) : 1000;
  uint64_t state = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
  printing = count > 3;
  for (long run = 0; run < runs; run++) {
    uint8_t data[64];
    for (size_t i = 0; i < sizeof data; i++) /* SplitMix64, a byte at a time */
      state += 0x9e3779b97f4a7c15, data[i] = (uint8_t)(((state ^ state >> 30) * 0xbf58476d1ce4e5b9) >> 56);
    LLVMFuzzerTestOneInput(data, sizeof data);
  }
  for (int i = 0; i < OPERATIONS && runs >= 1000; i++)
    if (!made[i]) fail(operation_names[i], "is in ops.def, but nothing here makes it on arguments that it accepts");
  if (!printing) printf("fuzz: %ld runs, nothing found\n", runs);
  return 0;
}
#endif
