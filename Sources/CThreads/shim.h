/* What Linux offers for the calling thread and Swift does not see: variadic calls, and those that glibc declares only
 * for who defines _GNU_SOURCE. */
#include <malloc.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AFFINITY_WORD_BITS = 8 * sizeof(unsigned long), AFFINITY_WORDS = 8192 / AFFINITY_WORD_BITS };

typedef struct affinity_mask {
  unsigned long words[AFFINITY_WORDS];
} affinity_mask;

/* The cores that the calling thread may run on, in order: as many as fit into `cores`. Answers their number, or 0 where
 * the system does not say. */
static inline ptrdiff_t affinity_cores(ptrdiff_t *cores, ptrdiff_t most) {
  affinity_mask mask = {{0}};
  if (syscall(SYS_sched_getaffinity, 0, sizeof mask, &mask) < 0) return 0;
  ptrdiff_t count = 0;
  for (ptrdiff_t core = 0; core < AFFINITY_WORDS * AFFINITY_WORD_BITS && count < most; core++)
    if (mask.words[core / AFFINITY_WORD_BITS] >> core % AFFINITY_WORD_BITS & 1) cores[count++] = core;
  return count;
}

/* Binds the calling thread to cores[thread]; where the system refuses, it stays as it was. */
static inline void affinity_bind(void *cores, ptrdiff_t thread) {
  affinity_mask mask = {{0}};
  const ptrdiff_t core = ((const ptrdiff_t *)cores)[thread];
  mask.words[core / AFFINITY_WORD_BITS] = 1ul << core % AFFINITY_WORD_BITS;
  syscall(SYS_sched_setaffinity, 0, sizeof mask, &mask);
}

/* The core that the calling thread runs on. */
int affinity_core(void) __asm__("sched_getcpu");

/* Moves the calling thread to a core and leaves it free to move on: the cores it may run on stay the same. */
static inline void affinity_move(ptrdiff_t core) {
  affinity_mask mask = {{0}};
  if (syscall(SYS_sched_getaffinity, 0, sizeof mask, &mask) < 0) return;
  affinity_bind(&core, 0);
  syscall(SYS_sched_setaffinity, 0, sizeof mask, &mask);
}

/* Names the calling thread, 15 bytes at most, for ps, top and debuggers; threads that it starts inherit the name. */
static inline void thread_name(const char *name) { prctl(PR_SET_NAME, name); }

/* The most threads that an OpenMP team of the calling thread has had, itself among them, as CoreBinding.swift notes,
 * which alone may call this: every object file has a note of its own. */
static inline ptrdiff_t *thread_team(void) {
  static _Thread_local ptrdiff_t threads = 1;
  return &threads;
}

/* Lets all threads take memory from one arena: glibc reserves 64 MiB of addresses for each arena. */
static inline void thread_share_arena(void) {
#ifdef M_ARENA_MAX
  mallopt(M_ARENA_MAX, 1);
#endif
}

/* A file in memory of so many bytes, all zero, that no folder shows; -1 where the system refuses. */
static inline int memory_file(size_t bytes) {
  const int file = (int)syscall(SYS_memfd_create, "hourglass", 0);
  if (file < 0 || ftruncate(file, (off_t)bytes) == 0) return file;
  close(file);
  return -1;
}

/* LLVM's OpenMP runtime alone has this call. */
extern void kmp_set_blocktime(int milliseconds) __attribute__((weak));

/* How long the threads of teams that the calling thread founds spin for work before they sleep; other runtimes keep
 * their own time. */
static inline void thread_set_blocktime(int milliseconds) {
  if (kmp_set_blocktime) kmp_set_blocktime(milliseconds);
}
