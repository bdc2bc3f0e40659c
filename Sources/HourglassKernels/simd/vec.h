/* The small vocabulary of vector operations that all kernels are written in. No intrinsics: the compiler's vector
 * types.
 *
 * Parameters: HG_LANES, the floats in a register of this instruction set.
 *   vec   one register; used by the tile, where the number of registers counts.
 *   v16   16 floats on every instruction set (1, 2 or 4 registers); used by everything else, so that partial sums and
 *         tails are the same everywhere. */

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")
/* Functions of many instructions on v16, of which gcc, which keeps vectors wider than a register in memory, makes ten
 * times as many as clang: RARE ones are called, and LONG ones where HG_SMALL is defined. A v16 is handed over in
 * memory, so that only functions with much work of their own are RARE. */
#ifdef __clang__
#define RARE INLINE
#else
#define RARE static __attribute__((noinline, unused))
#endif
#ifdef HG_SMALL
#define LONG RARE
#else
#define LONG INLINE
#endif

typedef float vec __attribute__((vector_size(4 * HG_LANES)));
typedef float vec_unaligned __attribute__((vector_size(4 * HG_LANES), aligned(4), may_alias));
typedef int32_t vec_int __attribute__((vector_size(4 * HG_LANES)));

typedef float v16 __attribute__((vector_size(64)));
typedef float v16_unaligned __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t v16i __attribute__((vector_size(64)));
typedef uint32_t v16u __attribute__((vector_size(64)));

/* The thread sanitizer overlooks accesses wider than 16 bytes unless told of them. */
#define SEE_READ(p, type) ((void)0)
#define SEE_WRITE(p, type) ((void)0)
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
void __tsan_read_range(const void *p, size_t bytes);
void __tsan_write_range(void *p, size_t bytes);
#undef SEE_READ
#undef SEE_WRITE
#define SEE_READ(p, type) __tsan_read_range(p, sizeof(type))
#define SEE_WRITE(p, type) __tsan_write_range(p, sizeof(type))
#endif
#endif

INLINE vec vec_load(const float *p) { return SEE_READ(p, vec), *(const vec_unaligned *)p; }
INLINE void vec_store(float *p, vec v) { SEE_WRITE(p, vec), *(vec_unaligned *)p = v; }
INLINE vec vec_splat(float x) { return x - (vec){0}; }

/* gate > 0 ? x : 0, and max(x, 0) of a sum: NaN and -0 stay what they are, and denormals, which no sum is, may or may
 * not become zero. (One instruction on x86.) */
INLINE vec vec_gate(vec gate, vec x) { return (vec)((vec_int)x & (gate > vec_splat(0))); }
INLINE vec vec_relu(vec x) { return (vec)((vec_int)x & ~(x < vec_splat(0))); }

/* Lanes of a and b, two vectors of one type, by number, those of b behind those of a; V16_QUARTERS: four vectors of
 * four in one. The first builtin came with gcc 12; `integers` is the type of the numbers that the one before it
 * wants. */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(integers, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define V16_QUARTERS(a, b, c, d)                                       \
  SHUFFLE(v16i, __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7), \
          __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#else
#define SHUFFLE(integers, a, b, ...) __builtin_shuffle(a, b, (integers){__VA_ARGS__})
#define V16_QUARTERS(a, b, c, d) \
  ((v16){a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2], d[3]})
#endif

INLINE v16 v16_load(const float *p) { return SEE_READ(p, v16), *(const v16_unaligned *)p; }
INLINE void v16_store(float *p, v16 v) { SEE_WRITE(p, v16), *(v16_unaligned *)p = v; }
INLINE v16 v16_splat(float x) { return x - (v16){0}; }

/* The first n <= 16 floats at p, zero beyond; nothing beyond is read or written. */
#define V16_PART(COPY) \
  ptrdiff_t i = 0;     \
  if (n & 8) COPY(8)   \
  if (n & 4) COPY(4)   \
  if (n & 2) COPY(2)   \
  if (n & 1) COPY(1)
