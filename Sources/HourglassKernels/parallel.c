#include "parallel.h"

#include "check.h"

#ifdef _OPENMP
/* omp.h lies on no common path and brings headers of another compiler with it. */
int omp_get_thread_num(void);
int omp_get_num_threads(void);
#else
static int omp_get_thread_num(void) { return 0; }
static int omp_get_num_threads(void) { return 1; }
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
/* Rounding to nearest, no exception traps, and denormals count as zero. */
enum { ALL_MASKED = 0x1f80, FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040, FLAGS = 0x003f };
uint64_t hg_flush_begin(void) {
  const unsigned mode = _mm_getcsr();
  _mm_setcsr((mode & FLAGS) | ALL_MASKED | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
  return mode;
}
/* The exception flags raised meanwhile stay, as after any arithmetic. */
void hg_flush_end(uint64_t mode) { _mm_setcsr((_mm_getcsr() & FLAGS) | (unsigned)mode); }
#elif defined(__aarch64__)
/* Rounding to nearest, no exception traps, and denormals count as zero; the flags have a register of their own. */
static const uint64_t FLUSH_TO_ZERO = 1 << 24;
uint64_t hg_flush_begin(void) {
  uint64_t mode;
  __asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
  __asm__ __volatile__("msr fpcr, %0" : : "r"(FLUSH_TO_ZERO));
  return mode;
}
void hg_flush_end(uint64_t mode) { __asm__ __volatile__("msr fpcr, %0" : : "r"(mode)); }
#else
uint64_t hg_flush_begin(void) { return 0; }
void hg_flush_end(uint64_t mode) { (void)mode; }
#endif

const char *hg_parallel_check(const hg_parallel *parallel) {
  if (!parallel) return NULL;
  if (parallel->size != sizeof *parallel) return HG_BAD_SIZE("parallel.size is not sizeof(hg_parallel)");
  if (parallel->threads < 0) return HG_BAD_PARALLEL("the number of threads is negative");
  if (parallel->threads > HG_MOST_THREADS) return HG_BAD_PARALLEL("there are more than 65536 threads");
  return NULL;
}

/* Threads of the largest team that OpenMP is asked for: its runtimes end the process where one cannot be founded. */
enum { LARGEST_TEAM = 1024 };

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
    /* Not `parallel for`: clang's runtime allocates for every loop that threads share. */
#ifdef _OPENMP
#pragma omp parallel num_threads((int)(w.parts < LARGEST_TEAM ? w.parts : LARGEST_TEAM))
#endif
    for (ptrdiff_t part = omp_get_thread_num(); part < w.parts; part += omp_get_num_threads()) run_part(&w, part);
  }
}

typedef struct visit {
  void (*body)(void *argument, ptrdiff_t thread);
  void *argument;
} visit;

static void visit_thread(const void *job, ptrdiff_t part, ptrdiff_t parts) {
  const visit *v = job;
  (void)parts;
  v->body(v->argument, part);
}

const char *hg_on_each_thread(const hg_parallel *parallel, void (*body)(void *argument, ptrdiff_t thread),
                              void *argument) {
  HG_CHECK(hg_parallel_check(parallel));
  if (!body) return HG_IS_NULL("the body is NULL");
  const visit v = {body, argument};
  hg_run(visit_thread, &v, parallel);
  return NULL;
}
