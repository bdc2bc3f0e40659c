/* Where branches of a network part and meet: sums with an activation. Loop bodies are as those of activation.h. */

INLINE void fork_part(hg_activation activation, const float *x, const float *first, const float *second, float *dx,
                      ptrdiff_t n) {
  const v16 sum = v16_load_part(first, n) + v16_load_part(second, n);
  v16_store_part(dx, x ? v16_activate_backward(activation, v16_load_part(x, n), sum) : sum, n);
}

INLINE void fork_all(hg_activation activation, ptrdiff_t count, const float *x, const float *first, const float *second,
                     float *dx) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) fork_part(activation, x ? x + i : NULL, first + i, second + i, dx + i, 16);
  if (i < count) fork_part(activation, x ? x + i : NULL, first + i, second + i, dx + i, count - i);
}

/* What no tile fuses is a pass of its own, here and below. */
static void fork_backward(hg_activation activation, ptrdiff_t count, const float *x, const float *first,
                          const float *second, float *dx) {
  if (activation == HG_ACTIVATION_RELU) return fork_all(HG_ACTIVATION_RELU, count, x, first, second, dx);
  fork_all(HG_ACTIVATION_LINEAR, count, NULL, first, second, dx);
  if (activation != HG_ACTIVATION_LINEAR) activation_backward(activation, count, x, dx, dx);
}

INLINE void join_part(hg_activation activation, const float *x, const float *skip, float *y, ptrdiff_t n) {
  v16_store_part(y, v16_activate(activation, v16_load_part(x, n) + v16_load_part(skip, n)), n);
}

INLINE void join_all(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y) {
  ptrdiff_t i = 0;
  for (; i + 16 <= count; i += 16) join_part(activation, x + i, skip + i, y + i, 16);
  if (i < count) join_part(activation, x + i, skip + i, y + i, count - i);
}

static void join_forward(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y) {
  if (activation == HG_ACTIVATION_RELU) return join_all(HG_ACTIVATION_RELU, count, x, skip, y);
  join_all(HG_ACTIVATION_LINEAR, count, x, skip, y);
  if (activation != HG_ACTIVATION_LINEAR) activation_forward(activation, count, y, y);
}
