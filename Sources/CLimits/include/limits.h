/* What the machine can do at most: multiply-adds from registers and bytes from each level of memory. Each call does an
 * amount of work; the caller takes the time. The instruction set is named as hg_isa_name names it. */
#ifndef LIMITS_H
#define LIMITS_H

#include <stddef.h>

/* x = x a + b in independent chains that never leave the registers, so many times on each thread. Answers the flops. */
double limits_multiply_add(const char *isa, ptrdiff_t threads, ptrdiff_t repeats);

/* Reads `floats` floats of each thread's own part of the memory, so many times. Answers the bytes read. */
double limits_read(const char *isa, ptrdiff_t threads, ptrdiff_t floats, ptrdiff_t repeats, const float *memory);

/* z = x + s y on three arrays in each thread's own `floats` floats (McCalpin's STREAM). Answers the bytes read and
 * written, without the line that some caches fetch before a write. */
double limits_triad(const char *isa, ptrdiff_t threads, ptrdiff_t floats, ptrdiff_t repeats, float *memory);

/* The compiler that made this file, and so the kernels beside it. */
const char *limits_compiler(void);

#endif
