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
  HG_CHECK(hg_check_activation(activation));
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

static void gelu_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const activation_job *job = argument;
  const ptrdiff_t first = hg_share_groups(job->count, part, parts), last = hg_share_groups(job->count, part + 1, parts);
  if (job->dy)
    hg_kernels_in_use()->gelu_backward(last - first, job->input + first, job->dy + first, job->output + first);
  else
    hg_kernels_in_use()->gelu_forward(last - first, job->input + first, job->output + first);
}

const char *hg_gelu_forward(ptrdiff_t count, const float *x, float *y, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((x && y) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const activation_job job = {.count = count, .input = x, .output = y};
  hg_run(gelu_part, &job, parallel);
  return NULL;
}

const char *hg_gelu_backward(ptrdiff_t count, const float *x, const float *dy, float *dx, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((x && dy && dx) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const activation_job job = {.count = count, .input = x, .dy = dy, .output = dx};
  hg_run(gelu_part, &job, parallel);
  return NULL;
}
