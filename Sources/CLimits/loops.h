/* Included once for each instruction set, with
 *   ISA(name)  the name with the instruction set behind it
 *   TARGET     the attribute that switches it on
 *   BYTES      of a vector register
 *   CHAINS     of multiply-adds that hide the latency of one and still fit the registers, with two to spare */

typedef float ISA(vector) __attribute__((vector_size(BYTES), aligned(4), may_alias));

enum { ISA(lanes) = BYTES / 4 };

TARGET static double ISA(multiply_add)(ptrdiff_t repeats) {
  enum { UNROLLED = 8 }; /* so that counting takes nothing from the multiply-adds */
  ISA(vector) chains[CHAINS], factor, summand;
  for (int i = 0; i < ISA(lanes); i++) factor[i] = half, summand[i] = 2 * half;
  for (int i = 0; i < CHAINS; i++) chains[i] = factor * (float)i;
  for (ptrdiff_t r = 0; r < repeats; r++)
    for (int u = 0; u < UNROLLED; u++)
      for (int i = 0; i < CHAINS; i++) chains[i] = chains[i] * factor + summand;
  for (int i = 1; i < CHAINS; i++) chains[0] += chains[i];
  sink = chains[0][0];
  return 2.0 * (double)repeats * UNROLLED * CHAINS * ISA(lanes);
}

TARGET static double ISA(read)(ptrdiff_t floats, ptrdiff_t repeats, const float *memory) {
  enum { UNROLLED = 8 };
  const ptrdiff_t step = UNROLLED * ISA(lanes), count = floats / step * step;
  ISA(vector) sums[UNROLLED] = {0};
  for (ptrdiff_t r = 0; r < repeats; r++) {
    for (ptrdiff_t i = 0; i < count; i += step)
      for (int u = 0; u < UNROLLED; u++) sums[u] += *(const ISA(vector) *)(memory + i + u * ISA(lanes));
    __asm__ volatile("" ::: "memory"); /* the next pass has to read again */
  }
  for (int u = 1; u < UNROLLED; u++) sums[0] += sums[u];
  sink = sums[0][0];
  return 4.0 * (double)repeats * (double)count;
}

TARGET static double ISA(triad)(ptrdiff_t floats, ptrdiff_t repeats, float *memory) {
  enum { UNROLLED = 4 };
  const ptrdiff_t step = UNROLLED * ISA(lanes), count = floats / 3 / step * step;
  const float *restrict x = memory, *restrict y = memory + count;
  float *restrict z = memory + 2 * count;
  for (ptrdiff_t r = 0; r < repeats; r++) {
    for (ptrdiff_t i = 0; i < count; i += step)
      for (int u = 0; u < UNROLLED; u++) {
        const ptrdiff_t at = i + u * ISA(lanes);
        *(ISA(vector) *)(z + at) = *(const ISA(vector) *)(x + at) + 3.0f * *(const ISA(vector) *)(y + at);
      }
    __asm__ volatile("" ::: "memory");
  }
  return 12.0 * (double)repeats * (double)count;
}

static const loops ISA(loops) = {ISA(multiply_add), ISA(read), ISA(triad)};

#undef ISA
#undef TARGET
#undef BYTES
#undef CHAINS
