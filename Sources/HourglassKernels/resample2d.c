/* Resampling: a weighted sum of a few rows and columns for each position. */
#include "check.h"
#include "isa.h"

static const char *check_axis(const hg_resampling_axis *axis) {
  if (axis->size != sizeof *axis) return HG_BAD_SIZE("axis.size is not sizeof(hg_resampling_axis)");
  if (axis->inputs < 1 || axis->outputs < 1) return HG_BAD_GEOMETRY("an axis of a resampling has an extent below 1");
  if (axis->inputs > (ptrdiff_t)1 << 31 || axis->outputs > (ptrdiff_t)1 << 31)
    return HG_BAD_GEOMETRY("an axis of a resampling has an extent above 2^31");
  if (!axis->start || !axis->input || !axis->weight) return HG_IS_NULL("the taps of an axis of a resampling are NULL");
  if (axis->start[0] < 0) return HG_BAD_GEOMETRY("the taps of a resampling start below 0");
  for (ptrdiff_t i = 0; i < axis->outputs; i++)
    if (axis->start[i + 1] < axis->start[i]) return HG_BAD_GEOMETRY("the taps of a resampling end before they start");
  for (ptrdiff_t t = axis->start[0]; t < axis->start[axis->outputs]; t++)
    if (axis->input[t] < 0 || axis->input[t] >= axis->inputs)
      return HG_BAD_GEOMETRY("a tap of a resampling lies outside its input");
  return NULL;
}

const char *hg_resample2d_check(const hg_resampling2d *g) {
  if (!g) return HG_IS_NULL("the geometry is NULL");
  if (g->size != sizeof *g) return HG_BAD_SIZE("geometry.size is not sizeof(hg_resampling2d)");
  if (g->samples < 0) return HG_BAD_GEOMETRY("the number of samples is negative");
  if (g->channels < 1) return HG_BAD_GEOMETRY("the channels of a resampling are below 1");
  HG_CHECK(check_axis(&g->vertical));
  HG_CHECK(check_axis(&g->horizontal));
  /* Doubles cannot overflow here. */
  const double all = (g->samples > 0 ? (double)g->samples : 1) * (double)g->channels;
  if (all * (double)g->vertical.inputs * (double)g->horizontal.inputs >= HG_MOST_ELEMENTS ||
      all * (double)g->vertical.outputs * (double)g->horizontal.outputs >= HG_MOST_ELEMENTS)
    return HG_BAD_GEOMETRY("the images of a resampling have 2^40 elements or more");
  return NULL;
}

const char *hg_resample2d(const hg_resampling2d *geometry, const float *x, float *y, const hg_parallel *parallel) {
  HG_CHECK(hg_resample2d_check(geometry));
  HG_CHECK(hg_check_arrays((x && y) || geometry->samples == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const hg_resample_job job = {geometry, x, y};
  hg_run(hg_kernels_in_use()->resample, &job, parallel);
  return NULL;
}
