/* Updates of the flat vector. Parts share its elements. */
#include "check.h"
#include "isa.h"

/* out from in, which are weights and their gradient but for hg_penalize, which has them the other way round, hg_clip
 * and hg_moving_average; first and second: the moments that an optimiser keeps, in the order of its arguments. */
typedef struct update_job {
  const void *options;
  ptrdiff_t count;
  float scale, a, b;
  const float *in;
  float *out, *first, *second;
} update_job;

/* The elements of a part; NULL stays. */
static update_job share_of(const update_job *job, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t at = hg_share_groups(job->count, part, parts);
  update_job share = *job;
  share.count = hg_share_groups(job->count, part + 1, parts) - at;
  share.in = hg_from(job->in, at);
  share.out = hg_onto(job->out, at);
  share.first = hg_onto(job->first, at);
  share.second = hg_onto(job->second, at);
  return share;
}

static void adam_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->adam(job.options, job.count, job.in, job.out, job.first, job.second);
}

const char *hg_adam(const hg_adam_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
                    float *v, const hg_parallel *parallel) {
  if (!options) return HG_IS_NULL("the options are NULL");
  if (options->size != sizeof *options) return HG_BAD_SIZE("options.size is not sizeof(hg_adam_options)");
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && m && v) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.options = options, .count = count, .in = gradient, .out = weights, .first = m, .second = v};
  hg_run(adam_part, &job, parallel);
  return NULL;
}

static void sgd_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->sgd(job.options, job.count, job.in, job.out, job.first);
}

const char *hg_sgd(const hg_sgd_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
                   const hg_parallel *parallel) {
  if (!options) return HG_IS_NULL("the options are NULL");
  if (options->size != sizeof *options) return HG_BAD_SIZE("options.size is not sizeof(hg_sgd_options)");
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && (m || options->momentum == 0)) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.options = options, .count = count, .in = gradient, .out = weights, .first = m};
  hg_run(sgd_part, &job, parallel);
  return NULL;
}

static void rmsprop_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->rmsprop(job.options, job.count, job.in, job.out, job.first, job.second);
}

const char *hg_rmsprop(const hg_rmsprop_options *options, ptrdiff_t count, const float *gradient, float *weights,
                       float *v, float *m, const hg_parallel *parallel) {
  if (!options) return HG_IS_NULL("the options are NULL");
  if (options->size != sizeof *options) return HG_BAD_SIZE("options.size is not sizeof(hg_rmsprop_options)");
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && v && (m || options->momentum == 0)) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.options = options, .count = count, .in = gradient, .out = weights, .first = v, .second = m};
  hg_run(rmsprop_part, &job, parallel);
  return NULL;
}

static void adagrad_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->adagrad(job.options, job.count, job.in, job.out, job.first);
}

const char *hg_adagrad(const hg_adagrad_options *options, ptrdiff_t count, const float *gradient, float *weights,
                       float *v, const hg_parallel *parallel) {
  if (!options) return HG_IS_NULL("the options are NULL");
  if (options->size != sizeof *options) return HG_BAD_SIZE("options.size is not sizeof(hg_adagrad_options)");
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && v) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.options = options, .count = count, .in = gradient, .out = weights, .first = v};
  hg_run(adagrad_part, &job, parallel);
  return NULL;
}

static void adadelta_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->adadelta(job.options, job.count, job.in, job.out, job.first, job.second);
}

const char *hg_adadelta(const hg_adadelta_options *options, ptrdiff_t count, const float *gradient, float *weights,
                        float *v, float *u, const hg_parallel *parallel) {
  if (!options) return HG_IS_NULL("the options are NULL");
  if (options->size != sizeof *options) return HG_BAD_SIZE("options.size is not sizeof(hg_adadelta_options)");
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights && v && u) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.options = options, .count = count, .in = gradient, .out = weights, .first = v, .second = u};
  hg_run(adadelta_part, &job, parallel);
  return NULL;
}

static void penalize_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->penalize(job.count, job.scale, job.a, job.b, job.in, job.out);
}

const char *hg_penalize(ptrdiff_t count, float scale, float l2, float l1, const float *weights, float *gradient,
                        const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((gradient && weights) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.count = count, .scale = scale, .a = l2, .b = l1, .in = weights, .out = gradient};
  hg_run(penalize_part, &job, parallel);
  return NULL;
}

static void clip_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->clip(job.count, job.scale, job.a, job.out);
}

const char *hg_clip(ptrdiff_t count, float scale, float limit, float *gradient, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays(gradient || count == 0));
  if (!(limit > 0)) return HG_BAD_VALUE("the limit is not above 0");
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.count = count, .scale = scale, .a = limit, .out = gradient};
  hg_run(clip_part, &job, parallel);
  return NULL;
}

static void moving_average_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const update_job job = share_of(argument, part, parts);
  hg_kernels_in_use()->moving_average(job.count, job.a, job.in, job.out);
}

const char *hg_moving_average(ptrdiff_t count, float decay, const float *x, float *average,
                              const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, count));
  HG_CHECK(hg_check_arrays((x && average) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const update_job job = {.count = count, .a = decay, .in = x, .out = average};
  hg_run(moving_average_part, &job, parallel);
  return NULL;
}
