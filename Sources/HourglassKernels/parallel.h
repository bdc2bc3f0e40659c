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

/* How many parts work on a job that gives each `room` floats of scratch: as many as there are, but no more than shares
 * of work, and no more than four or than four times the call's arrays, `operands` floats, have room for. So scratch is
 * bounded by the arrays, however many threads a caller has. */
static inline ptrdiff_t hg_rooms(const hg_parallel *parallel, ptrdiff_t room, ptrdiff_t shares, ptrdiff_t operands) {
  const ptrdiff_t parts = hg_parts(parallel);
  if (parts <= 4) return parts;
  const ptrdiff_t fit = 4 * operands / (room > 0 ? room : 1), most = fit > 4 ? fit : 4;
  const ptrdiff_t wanted = shares > 1 ? shares : 1, some = parts < wanted ? parts : wanted;
  return some < most ? some : most;
}

/* Runs all parts and returns when they are done, each in the floating-point mode of hg_flush_begin. */
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

/* An array from an element on; NULL stays NULL. */
static inline const float *hg_from(const float *array, ptrdiff_t element) { return array ? array + element : NULL; }
static inline float *hg_onto(float *array, ptrdiff_t element) { return array ? array + element : NULL; }

/* The floating-point mode of the kernels for the duration of a serial call, whatever the caller's is: rounding to
 * nearest, no traps, denormals count as zero.  mode = hg_flush_begin(); ...; hg_flush_end(mode). */
uint64_t hg_flush_begin(void);
void hg_flush_end(uint64_t mode);

#endif
