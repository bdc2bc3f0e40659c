/* Trains a small convolutional autoencoder with the kernels alone. The program owns everything: one block of memory,
 * the threads' number, the layers' order.   train [FILE [THREADS]]   FILE: IDX images as MNIST's, - for standard input.
 */
#include <hourglass_kernels.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 64, LAYERS = 6, EPOCHS = 3, MOST_IMAGES = 6400 };

static hg_parallel parallel = {sizeof(hg_parallel), 2, NULL, NULL};

/* Every operation answers NULL or a sentence. */
static void done(const char *refusal) {
  if (!refusal) return;
  fprintf(stderr, "train: %s\n", refusal);
  exit(1);
}

typedef struct layer {
  enum { CONV, TRANSPOSED, DENSE } kind;
  hg_geometry2d window;
  hg_dense dense;
  hg_activation activation;
  ptrdiff_t inputs, outputs, weights, biases; /* of a sample; of the layer */
  float *weight, *gradient;                   /* weights, then biases */
  float *y, *dy;
  hg_gather_filter *gather; /* the filter as the passes of a convolution read it */
  hg_scatter_filter *scatter;
} layer;

static layer convolution(int kind, ptrdiff_t large, ptrdiff_t C, ptrdiff_t K, hg_activation activation) {
  layer l = {.kind = kind, .activation = activation};
  l.window = (hg_geometry2d){.size = sizeof l.window,
                             .samples = BATCH,
                             .large_height = large,
                             .large_width = large,
                             .large_channels = C,
                             .small_height = large / 2,
                             .small_width = large / 2,
                             .small_channels = K,
                             .filter_height = 4,
                             .filter_width = 4,
                             .stride_vertical = 2,
                             .stride_horizontal = 2,
                             .pad_top = 1,
                             .pad_left = 1};
  done(hg_conv2d_check(&l.window));
  const ptrdiff_t sides[2] = {large * large * C, large * large / 4 * K};
  l.inputs = sides[kind == TRANSPOSED], l.outputs = sides[kind == CONV];
  l.weights = 4 * 4 * C * K, l.biases = kind == CONV ? K : C;
  return l;
}

static layer dense(ptrdiff_t inputs, ptrdiff_t outputs, hg_activation activation) {
  layer l = {.kind = DENSE, .activation = activation, .inputs = inputs, .outputs = outputs};
  l.dense = (hg_dense){sizeof l.dense, BATCH, inputs, outputs};
  done(hg_dense_check(&l.dense));
  l.weights = inputs * outputs, l.biases = outputs;
  return l;
}

/* Floats of scratch that any pass of the layer needs. */
static ptrdiff_t scratch_count(const layer *l) {
  ptrdiff_t counts[3], most = 0;
  switch (l->kind) {
    case CONV:
      counts[0] = hg_conv2d_forward_scratch(&l->window, &parallel);
      counts[1] = hg_conv2d_backward_data_scratch(&l->window, &parallel);
      counts[2] = hg_conv2d_backward_filter_scratch(&l->window, &parallel);
      break;
    case TRANSPOSED:
      counts[0] = hg_conv2d_transpose_forward_scratch(&l->window, &parallel);
      counts[1] = hg_conv2d_transpose_backward_data_scratch(&l->window, &parallel);
      counts[2] = hg_conv2d_transpose_backward_filter_scratch(&l->window, &parallel);
      break;
    case DENSE:
      counts[0] = hg_dense_forward_scratch(&l->dense, &parallel);
      counts[1] = hg_dense_backward_data_scratch(&l->dense, &parallel);
      counts[2] = hg_dense_backward_weight_scratch(&l->dense, &parallel);
  }
  for (int i = 0; i < 3; i++) most = counts[i] > most ? counts[i] : most;
  return most;
}

