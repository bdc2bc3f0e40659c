/* The last columns of a matrix, filled up to whole groups. */
#include "isa.h"

#include <string.h>

typedef struct pack_job {
  ptrdiff_t rows, columns;
  const float *in;
  float *tail;
} pack_job;

static void pack(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const pack_job *job = argument;
  const ptrdiff_t whole = job->columns / 16 * 16, count = job->columns - whole;
  const ptrdiff_t end = hg_share(job->rows, part + 1, parts);
  for (ptrdiff_t i = hg_share(job->rows, part, parts); i < end; i++) {
    const float *in = job->in + i * job->columns + whole;
    float *out = job->tail + i * 16;
    for (ptrdiff_t j = 0; j < count; j++) out[j] = in[j];
    for (ptrdiff_t j = count; j < 16; j++) out[j] = 0;
  }
}

void hg_pack_tail(ptrdiff_t rows, ptrdiff_t columns, const float *in, float *tail, const hg_parallel *parallel) {
  const pack_job job = {rows, columns, in, tail};
  hg_run(pack, &job, parallel);
}
