/* To be loaded in front of a program: no more than HOURGLASS_MOST_THREADS threads live at once beside the first, and
 * whoever wants another gets EAGAIN, as under ulimit -u or pids.max. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct start {
  void *(*body)(void *);
  void *argument;
} start;

static atomic_int living;

static void end(void *unused) {
  (void)unused;
  atomic_fetch_sub(&living, 1);
}

static void *run(void *argument) {
  const start s = *(start *)argument;
  void *result;
  free(argument);
  pthread_cleanup_push(end, NULL);
  result = s.body(s.argument);
  pthread_cleanup_pop(1);
  return result;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
      (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
  const char *most = getenv("HOURGLASS_MOST_THREADS");
  if (most && atomic_fetch_add(&living, 1) >= atoi(most)) {
    atomic_fetch_sub(&living, 1);
    return EAGAIN;
  }
  start *s = malloc(sizeof *s);
  if (!s) return EAGAIN;
  *s = (start){body, argument};
  const int status = create(thread, attributes, run, s);
  if (status) {
    free(s);
    if (most) atomic_fetch_sub(&living, 1);
  }
  return status;
}
