/* The Gaussian latent. */
#include "check.h"
#include "isa.h"

const char *hg_gaussian_latent_forward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                       float *z, float *kl) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && z) || samples * units == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->gaussian_latent_forward(samples, units, heads, noise, z, kl);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                        const float *dz, float beta, float *dheads) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && dz && dheads) || samples * units == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->gaussian_latent_backward(samples, units, heads, noise, dz, beta, dheads);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits, float beta,
                                  float *dheads) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && dheads) || samples * units == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->gaussian_free_bits(samples, units, heads, free_bits, beta, dheads);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_gaussian_log_ratio(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                  const float *z, float *ratio) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && noise && z) || samples * units == 0));
  HG_CHECK(hg_check_arrays(ratio || samples == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->gaussian_log_ratio(samples, units, heads, noise, z, ratio);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_gaussian_log_ratio_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                           const float *z, const float *weights, const float *dz, float *dheads) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && noise && z && weights && dz && dheads) || samples * units == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->gaussian_log_ratio_backward(samples, units, heads, noise, z, weights, dz, dheads);
  hg_flush_end(mode);
  return NULL;
}

const char *hg_importance_bound(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss,
                                const float *ratio, float *bound, float *weights, float *dy) {
  HG_CHECK(hg_check_count(images, draws));
  HG_CHECK(hg_check_count(images * draws, count));
  if (draws < 1) return "draws is not at least 1";
  HG_CHECK(hg_check_arrays((loss && ratio && bound && weights) || images == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->importance_bound(images, draws, count, loss, ratio, bound, weights, dy);
  hg_flush_end(mode);
  return NULL;
}
