/* Activations that are a pass of their own. */
#include "check.h"
#include "isa.h"

typedef struct activation_job {
  hg_activation activation;
  ptrdiff_t count;
  const float *input, *dy;
  float *output;
} activation_job;

static void forward_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const activation_job *job = argument;
  const ptrdiff_t first = hg_share_groups(job->count, part, parts), last = hg_share_groups(job->count, part + 1, parts);
  hg_kernels_in_use()->activation_forward(job->activation, last - first, job->input + first, job->output + first);
}

const char *hg_activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y,
                                  const hg_parallel *parallel) {
  if (!hg_is_of_input(activation)) HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((x && y) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const activation_job job = {.activation = activation, .count = count, .input = x, .output = y};
  hg_run(forward_part, &job, parallel);
  return NULL;
}

static void backward_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const activation_job *job = argument;
  const ptrdiff_t first = hg_share_groups(job->count, part, parts), last = hg_share_groups(job->count, part + 1, parts);
  hg_kernels_in_use()->activation_backward(job->activation, last - first, job->input + first, job->dy + first,
                                           job->output + first);
}

const char *hg_activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy,
                                   float *dx, const hg_parallel *parallel) {
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((y && dy && dx) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const activation_job job = {.activation = activation, .count = count, .input = y, .dy = dy, .output = dx};
  hg_run(backward_part, &job, parallel);
  return NULL;
}

static void backward_input_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const activation_job *job = argument;
  const ptrdiff_t first = hg_share_groups(job->count, part, parts), last = hg_share_groups(job->count, part + 1, parts);
  hg_kernels_in_use()->activation_backward_input(job->activation, last - first, job->input + first, job->dy + first,
                                                 job->output + first);
}

const char *hg_activation_backward_input(hg_activation activation, ptrdiff_t count, const float *x, const float *dy,
                                         float *dx, const hg_parallel *parallel) {
  if (!hg_is_of_input(activation))
    return HG_BAD_ACTIVATION("the derivative of this activation is found from its output");
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((x && dy && dx) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const activation_job job = {.activation = activation, .count = count, .input = x, .dy = dy, .output = dx};
  hg_run(backward_input_part, &job, parallel);
  return NULL;
}

/* An activation over an image that is not dense, or of its errors. */
typedef struct image_job {
  hg_activation activation;
  hg_image image;
  const float *gate; /* of errors, else NULL */
  float *out;
} image_job;

/* Parts share the rows. */
static void image_rows(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const image_job *job = argument;
  const hg_image *i = &job->image;
  const bool packed = i->strides.pixel == i->channels;
  const ptrdiff_t pixels = packed ? 1 : i->width, count = packed ? i->width * i->channels : i->channels;
  const ptrdiff_t rows = i->samples * i->height, end = hg_share(rows, part + 1, parts);
  const hg_kernels *kernels = hg_kernels_in_use();
  for (ptrdiff_t row = hg_share(rows, part, parts); row < end; row++)
    for (ptrdiff_t w = 0; w < pixels; w++) {
      const ptrdiff_t at =
          row / i->height * i->strides.sample + row % i->height * i->strides.row + w * i->strides.pixel;
      if (job->gate)
        kernels->activation_backward(job->activation, count, job->gate + at, job->out + at, job->out + at);
      else
        kernels->activation_forward(job->activation, count, job->out + at, job->out + at);
    }
}

const char *hg_activate(hg_activation activation, const hg_image *image, const float *gate, float *out,
                        const hg_parallel *parallel) {
  const ptrdiff_t count = hg_image_count(image);
  if (!hg_is_dense(image)) {
    const image_job job = {activation, *image, gate, out};
    hg_run(image_rows, &job, parallel);
    return NULL;
  }
  return gate ? hg_activation_backward(activation, count, gate, out, out, parallel)
              : hg_activation_forward(activation, count, out, out, parallel);
}

/* Positions of so many channels. */
static const char *check(ptrdiff_t positions, ptrdiff_t channels, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(positions, channels));
  HG_CHECK(hg_check_arrays(arrays || positions == 0 || channels == 0));
  return hg_parallel_check(parallel);
}

const char *hg_prelu_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *slope, float *y,
                             const hg_parallel *parallel) {
  HG_CHECK(check(positions, channels, x && slope && y, parallel));
  const hg_channels_job job = {.positions = positions, .channels = channels, .x = x, .slope = slope, .out = y};
  hg_run(hg_kernels_in_use()->prelu_forward, &job, parallel);
  return NULL;
}

/* The sums come first, because dx may lie over dy. */
const char *hg_prelu_backward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *dy,
                              const float *slope, bool accumulate, float *dx, float *dslope,
                              const hg_parallel *parallel) {
  HG_CHECK(check(positions, channels, x && dy && slope, parallel));
  hg_channels_job job = {.positions = positions,
                         .channels = channels,
                         .x = x,
                         .dy = dy,
                         .slope = slope,
                         .accumulate = accumulate,
                         .out = dslope};
  if (dslope) hg_run(hg_kernels_in_use()->prelu_slopes, &job, parallel);
  job.out = dx;
  if (dx) hg_run(hg_kernels_in_use()->prelu_backward, &job, parallel);
  return NULL;
}

const char *hg_softmax_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, float *y,
                               const hg_parallel *parallel) {
  HG_CHECK(check(positions, channels, x && y, parallel));
  const hg_channels_job job = {.positions = positions, .channels = channels, .x = x, .out = y};
  hg_run(hg_kernels_in_use()->softmax_forward, &job, parallel);
  return NULL;
}

const char *hg_softmax_backward(ptrdiff_t positions, ptrdiff_t channels, const float *y, const float *dy, float *dx,
                                const hg_parallel *parallel) {
  HG_CHECK(check(positions, channels, y && dy && dx, parallel));
  const hg_channels_job job = {.positions = positions, .channels = channels, .x = y, .dy = dy, .out = dx};
  hg_run(hg_kernels_in_use()->softmax_backward, &job, parallel);
  return NULL;
}
