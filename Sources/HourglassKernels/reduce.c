/* Reductions of the flat vector, and of rows. */
#include "check.h"
#include "isa.h"

typedef struct shards_job {
  ptrdiff_t count, shards, stride;
  const float *gradients;
  bool accumulate;
  float *sum;
} shards_job;

static void shards_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const shards_job *job = argument;
  const ptrdiff_t at = hg_share_groups(job->count, part, parts), end = hg_share_groups(job->count, part + 1, parts);
  if (at == end) return; /* arrays may be NULL where there are no elements */
  hg_kernels_in_use()->sum_shards(end - at, job->shards, job->stride, job->gradients + at, job->accumulate,
                                  job->sum + at);
}

const char *hg_sum_shards(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients, bool accumulate,
                          float *sum, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(1, count));
  if (shards < 1) return HG_BAD_COUNT("there is no shard");
  if (stride < 0) return HG_BAD_COUNT("the stride is negative");
  HG_CHECK(hg_check_count(shards, stride));
  HG_CHECK(hg_check_arrays((gradients && sum) || count == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const shards_job job = {count, shards, stride, gradients, accumulate, sum};
  hg_run(shards_part, &job, parallel);
  return NULL;
}

/* Bits are compared, so the floating-point mode does not matter. */
ptrdiff_t hg_first_nonfinite(ptrdiff_t count, const float *x) { return hg_kernels_in_use()->first_nonfinite(count, x); }

double hg_sum_of_squares(ptrdiff_t count, const float *x) {
  const uint64_t mode = hg_flush_begin();
  const double sum = hg_kernels_in_use()->sum_of_squares(count, x);
  hg_flush_end(mode);
  return sum;
}

/* Numbers are compared, so denormals must stay what they are. */
const char *hg_argmin(ptrdiff_t rows, ptrdiff_t columns, const float *x, int32_t *indices) {
  if (columns < 1 || columns > INT32_MAX - 15) return HG_BAD_COUNT("the columns are not 1 to 2^31 - 16");
  HG_CHECK(hg_check_count(rows, columns));
  HG_CHECK(hg_check_arrays((x && indices) || rows == 0));
  hg_kernels_in_use()->argmin(rows, columns, x, indices);
  return NULL;
}
