/* Elementary functions on 16 floats: the same operations on every instruction set, so the same bits wherever multiply
 * and add fuse. Bounds are in units in the last place (ulp) of the result, beside each the largest error met in a walk
 * of its range against double; the tests check them through the calls built on them. Arguments are reduced after Cody &
 * Waite ("Software Manual for the Elementary Functions", 1980); the polynomials are minimax (Remez, 40 digits, then
 * rounded to float), the error of each stated beside it. */
#ifndef HG_TRANSCENDENTAL_H
#define HG_TRANSCENDENTAL_H

/* ln 2 in two parts. The upper has 9 bits, so its product with an integer below 2^15 is exact, fused or not. */
#define LN2_UPPER 0.693359375f
#define LN2_LOWER -2.12194440e-4f

INLINE v16 v16_abs(v16 x) { return (v16)((v16i)x & 0x7fffffff); }

/* The sign of `sign` on the magnitude of x; `sign` holds 0 or 0x80000000. */
INLINE v16 v16_flip(v16 x, v16i sign) { return (v16)((v16i)x ^ sign); }

/* Lane by lane for the sake of compilers without a builtin; becomes one instruction a register. */
INLINE v16 v16_sqrt(v16 x) {
  for (int lane = 0; lane < 16; lane++) x[lane] = __builtin_sqrtf(x[lane]);
  return x;
}

/* x = n ln 2 + r, |r| <= ln 2 / 2;   e^r - 1 = r + r^2 p(r),   relative error of p 2^-28.3 */
INLINE v16 v16_expm1_reduced(v16 x, v16i *n) {
  const float rounder = 12582912; /* 1.5 * 2^23: a sum with it is rounded to an integer, found in its low bits */
  const v16 shifted = x * 1.44269504f + rounder;
  const v16 whole = shifted - rounder;
  *n = (v16i)shifted - 0x4b400000;
  v16 r = whole * -LN2_UPPER + x;
  r = whole * -LN2_LOWER + r;
  v16 p = v16_splat(0.00138144672f);
  p = p * r + 0.00836878084f;
  p = p * r + 0.0416683927f;
  p = p * r + 0.166665196f;
  p = p * r + 0.49999994f;
  return (r * r) * p + r;
}

/* e^x within 2 ulp (1.01); infinity above 88.73; zero, with denormals flushed, below -87.34; NaN stays NaN. 2^n is
 * applied in two factors because n = 128 is no exponent of a float. */
LONG v16 v16_exp(v16 x) {
  v16i n;
  x = v16_select(x > v16_splat(89), v16_splat(89), x);
  x = v16_select(x < v16_splat(-104), v16_splat(-104), x);
  const v16 p = v16_expm1_reduced(x, &n);
  const v16i half = n >> 1;
  return (p + 1.0f) * (v16)((half + 127) << 23) * (v16)((n - half + 127) << 23);
}

/* e^x - 1 within 1 ulp (0.95) for x <= 0, also near zero; NaN stays NaN: 2^n (e^r - 1) + (2^n - 1). */
LONG v16 v16_expm1_negative(v16 x) {
  v16i n;
  x = v16_select(x < v16_splat(-30), v16_splat(-30), x); /* -1 to float's precision from -17 on */
  const v16 p = v16_expm1_reduced(x, &n), scale = (v16)((n + 127) << 23);
  return p * scale + (scale - 1.0f);
}

/* e ln 2 + ln(1 + f) for e an integer and f in [sqrt(1/2) - 1, sqrt(2) - 1]:
 * ln(1 + f) = f - f^2 / 2 + f^3 p(f), relative error of p 2^-27.3. */
INLINE v16 v16_log_reduced(v16 e, v16 f) {
  v16 p = v16_splat(-0.0763566121f);
  p = p * f + 0.127633274f;
  p = p * f - 0.131605804f;
  p = p * f + 0.142015532f;
  p = p * f - 0.166232988f;
  p = p * f + 0.200012341f;
  p = p * f - 0.250008225f;
  p = p * f + 0.333333313f;
  p = p * f - 0.5f;
  p = v16_rounded((f * f) * p);
  p = e * LN2_LOWER + p;
  p = p + f;
  return e * LN2_UPPER + p;
}

/* ln x within 2 ulp (0.96), for x positive, normal and finite: x = 2^e (1 + f). */
LONG v16 v16_log(v16 x) {
  const v16i bits = (v16i)x;
  const v16i e = (bits - 0x3f3504f3) >> 23; /* the bits of sqrt(1/2) */
  return v16_log_reduced(__builtin_convertvector(e, v16), (v16)(bits - (e << 23)) - 1.0f);
}

/* ln(1 + t) within 2 ulp (1.53) for t in [0, 1], also where 1 + t rounds to 1; NaN stays NaN. Above sqrt(2) - 1 it is
 * ln 2 + ln(1 + (t - 1) / 2). */
