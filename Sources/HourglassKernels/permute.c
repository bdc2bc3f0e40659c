/* The elements of each sample in another order. */
#include "check.h"
#include "isa.h"

/* The axes of which the order consists: none of one element, none that go on where the next one ends. */
static hg_permutation merged(const hg_permutation *g) {
  hg_permutation m = *g;
  m.rank = 0;
  for (ptrdiff_t i = 0; i < g->rank; i++) {
    if (g->extents[i] == 1) continue;
    if (m.rank > 0 && m.strides[m.rank - 1] == g->extents[i] * g->strides[i]) {
      m.extents[m.rank - 1] *= g->extents[i], m.strides[m.rank - 1] = g->strides[i];
    } else {
      m.extents[m.rank] = g->extents[i], m.strides[m.rank++] = g->strides[i];
    }
  }
  if (m.rank == 0) m.rank = m.extents[0] = m.strides[0] = 1;
  return m;
}

const char *hg_permute_check(const hg_permutation *g) {
  if (!g) return HG_IS_NULL("the permutation is NULL");
  if (g->size != sizeof *g) return HG_BAD_SIZE("permutation.size is not sizeof(hg_permutation)");
  if (g->samples < 0) return HG_BAD_GEOMETRY("the number of samples is negative");
  if (g->rank < 1 || g->rank > HG_PERMUTATION_RANK) return HG_BAD_GEOMETRY("a permutation has 1 to 6 axes");
  double all = g->samples > 0 ? (double)g->samples : 1;
  for (ptrdiff_t i = 0; i < g->rank; i++) {
    if (g->extents[i] < 1) return HG_BAD_GEOMETRY("an axis of a permutation has an extent below 1");
    all *= (double)g->extents[i];
  }
  if (all >= HG_MOST_ELEMENTS) return HG_BAD_GEOMETRY("a permutation has 2^40 elements or more");
  /* From the innermost axis of the input outwards: each begins where the one before ends. */
  ptrdiff_t within = 1;
  for (ptrdiff_t found = 0; found < g->rank;) {
    const ptrdiff_t before = found;
    for (ptrdiff_t i = 0; i < g->rank; i++)
      if (g->extents[i] > 1 && g->strides[i] == within) {
        within *= g->extents[i];
        found++;
        break;
      }
    if (found > before) continue;
    for (ptrdiff_t i = 0; i < g->rank; i++) found += g->extents[i] == 1;
    return found == g->rank ? NULL : HG_BAD_GEOMETRY("the strides of a permutation do not meet each element once");
  }
  return NULL;
}

static const char *run(const hg_permutation *g, bool back, const float *in, float *out, const hg_parallel *parallel) {
  HG_CHECK(hg_permute_check(g));
  HG_CHECK(hg_check_arrays((in && out) || g->samples == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const hg_permute_job job = {merged(g), back, in, out};
  hg_run(hg_kernels_in_use()->permute, &job, parallel);
  return NULL;
}

const char *hg_permute_forward(const hg_permutation *permutation, const float *x, float *y,
                               const hg_parallel *parallel) {
  return run(permutation, false, x, y, parallel);
}

const char *hg_permute_backward(const hg_permutation *permutation, const float *dy, float *dx,
                                const hg_parallel *parallel) {
  return run(permutation, true, dy, dx, parallel);
}
