/* Random numbers. */
#include "check.h"
#include "isa.h"

/* No value made here, nor any between, is denormal: the floating-point mode does not matter. */

static const char *check(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, const void *out) {
  HG_CHECK(hg_check_stream(stream));
  if (first < 0) return HG_BAD_VALUE("the first value is before the stream");
  HG_CHECK(hg_check_count(1, count));
  return hg_check_arrays(out || count == 0);
}

const char *hg_random_bits(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out) {
  HG_CHECK(check(stream, first, count, out));
  hg_kernels_in_use()->random_bits(stream, first, count, out);
  return NULL;
}

const char *hg_random_uniform(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  HG_CHECK(check(stream, first, count, out));
  hg_kernels_in_use()->random_uniform(stream, first, count, out);
  return NULL;
}

const char *hg_random_normal(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  HG_CHECK(check(stream, first, count, out));
  if (first % 2) return HG_BAD_VALUE("the first normal value must be an even one");
  hg_kernels_in_use()->random_normal(stream, first, count, out);
  return NULL;
}
