/* Likelihoods: outputs compared with targets. Parts share the samples. */
#include "check.h"
#include "isa.h"

/* Arrays of a likelihood, of which a sample has `outputs` and `targets` elements. */
typedef struct loss_job {
  void (*of_outputs)(ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *);
  void (*of_heads)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *);
  ptrdiff_t samples, count, pixels, channels;
  float variance;
  const float *y, *targets;
  const int32_t *labels;
  float *loss, *dy;
} loss_job;

/* The samples of a part, of `outputs` and `targets` elements each. */
static loss_job share_of(const loss_job *job, ptrdiff_t part, ptrdiff_t parts, ptrdiff_t outputs, ptrdiff_t targets) {
  const ptrdiff_t first = hg_share(job->samples, part, parts);
  loss_job share = *job;
  share.samples = hg_share(job->samples, part + 1, parts) - first;
  share.y = hg_from(job->y, first * outputs), share.targets = hg_from(job->targets, first * targets);
  share.labels = job->labels ? job->labels + first : NULL;
  share.loss = hg_onto(job->loss, first), share.dy = hg_onto(job->dy, first * outputs);
  return share;
}

static void compared_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const loss_job *job = argument, share = share_of(job, part, parts, job->count, job->count);
  job->of_outputs(share.samples, job->count, share.y, share.targets, share.loss, share.dy);
}

/* A likelihood that compares each output with its target. */
static const char *compared(void (*kernel)(ptrdiff_t, ptrdiff_t, const float *, const float *, float *, float *),
                            ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                            float *dy, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, count));
  HG_CHECK(hg_check_arrays((y && targets) || samples * count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const loss_job job = {
      .of_outputs = kernel, .samples = samples, .count = count, .y = y, .targets = targets, .loss = loss, .dy = dy};
  hg_run(compared_part, &job, parallel);
  return NULL;
}

const char *hg_bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                                float *loss, float *dlogits, const hg_parallel *parallel) {
  return compared(hg_kernels_in_use()->bernoulli_logits, samples, count, logits, targets, loss, dlogits, parallel);
}

const char *hg_squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                             float *dy, const hg_parallel *parallel) {
  return compared(hg_kernels_in_use()->squared_error, samples, count, y, targets, loss, dy, parallel);
}

const char *hg_absolute_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy, const hg_parallel *parallel) {
  return compared(hg_kernels_in_use()->absolute_error, samples, count, y, targets, loss, dy, parallel);
}

const char *hg_huber_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                           float *dy, const hg_parallel *parallel) {
  return compared(hg_kernels_in_use()->huber_error, samples, count, y, targets, loss, dy, parallel);
}

const char *hg_log_cosh_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy, const hg_parallel *parallel) {
  return compared(hg_kernels_in_use()->log_cosh_error, samples, count, y, targets, loss, dy, parallel);
}

const char *hg_poisson(ptrdiff_t samples, ptrdiff_t count, const float *log_rates, const float *targets, float *loss,
                       float *dlog_rates, const hg_parallel *parallel) {
  return compared(hg_kernels_in_use()->poisson, samples, count, log_rates, targets, loss, dlog_rates, parallel);
}

const char *hg_multinomial(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                           float *dlogits, const hg_parallel *parallel) {
  return compared(hg_kernels_in_use()->multinomial, samples, count, logits, targets, loss, dlogits, parallel);
}

static void cross_entropy_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const loss_job *job = argument, share = share_of(job, part, parts, job->count, 1);
  hg_kernels_in_use()->softmax_cross_entropy(share.samples, job->count, share.y, share.labels, share.loss, share.dy);
}

const char *hg_softmax_cross_entropy(ptrdiff_t samples, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                     float *loss, float *dlogits, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, classes));
  HG_CHECK(hg_check_arrays(samples == 0 || (labels && (logits || classes == 0))));
  HG_CHECK(hg_parallel_check(parallel));
  for (ptrdiff_t n = 0; n < samples; n++)
    if (labels[n] < 0 || labels[n] >= classes) return HG_BAD_VALUE("a label is none of the classes");
  const loss_job job = {
      .samples = samples, .count = classes, .y = logits, .labels = labels, .loss = loss, .dy = dlogits};
  hg_run(cross_entropy_part, &job, parallel);
  return NULL;
}

static void gaussian_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const loss_job *job = argument, share = share_of(job, part, parts, job->count, job->count);
  hg_kernels_in_use()->gaussian(share.samples, job->count, job->variance, share.y, share.targets, share.loss, share.dy);
}

const char *hg_gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                        float *loss, float *dy, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(samples, count));
  HG_CHECK(hg_check_arrays((y && targets) || samples * count == 0));
  if (!(variance >= 0x1p-126f && variance <= 0x1p124f))
    return HG_BAD_VALUE("the variance is not between 2^-126 and 2^124");
  HG_CHECK(hg_parallel_check(parallel));
  const loss_job job = {
      .samples = samples, .count = count, .variance = variance, .y = y, .targets = targets, .loss = loss, .dy = dy};
  hg_run(gaussian_part, &job, parallel);
  return NULL;
}

static void headed_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const loss_job *job = argument;
  const ptrdiff_t count = job->pixels * job->channels;
  const loss_job share = share_of(job, part, parts, 2 * count, count);
  job->of_heads(share.samples, job->pixels, job->channels, share.y, share.targets, share.loss, share.dy);
}

/* A likelihood with two numbers of the output for each target. */
static const char *headed(void (*kernel)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const float *, const float *, float *,
                                         float *),
                          ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                          const float *targets, float *loss, float *dheads, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(pixels, channels));
  HG_CHECK(hg_check_count(samples, 2 * pixels * channels));
  HG_CHECK(hg_check_arrays((heads && targets) || samples * pixels * channels == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const loss_job job = {.of_heads = kernel,
                        .samples = samples,
                        .pixels = pixels,
                        .channels = channels,
                        .y = heads,
                        .targets = targets,
                        .loss = loss,
                        .dy = dheads};
  hg_run(headed_part, &job, parallel);
  return NULL;
}

const char *hg_gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                              const float *targets, float *loss, float *dheads, const hg_parallel *parallel) {
  return headed(hg_kernels_in_use()->gaussian_heads, samples, pixels, channels, heads, targets, loss, dheads, parallel);
}

const char *hg_negative_binomial(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                 const float *targets, float *loss, float *dheads, const hg_parallel *parallel) {
  return headed(hg_kernels_in_use()->negative_binomial, samples, pixels, channels, heads, targets, loss, dheads,
                parallel);
}

const char *hg_discretized_logistic(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                    const float *targets, float *loss, float *dheads, const hg_parallel *parallel) {
  return headed(hg_kernels_in_use()->discretized_logistic, samples, pixels, channels, heads, targets, loss, dheads,
                parallel);
}
