#include "limits.h"

#include <string.h>

/* The loops of one instruction set. A parallel region cannot hold them: clang does not hand target attributes on to the
 * function that it makes of a region. */
typedef struct loops {
  double (*multiply_add)(ptrdiff_t repeats);
  double (*read)(ptrdiff_t floats, ptrdiff_t repeats, const float *memory);
  double (*triad)(ptrdiff_t floats, ptrdiff_t repeats, float *memory);
} loops;

/* Keep a sum alive that nobody reads, and a factor unknown to the compiler. */
static volatile float sink, half = 0.5f;

#define ISA(name) name##_baseline
#define TARGET
#define BYTES 16
#define CHAINS 12
#include "loops.h"

#if defined(__x86_64__)
#define ISA(name) name##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define BYTES 32
#define CHAINS 12
#include "loops.h"

#define ISA(name) name##_avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define BYTES 64
#define CHAINS 24
#include "loops.h"
#elif defined(__aarch64__)
#define ISA(name) name##_neon
#define TARGET
#define BYTES 16
#define CHAINS 24
#include "loops.h"
#endif

static loops loops_of(const char *isa) {
#if defined(__x86_64__)
  if (!strcmp(isa, "avx512")) return loops_avx512;
  if (!strcmp(isa, "avx2")) return loops_avx2;
#elif defined(__aarch64__)
  if (!strcmp(isa, "neon")) return loops_neon;
#else
  (void)isa;
#endif
  return loops_baseline;
}

double limits_multiply_add(const char *isa, ptrdiff_t threads, ptrdiff_t repeats) {
  const loops own = loops_of(isa);
  if (threads == 1) return own.multiply_add(repeats); /* a region of one would start the OpenMP runtime */
  double flops = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : flops)
  for (ptrdiff_t t = 0; t < threads; t++) flops += own.multiply_add(repeats);
  return flops;
}

double limits_read(const char *isa, ptrdiff_t threads, ptrdiff_t floats, ptrdiff_t repeats, const float *memory) {
  const loops own = loops_of(isa);
  if (threads == 1) return own.read(floats, repeats, memory);
  double bytes = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : bytes)
  for (ptrdiff_t t = 0; t < threads; t++) bytes += own.read(floats, repeats, memory + t * floats);
  return bytes;
}

double limits_triad(const char *isa, ptrdiff_t threads, ptrdiff_t floats, ptrdiff_t repeats, float *memory) {
  const loops own = loops_of(isa);
  if (threads == 1) return own.triad(floats, repeats, memory);
  double bytes = 0;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : bytes)
  for (ptrdiff_t t = 0; t < threads; t++) bytes += own.triad(floats, repeats, memory + t * floats);
  return bytes;
}

#if defined(__clang__)
const char *limits_compiler(void) { return __VERSION__; }
#else
const char *limits_compiler(void) { return "gcc " __VERSION__; }
#endif
