/* How a call is divided: parts of a job, each run once, by whoever the caller's hg_parallel names.
 *
 * No kernel contains OpenMP: clang does not pass target attributes to the function it outlines for a parallel region,
 * so a region only hands out part numbers and calls through the table of the chosen instruction set. */
#ifndef HG_PARALLEL_H
#define HG_PARALLEL_H

#include "include/hourglass_kernels.h"

/* Runs part `part` of `parts` of a job. Parts write disjoint outputs. */
typedef void (*hg_part)(const void *job, ptrdiff_t part, ptrdiff_t parts);

/* Parts into which the caller's threads divide a call: at least 1. */
static inline ptrdiff_t hg_parts(const hg_parallel *parallel) {
  return parallel && parallel->threads > 1 ? parallel->threads : 1;
}

/* Runs all parts and returns when they are done; denormals count as zero inside. */
void hg_run(hg_part run, const void *job, const hg_parallel *parallel);

/* The share [first, last) of `count` items that belongs to a part. */
static inline ptrdiff_t hg_share(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts) {
  return count / parts * part + count % parts * part / parts;
}

/* Where the share of a part of `count` elements begins, in whole groups of 16. */
static inline ptrdiff_t hg_share_groups(ptrdiff_t count, ptrdiff_t part, ptrdiff_t parts) {
  const ptrdiff_t first = 16 * hg_share((count + 15) / 16, part, parts);
  return first < count ? first : count;
}

/* Flush-to-zero for the duration of a serial call: mode = hg_flush_begin(); ...; hg_flush_end(mode). */
uint64_t hg_flush_begin(void);
void hg_flush_end(uint64_t mode);

#endif