static void forward(const layer *l, const float *x, float *scratch) {
  const float *bias = l->weight + l->weights;
  if (l->kind == DENSE) {
    done(hg_dense_forward(&l->dense, x, l->weight, bias, l->activation, l->y, scratch, &parallel));
    return;
  }
  done(hg_conv2d_prepare_gather(&l->window, l->weight, l->gather, &parallel));
  done(hg_conv2d_prepare_scatter(&l->window, l->weight, l->scatter, &parallel));
  if (l->kind == CONV)
    done(hg_conv2d_forward(&l->window, x, l->gather, bias, l->activation, l->y, scratch, &parallel));
  else
    done(hg_conv2d_transpose_forward(&l->window, x, l->scatter, bias, l->activation, l->y, scratch, &parallel));
}

/* dx, unless NULL, is the error of the layer before, whose activation `gate` made x. */
static void backward(const layer *l, const float *x, hg_activation gate, float *dx, float *scratch) {
  float *dw = l->gradient, *db = dw + l->weights;
  switch (l->kind) {
    case CONV:
      done(hg_conv2d_backward_filter(&l->window, x, l->dy, false, dw, db, scratch, &parallel));
      if (dx) done(hg_conv2d_backward_data(&l->window, l->dy, l->scatter, gate, x, dx, scratch, &parallel));
      break;
    case TRANSPOSED:
      done(hg_conv2d_transpose_backward_filter(&l->window, x, l->dy, false, dw, db, scratch, &parallel));
      if (dx) done(hg_conv2d_transpose_backward_data(&l->window, l->dy, l->gather, gate, x, dx, scratch, &parallel));
      break;
    case DENSE:
      done(hg_dense_backward_weight(&l->dense, 0, l->inputs, x, l->dy, false, dw, scratch, &parallel));
      done(hg_dense_backward_bias(&l->dense, l->dy, false, db, &parallel));
      if (dx) done(hg_dense_backward_data(&l->dense, l->dy, l->weight, gate, x, dx, scratch, &parallel));
  }
}

/* Images in [0, 1], 28 x 28: from an IDX file, or discs of any place and size. Answers their number. */
static ptrdiff_t load(const char *path, float *images) {
  static unsigned char header[16], pixels[28 * 28];
  if (!path) {
    for (ptrdiff_t n = 0; n < MOST_IMAGES; n++) {
      const hg_random_stream stream = {sizeof stream, 1, 0, 0, (uint32_t)n};
      float place[3];
      done(hg_random_uniform(&stream, 0, 3, place));
      for (int i = 0; i < 28 * 28; i++) {
        const float h = i / 28 - (6 + 16 * place[0]), w = i % 28 - (6 + 16 * place[1]), r = 2 + 4 * place[2];
        images[n * 28 * 28 + i] = h * h + w * w < r * r;
      }
    }
    return MOST_IMAGES;
  }
  FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
  const unsigned char wanted[] = {0, 0, 8, 3}, sides[] = {0, 0, 0, 28, 0, 0, 0, 28};
  if (!file || fread(header, 16, 1, file) != 1 || memcmp(header, wanted, 4) || memcmp(header + 8, sides, 8))
    done("this is no IDX file of 28 x 28 images of bytes (gzipped? zcat FILE | train -)");
  ptrdiff_t count = 0;
  for (; count < MOST_IMAGES && fread(pixels, sizeof pixels, 1, file) == 1; count++)
    for (int i = 0; i < 28 * 28; i++) images[count * 28 * 28 + i] = (float)pixels[i] / 255;
  if (count < BATCH) done("the file has fewer images than a batch");
  return count;
}

