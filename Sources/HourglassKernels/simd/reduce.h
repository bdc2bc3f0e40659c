/* Reductions of the flat vector: sums over shards, checks and norms; and the least number of each row. */
#include "transcendental.h"

/* Shards are added in order while `groups` times 16 sums stay in registers. */
INLINE void sum_shards_part(ptrdiff_t shards, ptrdiff_t stride, const float *gradients, bool accumulate, float *sum,
                            ptrdiff_t groups, ptrdiff_t n) {
  v16 total[4];
  const float *first = accumulate ? sum : gradients;
  UNROLL for (ptrdiff_t g = 0; g < groups; g++) total[g] = v16_load_part(first + 16 * g, n);
  for (ptrdiff_t s = accumulate ? 0 : 1; s < shards; s++) {
    const float *shard = gradients + s * stride;
    UNROLL for (ptrdiff_t g = 0; g < groups; g++) total[g] += v16_load_part(shard + 16 * g, n);
  }
  UNROLL for (ptrdiff_t g = 0; g < groups; g++) v16_store_part(sum + 16 * g, total[g], n);
}

static void sum_shards(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients, bool accumulate,
                       float *sum) {
  ptrdiff_t i = 0;
  for (; i + 64 <= count; i += 64) sum_shards_part(shards, stride, gradients + i, accumulate, sum + i, 4, 16);
  for (; i + 16 <= count; i += 16) sum_shards_part(shards, stride, gradients + i, accumulate, sum + i, 1, 16);
  if (i < count) sum_shards_part(shards, stride, gradients + i, accumulate, sum + i, 1, count - i);
}

/* Index of the first element of [0, count) whose exponent is all ones, or count. */
INLINE ptrdiff_t find_nonfinite(const float *x, ptrdiff_t count) {
  ptrdiff_t i = 0;
  while (i < count && __builtin_isfinite(x[i])) i++;
  return i;
}

/* Blocks of 256 are searched only when they are known to hold one. */
static ptrdiff_t first_nonfinite(ptrdiff_t count, const float *x) {
  ptrdiff_t i = 0;
  for (; i + 256 <= count; i += 256) {
    v16i found = {0};
    for (ptrdiff_t j = i; j < i + 256; j += 16) found |= ((v16i)v16_load(x + j) & 0x7f800000) == 0x7f800000;
    int32_t any = 0;
    for (int lane = 0; lane < 16; lane++) any |= found[lane];
    if (any) break;
  }
  i += find_nonfinite(x + i, count - i);
  return i < count ? i : -1;
}

/* The square of a float is exact in double, so the result does not depend on fusing. */
INLINE v16d sum_of_squares_part(const float *x, v16d sum, ptrdiff_t n) {
  const v16d wide = __builtin_convertvector(v16_load_part(x, n), v16d);
  return wide * wide + sum;
}

static double sum_of_squares(ptrdiff_t count, const float *x) {
  v16d sum = {0};
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) sum = sum_of_squares_part(x + i, sum, 16);
  if (i < count) sum = sum_of_squares_part(x + i, sum, count - i);
  return v16d_sum(sum);
}

/* Lane l sees columns l, l + 16, ... and keeps the first of its least; of the lanes' the lowest column wins. What lies
 * beyond a row is infinite, and nothing is less than that. */
static void argmin(ptrdiff_t rows, ptrdiff_t columns, const float *x, int32_t *indices) {
  const v16i lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const v16 infinite = v16_splat(__builtin_inff());
  for (ptrdiff_t r = 0; r < rows; r++) {
    const float *row = x + r * columns;
    v16 least = infinite;
    v16i places = lanes;
    for (ptrdiff_t i = 0; i < columns; i += 16) {
      const ptrdiff_t n = columns - i < 16 ? columns - i : 16;
      const v16 values = v16_select(lanes < (int32_t)n, v16_load_part(row + i, n), infinite);
      const v16i less = values < least;
      least = v16_select(less, values, least);
      places = ((lanes + (int32_t)i) & less) | (places & ~less);
    }
    int32_t found = places[0];
    float value = least[0];
    for (int lane = 1; lane < 16; lane++)
      if (least[lane] < value || (least[lane] == value && places[lane] < found)) {
        found = places[lane];
        value = least[lane];
      }
    indices[r] = found;
  }
}
