/* Calls give the same bits in every floating-point mode of the caller, whose mode stays: rounding in all four
 * directions, and traps on invalid operations, division by zero and overflow. */
#define _GNU_SOURCE
#include <fenv.h>
#include <hourglass_kernels.h>
#include <stdio.h>
#include <string.h>

enum { COUNT = 1003, OUTPUTS = 9 };

static float x[2 * COUNT], targets[COUNT], out[OUTPUTS][2 * COUNT], expected[OUTPUTS][2 * COUNT];

static void compute(void) {
  const hg_parallel *const kinds[] = {NULL, &(hg_parallel){sizeof(hg_parallel), 2, NULL, NULL}};
  const hg_random_stream stream = {sizeof stream, 1, 2, 3, 4};
  const hg_adam_options adam = {sizeof adam, 1, 0.1f, 0.9f, 0.99f, 0, 0, 0.1f, 0.01f};
  const hg_geometry2d window = {.size = sizeof window,
                                .samples = 1,
                                .large_height = 9,
                                .large_width = 15,
                                .large_channels = 7,
                                .small_height = 3,
                                .small_width = 5,
                                .small_channels = 7,
                                .filter_height = 3,
                                .filter_width = 3,
                                .stride_vertical = 3,
                                .stride_horizontal = 3};
  const hg_group_norm norm = {.size = sizeof norm, .samples = 1, .positions = COUNT / 17, .channels = 17, .groups = 17};
  static float moments[2][COUNT];
  uint32_t mask[COUNT / 32 + 1];
  memset(moments, 0, sizeof moments), memset(out, 0, sizeof out);
  for (int i = 0; i < 2; i++) {
    hg_activation_forward(HG_ACTIVATION_SIGMOID, COUNT, x, out[0], kinds[i]);
    hg_activation_forward(HG_ACTIVATION_TANH, COUNT, x, out[1], kinds[i]);
    hg_dropout_forward(&stream, 0.3f, 1, COUNT, HG_ACTIVATION_LINEAR, x, out[2], mask, kinds[i]);
    hg_average_pool2d_forward(&window, x, out[3], kinds[i]);
    hg_group_norm_forward(&norm, x, NULL, NULL, out[4], out[5], out[5] + 17, kinds[i]);
    hg_softmax_forward(COUNT / 17, 17, x, out[6], kinds[i]);
  }
  hg_poisson(1, COUNT, x, targets, out[7], out[7] + 1, NULL);
  hg_adam(&adam, COUNT, targets, out[8], moments[0], moments[1], NULL);
}

int main(void) {
  static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (int i = 0; i < 2 * COUNT; i++) x[i] = (float)(i * 37 % 401 - 200) / 2 + 0.1f;
  for (int i = 0; i < COUNT; i++) targets[i] = (float)(i % 5);
  compute();
  memcpy(expected, out, sizeof out);
  for (int i = 0; i < 4; i++) {
    fesetround(roundings[i]);
    compute();
    const int rounding = fegetround();
    fesetround(FE_TONEAREST);
    if (rounding != roundings[i]) return puts("a call changes the direction of rounding");
    if (memcmp(out, expected, sizeof out)) return puts("the direction of rounding changes the bits");
  }
#ifdef __x86_64__ /* elsewhere traps are not to be had */
  const int traps = FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW;
  feclearexcept(FE_ALL_EXCEPT), feenableexcept(traps);
  compute();
  if (fegetexcept() != traps) return puts("a call changes the traps");
  fedisableexcept(traps);
  if (memcmp(out, expected, sizeof out)) return puts("traps change the bits");
#endif
  return 0;
}
