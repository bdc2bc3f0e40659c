/* Where branches of a network part and meet. */
#include <string.h>

#include "check.h"
#include "isa.h"

typedef struct branch_job {
  hg_activation activation;
  ptrdiff_t count;
  const float *x, *first, *second;
  float *out;
} branch_job;

static void fork_backward_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const branch_job *job = argument;
  const ptrdiff_t at = hg_share_groups(job->count, part, parts);
  const ptrdiff_t count = hg_share_groups(job->count, part + 1, parts) - at;
  hg_kernels_in_use()->fork_backward(job->activation, count, job->x ? job->x + at : NULL, job->first + at,
                                     job->second + at, job->out + at);
}

const char *hg_fork_backward(hg_activation activation, ptrdiff_t count, const float *x, const float *first,
                             const float *second, float *dx, const hg_parallel *parallel) {
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays(((x || activation == HG_ACTIVATION_LINEAR) && first && second && dx) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const branch_job job = {activation, count, activation == HG_ACTIVATION_LINEAR ? NULL : x, first, second, dx};
  hg_run(fork_backward_part, &job, parallel);
  return NULL;
}

static void join_forward_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const branch_job *job = argument;
  const ptrdiff_t at = hg_share_groups(job->count, part, parts);
  const ptrdiff_t count = hg_share_groups(job->count, part + 1, parts) - at;
  hg_kernels_in_use()->join_forward(job->activation, count, job->first + at, job->second + at, job->out + at);
}

const char *hg_join_forward(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y,
                            const hg_parallel *parallel) {
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((x && skip && y) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const branch_job job = {.activation = activation, .count = count, .first = x, .second = skip, .out = y};
  hg_run(join_forward_part, &job, parallel);
  return NULL;
}

typedef struct concat_job {
  ptrdiff_t positions, channels, skip_channels;
  const float *x, *skip, *dy;
  float *y, *dx, *dskip;
} concat_job;

static void concat_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const concat_job *job = argument;
  const ptrdiff_t c = job->channels, k = job->skip_channels, last = hg_share(job->positions, part + 1, parts);
  for (ptrdiff_t i = hg_share(job->positions, part, parts); i < last; i++) {
    if (job->y) {
      memcpy(job->y + i * (c + k), job->x + i * c, (size_t)c * sizeof(float));
      memcpy(job->y + i * (c + k) + c, job->skip + i * k, (size_t)k * sizeof(float));
    }
    if (job->dx) memcpy(job->dx + i * c, job->dy + i * (c + k), (size_t)c * sizeof(float));
    if (job->dskip) memcpy(job->dskip + i * k, job->dy + i * (c + k) + c, (size_t)k * sizeof(float));
  }
}

const char *hg_concat_forward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *x,
                              const float *skip, float *y, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, channels));
  HG_CHECK(hg_check_count(1, skip_channels));
  HG_CHECK(hg_check_count(positions, channels));
  HG_CHECK(hg_check_count(positions, skip_channels));
  HG_CHECK(hg_check_arrays((x && skip && y) || positions == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const concat_job job = {positions, channels, skip_channels, .x = x, .skip = skip, .y = y};
  hg_run(concat_part, &job, parallel);
  return NULL;
}

const char *hg_concat_backward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *dy,
                               float *dx, float *dskip, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, channels));
  HG_CHECK(hg_check_count(1, skip_channels));
  HG_CHECK(hg_check_count(positions, channels));
  HG_CHECK(hg_check_count(positions, skip_channels));
  HG_CHECK(hg_check_arrays(dy || positions == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const concat_job job = {positions, channels, skip_channels, .dy = dy, .dx = dx, .dskip = dskip};
  hg_run(concat_part, &job, parallel);
  return NULL;
}
