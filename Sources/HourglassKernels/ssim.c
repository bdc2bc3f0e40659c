/* Structural dissimilarity. */
#include "check.h"
#include "isa.h"

const char *hg_ssim_check(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels) {
  if (samples < 0) return HG_BAD_GEOMETRY("the number of samples is negative");
  if (height < HG_SSIM_WINDOW || width < HG_SSIM_WINDOW)
    return HG_BAD_GEOMETRY("the image is smaller than the window of 11 x 11");
  if (channels < 1) return HG_BAD_GEOMETRY("channels are below 1");
  /* Doubles cannot overflow here. */
  const double elements = (double)(samples ? samples : 1) * (double)height * (double)width * (double)channels;
  return elements < HG_MOST_ELEMENTS ? NULL : HG_BAD_GEOMETRY("there are 2^40 elements or more");
}

/* Parts that work: they share the samples. Doubles count as two floats, of the output, the targets and the gradient. */
static ptrdiff_t rooms(ptrdiff_t doubles, ptrdiff_t samples, ptrdiff_t elements, const hg_parallel *parallel) {
  return hg_rooms(parallel, 2 * doubles, samples, 3 * samples * elements);
}

/* One double more, to begin at a multiple of its size. */
static ptrdiff_t scratch_of(ptrdiff_t doubles, ptrdiff_t samples, ptrdiff_t elements, const hg_parallel *parallel) {
  return 2 * (rooms(doubles, samples, elements, parallel) * doubles + 1);
}

ptrdiff_t hg_ssim_scratch(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                          const hg_parallel *parallel) {
  if (hg_ssim_check(samples, height, width, channels) || hg_parallel_check(parallel)) return -1;
  return scratch_of(hg_ssim_doubles(width, channels), samples, height * width * channels, parallel);
}

ptrdiff_t hg_ms_ssim_scratch(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                             const hg_parallel *parallel) {
  if (hg_ssim_check(samples, height, width, channels) || hg_parallel_check(parallel)) return -1;
  return scratch_of(hg_ms_ssim_doubles(height, width, channels), samples, height * width * channels, parallel);
}

/* The images have been checked: before that `doubles` could overflow. */
static const char *similarity(hg_part kernel, ptrdiff_t doubles, ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width,
                              ptrdiff_t channels, const float *y, const float *targets, float *loss, float *dy,
                              float *scratch, const hg_parallel *parallel) {
  HG_CHECK(hg_check_arrays((y && targets && scratch) || samples == 0));
  HG_CHECK(hg_parallel_check(parallel));
  double *aligned = (double *)(((uintptr_t)scratch + sizeof(double) - 1) & ~(uintptr_t)(sizeof(double) - 1));
  const hg_ssim_job job = {
      samples, height, width, channels, y,
      targets, loss,   dy,    aligned,  rooms(doubles, samples, height * width * channels, parallel)};
  hg_run(kernel, &job, parallel);
  return NULL;
}

const char *hg_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                    const float *targets, float *loss, float *dy, float *scratch, const hg_parallel *parallel) {
  HG_CHECK(hg_ssim_check(samples, height, width, channels));
  return similarity(hg_kernels_in_use()->ssim, hg_ssim_doubles(width, channels), samples, height, width, channels, y,
                    targets, loss, dy, scratch, parallel);
}

const char *hg_ms_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                       const float *targets, float *loss, float *dy, float *scratch, const hg_parallel *parallel) {
  HG_CHECK(hg_ssim_check(samples, height, width, channels));
  return similarity(hg_kernels_in_use()->ms_ssim, hg_ms_ssim_doubles(height, width, channels), samples, height, width,
                    channels, y, targets, loss, dy, scratch, parallel);
}
