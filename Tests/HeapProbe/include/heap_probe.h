/* What the heap of this process does, for tests that claim it does nothing. */
#ifndef HEAP_PROBE_H
#define HEAP_PROBE_H

#include <stddef.h>
#include <stdint.h>

/* Calls of malloc, calloc, realloc and the aligned ones so far, by all threads. Zero for ever under a sanitizer, which
 * has an allocator of its own. */
int64_t heap_probe_allocations(void);

/* From now on aligned memory comes with all bits set, floats that are no number, and not as the system left it. */
void heap_probe_soil(void);

/* Blocks that were allocated and not released yet. */
int64_t heap_probe_live(void);

#endif