#define V16_COPY_IN(count)                           \
  {                                                  \
    __builtin_memcpy(lanes + i, p + i, 4 * (count)); \
    i += count;                                      \
  }
#define V16_COPY_OUT(count)                          \
  {                                                  \
    __builtin_memcpy(p + i, lanes + i, 4 * (count)); \
    i += count;                                      \
  }
LONG v16 v16_load_some(const float *p, ptrdiff_t n) {
  float lanes[16] = {0};
  V16_PART(V16_COPY_IN)
  return v16_load(lanes);
}
LONG void v16_store_some(float *p, v16 v, ptrdiff_t n) {
  float lanes[16];
  v16_store(lanes, v);
  V16_PART(V16_COPY_OUT)
}
/* Callers read what a product is added to before they multiply: gcc fuses no product with a sum that comes behind a
 * branch, and a part is one. */
INLINE v16 v16_load_part(const float *p, ptrdiff_t n) { return n >= 16 ? v16_load(p) : v16_load_some(p, n); }
INLINE void v16_store_part(float *p, v16 v, ptrdiff_t n) {
  if (n >= 16)
    v16_store(p, v);
  else
    v16_store_some(p, v, n);
}

/* As v16_store_part, for what arithmetic has just left in registers, which gcc would store through the stack, in
 * quarters. A value that is in memory is better stored as a whole. */
INLINE void v16_put_part(float *p, v16 v, ptrdiff_t n) {
#if HG_LANES == 8 && !defined(__clang__) && __GNUC__ >= 12
  if (n >= 16) {
    SEE_WRITE(p, v16);
    *(vec_unaligned *)p = SHUFFLE(v16i, v, v, 0, 1, 2, 3, 4, 5, 6, 7);
    *(vec_unaligned *)(p + 8) = SHUFFLE(v16i, v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    return;
  }
#endif
  v16_store_part(p, v, n);
}

/* 16 doubles, for sums that float would round too much. */
typedef double v16d __attribute__((vector_size(128)));

/* A product that is rounded before it is added. Where two products meet in a sum, clang rounds the second, and one that
 * is another statement's; gcc would fuse whichever it comes to first, and not the same on each instruction set. */
INLINE v16 v16_rounded(v16 product) {
#ifndef __clang__
#if HG_LANES == 16
  __asm__("" : "+v"(product));
#elif HG_LANES == 8 && __GNUC__ >= 12 /* as a whole it would go to memory and back */
  vec low = SHUFFLE(v16i, product, product, 0, 1, 2, 3, 4, 5, 6, 7);
  vec high = SHUFFLE(v16i, product, product, 8, 9, 10, 11, 12, 13, 14, 15);
  __asm__("" : "+xm"(low));
  __asm__("" : "+xm"(high));
  product = SHUFFLE(v16i, low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
  __asm__("" : "+m"(product));
#endif
#endif
  return product;
}

/* Sum of the lanes as the balanced tree (0 + 8), (1 + 9) ...; then 4, 2 and 1 apart. */
LONG float v16_sum(v16 x) {
  for (int width = 8; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) x[lane] += x[lane + width];
  return x[0];
}

/* Sum of the lanes of doubles as the same balanced tree. */
INLINE double v16d_sum(v16d x) {
  for (int width = 8; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) x[lane] += x[lane + width];
  return x[0];
}

/* mask (all ones or all zeros in each lane) ? a : b */
INLINE v16 v16_select(v16i mask, v16 a, v16 b) { return (v16)(((v16i)a & mask) | ((v16i)b & ~mask)); }

/* max(x, 0) of a sum, as vec_relu. */
INLINE v16 v16_relu(v16 x) { return (v16)((v16i)x & ~(x < v16_splat(0))); }

/* x in the first n lanes, zero in the others. */
INLINE v16 v16_keep(v16 x, ptrdiff_t n) {
  const v16i lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return v16_select(lanes < (int32_t)n, x, v16_splat(0));
}
