/* The definition of a permutation. */
#include "reference.h"

/* The place in x of element i of y. */
static ptrdiff_t place(const hg_permutation *g, ptrdiff_t i) {
  ptrdiff_t at = 0;
  for (ptrdiff_t k = g->rank - 1; k >= 0; i /= g->extents[k--]) at += i % g->extents[k] * g->strides[k];
  return at;
}

static ptrdiff_t count(const hg_permutation *g) {
  ptrdiff_t count = 1;
  HG_FOR(k, g->rank) count *= g->extents[k];
  return count;
}

void hg_reference_permute_forward(const hg_permutation *g, const float *x, float *y) {
  HG_FOR(n, g->samples) HG_FOR(i, count(g)) y[n * count(g) + i] = x[n * count(g) + place(g, i)];
}

void hg_reference_permute_backward(const hg_permutation *g, const float *dy, float *dx) {
  HG_FOR(n, g->samples) HG_FOR(i, count(g)) dx[n * count(g) + place(g, i)] = dy[n * count(g) + i];
}
