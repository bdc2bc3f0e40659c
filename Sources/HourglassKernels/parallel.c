#include "parallel.h"

#ifdef _OPENMP
#ifdef __clang__
/* clang 21 emits a call that libomp 14 lacks at the end of dynamic loops; harmless where the runtime brings its own. */
__attribute__((weak)) void __kmpc_dispatch_deinit(void *location, int32_t thread) {
  (void)location;
  (void)thread;
}
#endif
#endif

bool hg_has_openmp(void) {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

#if defined(__x86_64__)
#include <immintrin.h>
enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };
uint64_t hg_flush_begin(void) {
  const unsigned mode = _mm_getcsr();
  _mm_setcsr(mode | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
  return mode;
}
/* The exception flags raised meanwhile stay, as after any arithmetic. */
void hg_flush_end(uint64_t mode) { _mm_setcsr((_mm_getcsr() & 0x3f) | (unsigned)mode); }
#elif defined(__aarch64__)
uint64_t hg_flush_begin(void) {
  uint64_t mode;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
  __asm__ __volatile__("msr fpcr, %0" : : "r"(mode | (1u << 24)));
  return mode;
}
void hg_flush_end(uint64_t mode) { __asm__ __volatile__("msr fpcr, %0" : : "r"(mode)); }
#else
uint64_t hg_flush_begin(void) { return 0; }
void hg_flush_end(uint64_t mode) { (void)mode; }
#endif

typedef struct work {
  hg_part run;
  const void *job;
  ptrdiff_t parts;
} work;

static void run_part(void *argument, ptrdiff_t part) {
  const work *w = argument;
  const uint64_t mode = hg_flush_begin();
  w->run(w->job, part, w->parts);
  hg_flush_end(mode);
}

void hg_run(hg_part run, const void *job, const hg_parallel *parallel) {
  work w = {run, job, hg_parts(parallel)};
  if (w.parts == 1) {
    run_part(&w, 0);
  } else if (parallel->parallel_for) {
    parallel->parallel_for(parallel->context, w.parts, run_part, &w);
  } else {
#ifdef _OPENMP
#pragma omp parallel for num_threads((int)w.parts) schedule(static, 1)
#endif
    for (ptrdiff_t part = 0; part < w.parts; part++) run_part(&w, part);
  }
}
