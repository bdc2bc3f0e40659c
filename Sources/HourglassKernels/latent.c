/* The Gaussian latent. Parts share the samples or images; of free bits, whose sums go over the samples, the units. */
#include "check.h"
#include "isa.h"

/* Arrays of a call; dheads of the way back. */
typedef struct latent_job {
  ptrdiff_t samples, units;
  float free_bits, beta;
  const float *heads, *noise, *sample, *weights, *dz;
  float *z, *term, *dheads;
} latent_job;

/* The samples of a part. */
static latent_job share_of(const latent_job *job, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t first = hg_share(job->samples, part, parts), units = job->units;
  latent_job share = *job;
  share.samples = hg_share(job->samples, part + 1, parts) - first;
  share.heads = hg_from(job->heads, 2 * first * units), share.noise = hg_from(job->noise, first * units);
  share.sample = hg_from(job->sample, first * units), share.weights = hg_from(job->weights, first);
  share.dz = hg_from(job->dz, first * units), share.z = hg_onto(job->z, first * units);
  share.term = hg_onto(job->term, first), share.dheads = hg_onto(job->dheads, 2 * first * units);
  return share;
}

static void forward_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const latent_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->gaussian_latent_forward(job.samples, job.units, job.heads, job.noise, job.z, job.term);
}

const char *hg_gaussian_latent_forward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                       float *z, float *kl, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && z) || samples * units == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const latent_job job = {.samples = samples, .units = units, .heads = heads, .noise = noise, .z = z, .term = kl};
  hg_run(forward_part, &job, parallel);
  return NULL;
}

static void backward_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const latent_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->gaussian_latent_backward(job.samples, job.units, job.heads, job.noise, job.dz, job.beta,
                                                job.dheads);
}

const char *hg_gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                        const float *dz, float beta, float *dheads, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && dz && dheads) || samples * units == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const latent_job job = {
      .samples = samples, .units = units, .beta = beta, .heads = heads, .noise = noise, .dz = dz, .dheads = dheads};
  hg_run(backward_part, &job, parallel);
  return NULL;
}

static void free_bits_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const latent_job *job = argument;
  const ptrdiff_t first = hg_share_groups(job->units, part, parts), last = hg_share_groups(job->units, part + 1, parts);
  hg_kernels_in_use()->gaussian_free_bits(job->samples, job->units, first, last, job->heads, job->free_bits, job->beta,
                                          job->dheads);
}

const char *hg_gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits, float beta,
                                  float *dheads, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && dheads) || samples * units == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const latent_job job = {
      .samples = samples, .units = units, .free_bits = free_bits, .beta = beta, .heads = heads, .dheads = dheads};
  hg_run(free_bits_part, &job, parallel);
  return NULL;
}

static void log_ratio_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const latent_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->gaussian_log_ratio(job.samples, job.units, job.heads, job.noise, job.sample, job.term);
}

const char *hg_gaussian_log_ratio(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                  const float *z, float *ratio, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && noise && z) || samples * units == 0));
  HG_CHECK(hg_check_arrays(ratio || samples == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const latent_job job = {
      .samples = samples, .units = units, .heads = heads, .noise = noise, .sample = z, .term = ratio};
  hg_run(log_ratio_part, &job, parallel);
  return NULL;
}

static void log_ratio_backward_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const latent_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->gaussian_log_ratio_backward(job.samples, job.units, job.heads, job.noise, job.sample,
                                                   job.weights, job.dz, job.dheads);
}

const char *hg_gaussian_log_ratio_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                           const float *z, const float *weights, const float *dz, float *dheads,
                                           const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, units));
  HG_CHECK(hg_check_arrays((heads && noise && z && weights && dz && dheads) || samples * units == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const latent_job job = {.samples = samples,
                          .units = units,
                          .heads = heads,
                          .noise = noise,
                          .sample = z,
                          .weights = weights,
                          .dz = dz,
                          .dheads = dheads};
  hg_run(log_ratio_backward_part, &job, parallel);
  return NULL;
}

typedef struct bound_job {
  ptrdiff_t images, draws, count;
  const float *loss, *ratio;
  float *bound, *weights, *dy;
} bound_job;

static void bound_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const bound_job *job = argument;
  const ptrdiff_t first = hg_share(job->images, part, parts), row = first * job->draws;
  hg_kernels_in_use()->importance_bound(hg_share(job->images, part + 1, parts) - first, job->draws, job->count,
                                        hg_from(job->loss, row), hg_from(job->ratio, row), hg_onto(job->bound, first),
                                        hg_onto(job->weights, row), hg_onto(job->dy, row * job->count));
}

const char *hg_importance_bound(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss,
                                const float *ratio, float *bound, float *weights, float *dy,
                                const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(images, draws));
  HG_CHECK(hg_check_count(images * draws, count));
  if (draws < 1) return HG_BAD_VALUE("draws is not at least 1");
  HG_CHECK(hg_check_arrays((loss && ratio && bound && weights) || images == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const bound_job job = {images, draws, count, loss, ratio, bound, weights, dy};
  hg_run(bound_part, &job, parallel);
  return NULL;
}