LONG v16 v16_log1p_unit(v16 t) {
  const v16i upper = t > v16_splat(0.414213562f);
  return v16_log_reduced(v16_select(upper, v16_splat(1), v16_splat(0)), v16_select(upper, (t - 1.0f) * 0.5f, t));
}

/* ln(1 + x) for x > -1, finite, with its relative precision near 0. */
LONG v16 v16_log1p(v16 x) {
  const v16i near = (x > v16_splat(-0.29f)) & (x < v16_splat(0.41f));
  return v16_select(near, v16_log_reduced(v16_splat(0), x), v16_log(x + 1.0f));
}

#define HALF_LOG_TWO_PI 0.918938533f

/* The rest of Stirling's formula, b(z) = ln Gamma(z) - (z - 1/2) ln z + z - ln(2 pi) / 2 for z > 0, with log = ln z:
 * for z of 4 and more 1/(12 z) - 1/(360 z^3) + 1/(1260 z^5) - 1/(1680 z^7), whose error is below 3e-9; below 4 from
 * Gamma(z) = Gamma(z + 4) / (z (z + 1) (z + 2) (z + 3)). */
LONG v16 v16_binet(v16 z, v16 log) {
  const v16i small = z < v16_splat(4);
  const v16 x = v16_select(small, z + 4.0f, z), inverse = 1.0f / x, square = inverse * inverse;
  v16 series = square * -5.9523810e-4f + 7.9365079e-4f;
  series = series * square - 2.7777778e-3f;
  series = v16_rounded((series * square + 8.3333333e-2f) * inverse);
  const v16 near = v16_select(small, z, v16_splat(1));
  const v16 product = (near + 1.0f) * (near + 2.0f) * (near + 3.0f);
  const v16 shift =
      ((near + 3.5f) * v16_log(near + 4.0f) - v16_rounded((near + 0.5f) * log)) - (v16_log(product) + 4.0f);
  return series + v16_select(small, shift, v16_splat(0));
}

/* digamma(z) - ln z for z > 0: -1/(2 z) - 1/(12 z^2) + 1/(120 z^4) - 1/(252 z^6) + 1/(240 z^8), below 4 from z + 4. */
LONG v16 v16_digamma_excess(v16 z) {
  const v16i small = z < v16_splat(4);
  const v16 x = v16_select(small, z + 4.0f, z), inverse = 1.0f / x, square = inverse * inverse;
  v16 series = square * 4.1666667e-3f - 3.9682540e-3f;
  series = series * square + 8.3333333e-3f;
  series = series * square - 8.3333333e-2f;
  series = series * square - v16_rounded(0.5f * inverse);
  const v16 near = v16_select(small, z, v16_splat(1));
  const v16 poles = (1.0f / near + 1.0f / (near + 1.0f)) + (1.0f / (near + 2.0f) + 1.0f / (near + 3.0f));
  return series + v16_select(small, v16_log((near + 4.0f) / near) - poles, v16_splat(0));
}

/* sin and cos of 2 pi u within 2 ulp (1.69), for u a multiple of 2^-24 in [0, 1]: then u = q / 4 + r, |r| <= 1/8, is
 * exact.
 *
 *   sin(2 pi r) = r s(r^2), relative error 2^-28.2;   cos(2 pi r) = 1 + r^2 c(r^2), relative error 2^-33.9 */
LONG void v16_sin_cos_turns(v16 u, v16 *sine, v16 *cosine) {
  const v16i q = __builtin_convertvector(u * 4.0f + 0.5f, v16i);
  const v16 r = __builtin_convertvector(q, v16) * -0.25f + u;
  const v16 square = r * r;
  v16 s = v16_splat(-75.3935623f);
  s = s * square + 81.5923538f;
  s = s * square - 41.3416634f;
  s = s * square + 6.28318548f;
  s = s * r;
  v16 c = v16_splat(59.2292442f);
  c = c * square - 85.4432373f;
  c = c * square + 64.9393234f;
  c = c * square - 19.7392082f;
  c = c * square + 1.0f;
  const v16i odd = (q & 1) != 0;
  *sine = v16_flip(v16_select(odd, c, s), (q & 2) << 30);
  *cosine = v16_flip(v16_select(odd, s, c), ((q + 1) & 2) << 30);
}

/* A log-variance within the range of its use; NaN stays NaN. */
INLINE v16 clamp_log_variance(v16 lv) {
  lv = v16_select(lv < v16_splat(HG_LOG_VARIANCE_MIN), v16_splat(HG_LOG_VARIANCE_MIN), lv);
  return v16_select(lv > v16_splat(HG_LOG_VARIANCE_MAX), v16_splat(HG_LOG_VARIANCE_MAX), lv);
}

#endif
