/* The elements of each sample in another order; parts share the runs along the last axis. */
static void permute(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_permute_job job = *(const hg_permute_job *)argument;
  const hg_permutation g = job.order;
  const ptrdiff_t last = g.rank - 1, run = g.extents[last], stride = g.strides[last];
  ptrdiff_t runs = 1, index[HG_PERMUTATION_RANK] = {0};
  for (ptrdiff_t k = 0; k < last; k++) runs *= g.extents[k];
  const ptrdiff_t first = hg_share(g.samples * runs, part, parts), end = hg_share(g.samples * runs, part + 1, parts);
  ptrdiff_t from = first / runs * runs * run; /* where the run at hand begins in the input */
  for (ptrdiff_t k = last - 1, rest = first % runs; k >= 0; rest /= g.extents[k--]) {
    index[k] = rest % g.extents[k];
    from += index[k] * g.strides[k];
  }
  for (ptrdiff_t i = first; i < end; i++) {
    if (job.back)
      for (ptrdiff_t j = 0; j < run; j++) job.out[from + j * stride] = job.in[i * run + j];
    else
      for (ptrdiff_t j = 0; j < run; j++) job.out[i * run + j] = job.in[from + j * stride];
    ptrdiff_t k = last - 1;
    for (; k >= 0; k--) {
      from += g.strides[k];
      if (++index[k] < g.extents[k]) break;
      from -= g.extents[k] * g.strides[k];
      index[k] = 0;
    }
    if (k < 0) from += runs * run;
  }
}
