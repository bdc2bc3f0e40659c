/* Philox4x32-10 on 8 blocks at once, and the uniform and normal values made of it.
 *
 * One group is 8 blocks, 32 values. A word of the 8 counters lies in the lower halves of 8 lanes of 64 bits, where the
 * 32 x 32 bit product is one instruction; what the upper halves hold is ignored. Lanes are little-endian. */
#include "transcendental.h"

enum { GROUP_BLOCKS = 8, GROUP_VALUES = 32 };

typedef uint64_t v8w __attribute__((vector_size(64)));

/* One group's output: words 0 and 1, words 2 and 3, words 0 and 2 ... of block b in lane b. */
typedef struct philox_group {
  v8w word[4];
} philox_group;

/* Multipliers and key increments of Salmon et al. (2011), table 2 and section 4.3. */
LONG philox_group philox(const hg_random_stream *stream, uint64_t first_block) {
  const v8w lower = (v8w){0} + 0xffffffffu, lanes = {0, 1, 2, 3, 4, 5, 6, 7};
  uint32_t key0 = (uint32_t)stream->seed, key1 = (uint32_t)(stream->seed >> 32);
  v8w c0 = lanes + first_block, c1 = (v8w){0} + stream->sample;
  v8w c2 = (v8w){0} + stream->step, c3 = (v8w){0} + stream->stream;
  UNROLL for (int round = 0; round < 10; round++) {
    const v8w product0 = (c0 & lower) * 0xD2511F53u, product1 = (c2 & lower) * 0xCD9E8D57u;
    c0 = (product1 >> 32) ^ c1 ^ key0;
    c1 = product1;
    c2 = (product0 >> 32) ^ c3 ^ key1;
    c3 = product0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return (philox_group){{c0 & lower, c1 & lower, c2 & lower, c3 & lower}};
}

/* Values of one group: 32 words in order, as two runs of 16. */
typedef struct group_values {
  v16u run[2];
} group_values;

INLINE group_values bits_group(const hg_random_stream *stream, uint64_t first_block) {
  const philox_group p = philox(stream, first_block);
  const v8w even = p.word[0] | (p.word[1] << 32), odd = p.word[2] | (p.word[3] << 32);
  return (group_values){{(v16u)SHUFFLE(v8w, even, odd, 0, 8, 1, 9, 2, 10, 3, 11),
                         (v16u)SHUFFLE(v8w, even, odd, 4, 12, 5, 13, 6, 14, 7, 15)}};
}

/* (k + 1/2) 2^-23 with k < 2^23: exact, never 0 or 1. */
INLINE v16 uniform_from_bits(v16u bits) {
  const v16 k = __builtin_convertvector((v16i)(bits >> 9), v16);
  return k * 0x1p-23f + 0x1p-24f;
}

INLINE group_values uniform_group(const hg_random_stream *stream, uint64_t first_block) {
  group_values values = bits_group(stream, first_block);
  for (int i = 0; i < 2; i++) values.run[i] = (v16u)uniform_from_bits(values.run[i]);
  return values;
}

/* Pair i of the group is (word 0, word 1) or (word 2, word 3) of block i div 2. */
INLINE group_values normal_group(const hg_random_stream *stream, uint64_t first_block) {
  const philox_group p = philox(stream, first_block);
  const v16 u = uniform_from_bits((v16u)(p.word[0] | (p.word[2] << 32)));
  const v16 v = uniform_from_bits((v16u)(p.word[1] | (p.word[3] << 32)));
  const v16 radius = v16_sqrt(-2.0f * v16_log(u));
  v16 sine, cosine;
  v16_sin_cos_turns(v, &sine, &cosine);
  const v16 a = radius * cosine, b = radius * sine;
  return (group_values){{(v16u)SHUFFLE(v16i, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
                         (v16u)SHUFFLE(v16i, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)}};
}

/* Values [first, first + count) of the stream to out (32 bits each). Groups start at the block of the first value, of
 * which `skip` values come before it; the first and the last group may be wanted in part. */
INLINE void random_fill(group_values (*group)(const hg_random_stream *, uint64_t), const hg_random_stream *stream,
                        ptrdiff_t first, ptrdiff_t count, void *out) {
  uint32_t *values = out;
  uint64_t block = (uint64_t)first / 4;
  ptrdiff_t skip = first % 4;
  while (count > 0) {
    const group_values g = group(stream, block);
    const ptrdiff_t n = count < GROUP_VALUES - skip ? count : GROUP_VALUES - skip;
    if (n == GROUP_VALUES)
      __builtin_memcpy(values, &g, sizeof g);
    else
      __builtin_memcpy(values, (const uint32_t *)&g + skip, (size_t)n * sizeof *values);
    values += n;
    count -= n;
    block += GROUP_BLOCKS;
    skip = 0;
  }
}

static void random_bits(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out) {
  random_fill(bits_group, stream, first, count, out);
}
static void random_uniform(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  random_fill(uniform_group, stream, first, count, out);
}
static void random_normal(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out) {
  random_fill(normal_group, stream, first, count, out);
}
