/* The time of calls that have next to nothing to compute, at one thread, in nanoseconds and cycles: the shortest of
 * many runs. Fails where a call takes 600 cycles or more, which does not depend on the processor's clock. */
#include <hourglass_kernels.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { CALLS = 10000, RUNS = 200, MOST_CYCLES = 600 };

static float x[64], y[64], weight[64], scratch[64];
static hg_gather_filter prepared[64];
static hg_geometry2d window = {.size = sizeof window,
                               .samples = 1,
                               .large_height = 1,
                               .large_width = 1,
                               .large_channels = 1,
                               .small_height = 1,
                               .small_width = 1,
                               .small_channels = 16,
                               .filter_height = 1,
                               .filter_width = 1,
                               .stride_vertical = 1,
                               .stride_horizontal = 1};
static hg_dense layer = {sizeof layer, 1, 1, 16};
static hg_parallel one = {sizeof one, 1, NULL, NULL};

static void convolve(void) { hg_conv2d_forward(&window, x, prepared, NULL, HG_ACTIVATION_LINEAR, y, NULL, &one); }
static void transpose(void) {
  hg_conv2d_transpose_backward_data(&window, x, prepared, HG_ACTIVATION_LINEAR, NULL, y, NULL, &one);
}
static void multiply(void) { hg_dense_forward(&layer, x, weight, NULL, HG_ACTIVATION_LINEAR, y, scratch, &one); }
static void activate(void) { hg_activation_forward(HG_ACTIVATION_RELU, 16, x, y, &one); }
static void lose(void) { hg_squared_error(1, 16, x, x, scratch, y, &one); }

static double now(void) {
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The shortest time of a call of `work`, in nanoseconds. */
static double shortest(void (*work)(void)) {
  double best = 1e30;
  for (int run = 0; run < RUNS; run++) {
    const double start = now();
    for (int call = 0; call < CALLS; call++) work();
    const double time = (now() - start) / CALLS;
    if (time < best) best = time;
  }
  return best;
}

/* 80 shifts, exclusive ors and products, each of which waits for the one before: 1, 1 and 3 cycles on processors of the
 * last ten years. */
static uint64_t chain = 1;
static void wait_400_cycles(void) {
  uint64_t x = chain;
  for (int step = 0; step < 80; step++) x = (x ^ x >> 7) * 6364136223846793005u;
  chain = x;
}

int main(void) {
  static const struct {
    const char *name;
    void (*call)(void);
  } cases[] = {{"convolution, one position", convolve},
               {"transposed convolution, data", transpose},
               {"dense, one sample", multiply},
               {"activation, 16 elements", activate},
               {"squared error, 16 elements", lose}};
  const double cycle = shortest(wait_400_cycles) / 400;
  int slow = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const double time = shortest(cases[i].call);
    printf("%-30s %5.0f ns, %4.0f cycles a call\n", cases[i].name, time, time / cycle);
    if (time / cycle >= MOST_CYCLES) slow = 1;
  }
  return slow;
}
