/* Definitions of malloc and its family that count and hand on to glibc's, whose names begin with __libc_. A definition
 * in the executable takes the place of the library's for the whole process, the Swift runtime and OpenMP included. */
#include "heap_probe.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

static atomic_llong allocations, releases;

static atomic_bool soils;

void heap_probe_soil(void) { atomic_store(&soils, true); }

int64_t heap_probe_allocations(void) { return atomic_load(&allocations); }
int64_t heap_probe_live(void) { return atomic_load(&allocations) - atomic_load(&releases); }

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_ALLOCATOR_OF_ITS_OWN
#endif
#endif

#ifndef HAS_ALLOCATOR_OF_ITS_OWN
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *old);

static void count(void) { atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed); }

void *malloc(size_t bytes) {
  count();
  return __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes) {
  count();
  return __libc_calloc(number, bytes);
}

void *realloc(void *old, size_t bytes) {
  count();
  if (old) atomic_fetch_add_explicit(&releases, 1, memory_order_relaxed);
  return __libc_realloc(old, bytes);
}

void free(void *old) {
  if (old) atomic_fetch_add_explicit(&releases, 1, memory_order_relaxed);
  __libc_free(old);
}

void *memalign(size_t alignment, size_t bytes) {
  count();
  void *memory = __libc_memalign(alignment, bytes);
  if (memory && atomic_load(&soils)) memset(memory, 0xff, bytes);
  return memory;
}

void *aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }

int posix_memalign(void **out, size_t alignment, size_t bytes) {
  void *memory = memalign(alignment, bytes);
  if (!memory) return ENOMEM;
  *out = memory;
  return 0;
}
#endif
