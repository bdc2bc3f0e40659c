/* Group normalisation, which with one sample and a group for each channel is batch normalisation. */
#include "check.h"
#include "isa.h"

const char *hg_group_norm_check(const hg_group_norm *g) {
  if (!g) return "the geometry is NULL";
  if (g->size != sizeof *g) return "geometry.size is not sizeof(hg_group_norm)";
  if (g->samples < 0) return "the number of samples is negative";
  if (g->positions < 1 || g->channels < 1 || g->groups < 1) return "positions, channels or groups are below 1";
  if (g->channels % g->groups) return "the groups do not divide the channels";
  if (!(g->epsilon >= 0)) return "epsilon is negative or no number";
  /* Doubles cannot overflow here. */
  const double samples = g->samples ? (double)g->samples : 1;
  return samples * (double)g->positions * (double)g->channels < HG_MOST_ELEMENTS ? NULL
                                                                                 : "there are 2^40 elements or more";
}

static const char *check(const hg_group_norm *g, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_group_norm_check(g));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

const char *hg_group_norm_forward(const hg_group_norm *geometry, const float *x, const float *weight, const float *bias,
                                  float *y, float *mean, float *variance, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, x && weight && y && mean && variance, parallel));
  const hg_group_norm_job job = {
      .geometry = geometry, .x = x, .weight = weight, .bias = bias, .y = y, .to_mean = mean, .to_variance = variance};
  hg_run(hg_kernels_in_use()->group_norm_forward, &job, parallel);
  return NULL;
}

const char *hg_group_norm_apply(const hg_group_norm *geometry, const float *x, const float *mean, const float *variance,
                                const float *weight, const float *bias, float *y, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, x && mean && variance && weight && y, parallel));
  const hg_group_norm_job job = {
      .geometry = geometry, .x = x, .mean = mean, .variance = variance, .weight = weight, .bias = bias, .y = y};
  hg_run(hg_kernels_in_use()->group_norm_forward, &job, parallel);
  return NULL;
}

const char *hg_group_norm_backward(const hg_group_norm *geometry, const float *x, const float *dy, const float *mean,
                                   const float *variance, const float *weight, bool accumulate, float *dx,
                                   float *dweight, float *dbias, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, x && dy && mean && variance && weight, parallel));
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
