/* The matrices of Winograd's form, each as a function that multiplies a vector by it; every sum of more than two terms
 * is written so that its order and its fused multiply-adds are given. The points
 * are 0, 1, -1, 2 and infinity for 2 taps, and -2 as well for 3. `taps` is a constant where they are inlined. */

enum { WINOGRAD_POINTS = 6 };

/* o = B^T d */
INLINE void winograd_input(const int taps, const v16 *d, v16 *o) {
  if (taps == 2) {
    const v16 a = d[3] - d[1], b = d[4] - d[2];
    o[0] = (d[0] - d[2]) * 2 + a;
    o[1] = d[1] * -2 + (d[3] - d[2]);
    o[2] = d[1] * 2 + (d[2] * -3 + d[3]);
    o[3] = a;
    o[4] = a * -2 + b;
    return;
  }
  const v16 a = d[4] - d[2] * 4, b = d[3] - d[1] * 4, c = d[4] - d[2], e = d[3] - d[1];
  o[0] = d[0] * 4 + (d[4] - d[2] * 5);
  o[1] = a + b;
  o[2] = a - b;
  o[3] = e * 2 + c;
  o[4] = e * -2 + c;
  o[5] = d[1] * 4 + (d[5] - d[3] * 5);
}

/* o = A^T m */
INLINE void winograd_output(const int taps, const v16 *m, v16 *o) {
  const v16 a = m[1] + m[2], b = m[1] - m[2];
  if (taps == 2) {
    o[0] = m[0] + a + m[3];
    o[1] = m[3] * 2 + b;
    o[2] = m[3] * 4 + a;
    o[3] = m[3] * 8 + b + m[4];
    return;
  }
  const v16 c = m[3] + m[4], d = m[3] - m[4];
  o[0] = m[0] + a + c;
  o[1] = d * 2 + b;
  o[2] = c * 4 + a;
  o[3] = d * 8 + b + m[5];
}

/* o = A d */
INLINE void winograd_error(const int taps, const v16 *d, v16 *o) {
  const v16 a = d[0] + d[2], b = d[1] + d[3], c = d[2] * 4 + d[0], e = d[3] * 4 + d[1];
  o[0] = d[0];
  o[1] = a + b;
  o[2] = a - b;
  o[3] = e * 2 + c;
  if (taps == 3) o[4] = e * -2 + c;
  o[taps + 2] = d[3];
}

/* o = G g, by divisions: taps that are multiples of 24 (6 of two taps) give whole numbers. */
INLINE void winograd_filter(const int taps, const v16 *g, v16 *o) {
  if (taps == 2) {
    o[0] = g[0] / 2;
    o[1] = (g[0] + g[1]) / -2;
    o[2] = (g[0] - g[1]) / -6;
    o[3] = (g[1] * 2 + g[0]) / 6;
    o[4] = g[1];
    return;
  }
  const v16 a = g[0] + g[2], b = g[2] * 4 + g[0];
  o[0] = g[0] / 4;
  o[1] = (a + g[1]) / -6;
  o[2] = (a - g[1]) / -6;
  o[3] = (g[1] * 2 + b) / 24;
  o[4] = (g[1] * -2 + b) / 24;
  o[5] = g[2];
}

/* o = G^T m */
INLINE void winograd_gradient(const int taps, const v16 *m, v16 *o) {
  if (taps == 2) {
    o[0] = (m[0] - m[1]) * 0.5f + (m[3] - m[2]) * (1 / 6.f);
    o[1] = m[1] * -0.5f + (m[2] * (1 / 6.f) + (m[3] * (1 / 3.f) + m[4]));
    return;
  }
  const v16 a = m[1] + m[2], b = m[2] - m[1], c = m[3] + m[4], d = m[3] - m[4];
  o[0] = m[0] * 0.25f + (a * (-1 / 6.f) + c * (1 / 24.f));
  o[1] = b * (1 / 6.f) + d * (1 / 12.f);
  o[2] = (c - a) * (1 / 6.f) + m[5];
}

/* out = the `to` x `to` tile T in T^T, of the `from` x `from` tile at `in`: rows first. */
#define WINOGRAD_TILE(transform, taps, from, to, in, out)                         \
  do {                                                                            \
    v16 half[WINOGRAD_POINTS][WINOGRAD_POINTS];                                   \
    for (int i = 0; i < (from); i++) transform(taps, (in) + i * (from), half[i]); \
    for (int j = 0; j < (to); j++) {                                              \
      v16 column[WINOGRAD_POINTS], turned[WINOGRAD_POINTS];                       \
      for (int i = 0; i < (from); i++) column[i] = half[i][j];                    \
      transform(taps, column, turned);                                            \
      for (int i = 0; i < (to); i++) (out)[i * (to) + j] = turned[i];             \
    }                                                                             \
  } while (0)
