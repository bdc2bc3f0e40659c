/* Calls from many threads at once, on all kinds of threads, give the bits of one thread; after a fork the child
 * computes the same on one thread and on threads of its own; and nothing of it is seen in the environment. threads
 * openmp|serial */
#include <hourglass_kernels.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIDE = 16, C = 8, K = 24, TAPS = 9, CALLERS = 6, CALLS = 50 };

static hg_geometry2d window = {.size = sizeof window,
                               .samples = 2,
                               .large_height = SIDE,
                               .large_width = SIDE,
                               .large_channels = C,
                               .small_height = SIDE,
                               .small_width = SIDE,
                               .small_channels = K,
                               .filter_height = 3,
                               .filter_width = 3,
                               .stride_vertical = 1,
                               .stride_horizontal = 1,
                               .pad_top = 1,
                               .pad_left = 1};
static float x[2 * SIDE * SIDE * C], filter[TAPS * C * K], expected[2 * SIDE * SIDE * K];
static hg_gather_filter prepared[TAPS * C * 32];

typedef struct share {
  void (*body)(void *argument, ptrdiff_t part);
  void *argument;
  ptrdiff_t part;
} share;

static void *run_share(void *context) {
  const share *s = context;
  s->body(s->argument, s->part);
  return NULL;
}

/* The host's own threads, at most 8. */
static void on_pthreads(void *context, ptrdiff_t parts, void (*body)(void *argument, ptrdiff_t part), void *argument) {
  pthread_t threads[8];
  share shares[8];
  (void)context;
  for (ptrdiff_t i = 0; i < parts; i++) {
    shares[i] = (share){body, argument, i};
    if (pthread_create(&threads[i], NULL, run_share, &shares[i])) abort();
  }
  for (ptrdiff_t i = 0; i < parts; i++) pthread_join(threads[i], NULL);
}

static const hg_parallel one = {sizeof one, 1, NULL, NULL}, openmp = {sizeof openmp, 2, NULL, NULL},
                         own = {sizeof own, 3, on_pthreads, NULL};

static bool same(const hg_parallel *parallel) {
  float y[2 * SIDE * SIDE * K];
  return !hg_conv2d_forward(&window, x, prepared, NULL, HG_ACTIVATION_SIGMOID, y, NULL, parallel) &&
         !memcmp(y, expected, sizeof y);
}

static void *call(void *index) {
  const hg_parallel *kinds[] = {NULL, &one, &openmp, &own};
  for (ptrdiff_t i = 0; i < CALLS; i++)
    if (!same(kinds[(i + *(ptrdiff_t *)index) % 4])) return index;
  return NULL;
}

int main(void) {
  extern char **environ;
  size_t variables = 0, after = 0;
  while (environ[variables]) variables++;
  for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = (float)(i * 7 % 101) / 101;
  for (size_t i = 0; i < sizeof filter / sizeof *filter; i++) filter[i] = (float)(i * 5 % 97) / 97 - 0.5f;
  if (hg_conv2d_prepare_gather(&window, filter, prepared, NULL)) return puts("refused");
  if (hg_conv2d_forward(&window, x, prepared, NULL, HG_ACTIVATION_SIGMOID, expected, NULL, NULL))
    return puts("refused");

  pthread_t callers[CALLERS];
  ptrdiff_t index[CALLERS];
  for (ptrdiff_t i = 0; i < CALLERS; i++) {
    index[i] = i;
    if (pthread_create(&callers[i], NULL, call, &index[i])) abort();
  }
  for (ptrdiff_t i = 0; i < CALLERS; i++) {
    void *wrong;
    pthread_join(callers[i], &wrong);
    if (wrong) return puts("callers at once change the bits");
  }
  if (!same(&openmp)) return puts("OpenMP's threads change the bits");
  const pid_t child = fork();
  if (child == 0) _exit(same(NULL) && same(&one) && same(&own) ? 0 : 1);
  int status = -1;
  if (waitpid(child, &status, 0) != child || status != 0) return puts("a forked child computes something else");
  while (environ[after]) after++;
  return after == variables ? 0 : puts("the environment changed");
}
