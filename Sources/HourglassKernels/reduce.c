/* Reductions of the flat vector, and of rows. */
#include "check.h"
#include "isa.h"

const char *hg_sum_shards(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients, bool accumulate,
                          float *sum) {
  HG_CHECK(hg_check_count(1, count));
  if (shards < 1) return "there is no shard";
  if (stride < 0) return "the stride is negative";
  HG_CHECK(hg_check_count(shards, stride));
  HG_CHECK(hg_check_arrays((gradients && sum) || count == 0));
  const uint64_t mode = hg_flush_begin();
  hg_kernels_in_use()->sum_shards(count, shards, stride, gradients, accumulate, sum);
  hg_flush_end(mode);
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
  if (columns < 1 || columns > INT32_MAX - 15) return "the columns are not 1 to 2^31 - 16";
  HG_CHECK(hg_check_count(rows, columns));
  HG_CHECK(hg_check_arrays((x && indices) || rows == 0));
  hg_kernels_in_use()->argmin(rows, columns, x, indices);
  return NULL;
}
