/* Loads the library, computes on two threads, unloads it, and lives on: unload LIBRARY. */
#include <dlfcn.h>
#include <hourglass_kernels.h>
#include <stdio.h>
#include <time.h>

int main(int count, char **arguments) {
  void *library = count > 1 ? dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  const char *(*forward)(hg_activation, ptrdiff_t, const float *, float *, const hg_parallel *) = NULL;
  static float x[100000], y[100000];
  const hg_parallel two = {sizeof two, 2, NULL, NULL};
  if (!library) return puts("the library cannot be loaded");
  *(void **)&forward = dlsym(library, "hg_activation_forward");
  for (int i = 0; i < 100000; i++) x[i] = (float)(i - 50000);
  if (!forward || forward(HG_ACTIVATION_RELU, 100000, x, y, &two)) return puts("the call is refused");
  if (dlclose(library)) return puts("the library cannot be unloaded");
  nanosleep(&(struct timespec){0, 50000000}, NULL); /* the threads that computed find their next work */
  return y[99999] == 49999 ? 0 : puts("the result is wrong");
}
