/* The definitions of random numbers: Philox as its authors write it, Box and Muller in double. */
#include "reference.h"

/* Word i mod 4 of block i div 4 of the stream. */
uint32_t hg_reference_random_word(const hg_random_stream *stream, uint64_t i) {
  uint32_t counter[4] = {(uint32_t)(i / 4), stream->sample, stream->step, stream->stream};
  uint32_t key[2] = {(uint32_t)stream->seed, (uint32_t)(stream->seed >> 32)};
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = (uint64_t)0xD2511F53 * counter[0], product1 = (uint64_t)0xCD9E8D57 * counter[2];
    counter[0] = (uint32_t)(product1 >> 32) ^ counter[1] ^ key[0];
    counter[1] = (uint32_t)product1;
    counter[2] = (uint32_t)(product0 >> 32) ^ counter[3] ^ key[1];
    counter[3] = (uint32_t)product0;
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter[i % 4];
}

static double uniform(const hg_random_stream *stream, uint64_t i) {
  return ((hg_reference_random_word(stream, i) >> 9) + 0.5) / 8388608;
}

double hg_reference_normal(const hg_random_stream *stream, uint64_t i) {
  const double turn = 6.283185307179586;
  const uint64_t pair = i & ~(uint64_t)1;
  const double radius = sqrt(-2 * log(uniform(stream, pair))), angle = turn * uniform(stream, pair + 1);
  return radius * (i % 2 ? sin(angle) : cos(angle));
}

void hg_reference_random_bits(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out) {
  for (ptrdiff_t i = 0; i < count; i++) out[i] = hg_reference_random_word(stream, (uint64_t)(first + i));
}

void hg_reference_random_uniform(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  for (ptrdiff_t i = 0; i < count; i++) out[i] = (float)uniform(stream, (uint64_t)(first + i));
}

void hg_reference_random_normal(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  for (ptrdiff_t i = 0; i < count; i++) out[i] = (float)hg_reference_normal(stream, (uint64_t)(first + i));
}