int main(int count, char **arguments) {
  if (count > 2) parallel.threads = atoi(arguments[2]);
  done(hg_parallel_check(&parallel));
  layer layers[LAYERS] = {
      convolution(CONV, 28, 1, 16, HG_ACTIVATION_RELU),  /* 14 x 14 x 16 */
      convolution(CONV, 14, 16, 32, HG_ACTIVATION_RELU), /* 7 x 7 x 32 */
      dense(7 * 7 * 32, 32, HG_ACTIVATION_LINEAR),       /* the code */
      dense(32, 7 * 7 * 32, HG_ACTIVATION_RELU),
      convolution(TRANSPOSED, 14, 16, 32, HG_ACTIVATION_RELU), /* 14 x 14 x 16 */
      convolution(TRANSPOSED, 28, 1, 16, HG_ACTIVATION_LINEAR) /* 28 x 28 x 1, logits */
  };
  /* Twice through the layers: to count what they need, then to hand it out of one block. */
  ptrdiff_t parameters = 0, total = 0, scratch_most = 0;
  float *block = NULL, *scratch = NULL, *loss = NULL, *images = NULL, *vectors[4] = {NULL};
  for (int turn = 0; turn < 2; turn++) {
    if (turn) block = malloc((size_t)total * sizeof(float));
    if (turn && !block) done("there is not enough memory");
    total = 0;
#define TAKE(pointer, amount) ((pointer) = (void *)(block ? block + total : NULL), total += ((amount) + 15) / 16 * 16)
    for (int i = 0; i < 4; i++) TAKE(vectors[i], parameters); /* weights, gradient, two moments */
    TAKE(scratch, scratch_most);
    TAKE(loss, BATCH);
    TAKE(images, MOST_IMAGES * 28 * 28);
    ptrdiff_t at = 0;
    for (layer *l = layers; l < layers + LAYERS; l++) {
      if (block) l->weight = vectors[0] + at, l->gradient = vectors[1] + at;
      at += l->weights + l->biases;
      TAKE(l->y, BATCH * l->outputs);
      TAKE(l->dy, BATCH * l->outputs);
      TAKE(l->gather, l->kind == DENSE ? 0 : hg_conv2d_prepared_gather_count(&l->window));
      TAKE(l->scatter, l->kind == DENSE ? 0 : hg_conv2d_prepared_scatter_count(&l->window));
      if (scratch_count(l) > scratch_most) scratch_most = scratch_count(l);
    }
    if (!turn) total += 4 * (at + 16) + scratch_most, parameters = at;
  }
  memset(block, 0, (size_t)total * sizeof(float));
  for (int i = 0; i < LAYERS; i++) { /* uniform within 1 / sqrt(fan-in), biases zero */
    const hg_random_stream stream = {sizeof stream, 0, 1, 0, (uint32_t)i};
    layer *l = &layers[i];
    const ptrdiff_t fan_in = l->kind == DENSE ? l->inputs : l->weights / (l->kind == CONV ? l->biases : 4 * l->biases);
    done(hg_random_uniform(&stream, 0, l->weights, l->weight));
    for (ptrdiff_t j = 0; j < l->weights; j++) l->weight[j] = (2 * l->weight[j] - 1) / sqrtf((float)fan_in);
  }
  const ptrdiff_t batches = load(count > 1 ? arguments[1] : NULL, images) / BATCH;

  layer *last = &layers[LAYERS - 1];
  hg_adam_options adam = {sizeof adam, 1.0f / BATCH, 2e-3f, 0.9f, 0.999f, 1e-8f, 0, 1, 1};
  double powers[2] = {1, 1};
  for (int epoch = 1; epoch <= EPOCHS; epoch++) {
    double sum = 0;
    for (ptrdiff_t batch = 0; batch < batches; batch++) {
      const float *x = images + batch * BATCH * 28 * 28;
      for (int i = 0; i < LAYERS; i++) forward(&layers[i], i ? layers[i - 1].y : x, scratch);
      done(hg_bernoulli_logits(BATCH, 28 * 28, last->y, x, loss, last->dy, &parallel));
      for (int n = 0; n < BATCH; n++) sum += loss[n];
      for (int i = LAYERS - 1; i > 0; i--)
        backward(&layers[i], layers[i - 1].y, layers[i - 1].activation, layers[i - 1].dy, scratch);
      backward(&layers[0], x, HG_ACTIVATION_LINEAR, NULL, scratch);
      adam.correction1 = (float)(1 - (powers[0] *= adam.beta1)),
      adam.correction2 = (float)(1 - (powers[1] *= adam.beta2));
      done(hg_adam(&adam, parameters, vectors[1], vectors[0], vectors[2], vectors[3], &parallel));
    }
    printf("epoch %d: %.2f nats an image\n", epoch, sum / (double)(batches * BATCH));
  }
  free(block);
  return 0;
}
