/* The definitions of reductions, to the bit: their order is part of them. */
#include "reference.h"

void hg_reference_sum_shards(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients,
                             bool accumulate, float *sum) {
  HG_FOR(i, count) {
    float total = accumulate ? sum[i] : gradients[i];
    for (ptrdiff_t s = accumulate ? 0 : 1; s < shards; s++) total += gradients[s * stride + i];
    sum[i] = total;
  }
}

ptrdiff_t hg_reference_first_nonfinite(ptrdiff_t count, const float *x) {
  HG_FOR(i, count) if (!isfinite(x[i])) return i;
  return -1;
}

double hg_reference_sum_of_squares(ptrdiff_t count, const float *x) {
  double sums[16] = {0};
  HG_FOR(i, count) sums[i % 16] += (double)x[i] * x[i];
  for (int width = 8; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) sums[lane] += sums[lane + width];
  return sums[0];
}

void hg_reference_argmin(ptrdiff_t rows, ptrdiff_t columns, const float *x, int32_t *indices) {
  HG_FOR(r, rows) {
    float least = INFINITY;
    indices[r] = 0;
    HG_FOR(c, columns) if (x[r * columns + c] < least) {
      least = x[r * columns + c];
      indices[r] = (int32_t)c;
    }
  }
}
