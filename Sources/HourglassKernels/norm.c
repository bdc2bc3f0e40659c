/* Group normalisation, which with one sample and a group for each channel is batch normalisation. */
#include "check.h"
#include "isa.h"

const char *hg_group_norm_check(const hg_group_norm *g) {
  if (!g) return HG_IS_NULL("the geometry is NULL");
  if (g->size != sizeof *g) return HG_BAD_SIZE("geometry.size is not sizeof(hg_group_norm)");
  HG_CHECK(hg_check_activation((hg_activation)g->activation));
  if (g->samples < 0) return HG_BAD_GEOMETRY("the number of samples is negative");
  if (g->positions < 1 || g->channels < 1 || g->groups < 1)
    return HG_BAD_GEOMETRY("positions, channels or groups are below 1");
  if (g->channels % g->groups) return HG_BAD_GEOMETRY("the groups do not divide the channels");
  if (!(g->epsilon >= 0)) return HG_BAD_GEOMETRY("epsilon is negative or no number");
  /* Doubles cannot overflow here. */
  const double samples = g->samples ? (double)g->samples : 1;
  return samples * (double)g->positions * (double)g->channels < HG_MOST_ELEMENTS
             ? NULL
             : HG_BAD_GEOMETRY("there are 2^40 elements or more");
}

static const char *check(const hg_group_norm *g, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_group_norm_check(g));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

/* y with a ReLU in the same pass; other activations are a pass of their own. */
static const char *forward(hg_group_norm_job job, const hg_parallel *parallel) {
  const hg_group_norm *g = job.geometry;
  const hg_activation activation = (hg_activation)g->activation;
  job.relu = activation == HG_ACTIVATION_RELU;
  hg_run(hg_kernels_in_use()->group_norm_forward, &job, parallel);
  if (hg_is_fused(activation)) return NULL;
  return hg_activation_forward(activation, g->samples * g->positions * g->channels, job.y, job.y, parallel);
}

const char *hg_group_norm_forward(const hg_group_norm *geometry, const float *x, const float *weight, const float *bias,
                                  float *y, float *mean, float *variance, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, x && y && mean && variance, parallel));
  return forward((hg_group_norm_job){.geometry = geometry,
                                     .x = x,
                                     .weight = weight,
                                     .bias = bias,
                                     .y = y,
                                     .to_mean = mean,
                                     .to_variance = variance},
                 parallel);
}

const char *hg_group_norm_apply(const hg_group_norm *geometry, const float *x, const float *mean, const float *variance,
                                const float *weight, const float *bias, float *y, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, x && mean && variance && y, parallel));
  return forward(
      (hg_group_norm_job){
          .geometry = geometry, .x = x, .mean = mean, .variance = variance, .weight = weight, .bias = bias, .y = y},
      parallel);
}

const char *hg_group_norm_backward(const hg_group_norm *geometry, const float *x, const float *dy, const float *mean,
                                   const float *variance, const float *weight, bool accumulate, float *dx,
                                   float *dweight, float *dbias, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, x && dy && mean && variance, parallel));
  const hg_group_norm_job job = {.geometry = geometry,
                                 .x = x,
                                 .dy = dy,
                                 .mean = mean,
                                 .variance = variance,
                                 .weight = weight,
                                 .accumulate = accumulate,
                                 .y = dx,
                                 .dweight = dweight,
                                 .dbias = dbias};
  hg_run(hg_kernels_in_use()->group_norm_backward, &job, parallel);
  return NULL;
}
