#include "isa.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

typedef struct candidate {
  const hg_kernels *table;
  bool (*present)(void);
} candidate;

static bool always(void) { return true; }

#if defined(__x86_64__)
static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
}
static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif

/* Widest first. A new instruction set is one file like isa_avx2.c and one line here. */
static const candidate candidates[] = {
#if defined(__x86_64__)
    {&hg_kernels_avx512, has_avx512},
    {&hg_kernels_avx2, has_avx2},
#elif defined(__aarch64__)
    {&hg_kernels_neon, always},
#endif
    {&hg_kernels_baseline, always},
};
enum { CANDIDATES = sizeof candidates / sizeof candidates[0] };

static const hg_kernels *chosen;

static const hg_kernels *find(const char *name) {
  for (int i = 0; i < CANDIDATES; i++)
    if ((!*name || !strcmp(name, candidates[i].table->name)) && candidates[i].present()) return candidates[i].table;
  return NULL;
}

/* Threads that come here together choose the same table, so the race to store it is harmless. */
const hg_kernels *hg_kernels_in_use(void) {
  const hg_kernels *table = __atomic_load_n(&chosen, __ATOMIC_ACQUIRE);
  if (table) return table;
  const char *name = getenv("HOURGLASS_ISA");
  table = find(name ? name : "");
  if (!table) table = find("");
  __atomic_store_n(&chosen, table, __ATOMIC_RELEASE);
  return table;
}

const char *hg_isa_select(const char *name) {
  const hg_kernels *table = find(name ? name : "");
  if (!table) return HG_BAD_ISA("this machine, or this build, has no such instruction set");
  __atomic_store_n(&chosen, table, __ATOMIC_RELEASE);
  return NULL;
}

const char *hg_isa_names(ptrdiff_t index) {
  for (int i = 0; i < CANDIDATES; i++)
    if (candidates[i].present() && index-- == 0) return candidates[i].table->name;
  return NULL;
}

const char *hg_isa_name(void) { return hg_kernels_in_use()->name; }
bool hg_isa_has_fma(void) { return hg_kernels_in_use()->fma; }

hg_error hg_error_of(const char *sentence) { return sentence ? (hg_error)sentence[-1] : HG_ERROR_NONE; }

#define TEXT(number) #number
#define DOTTED(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)
const char *hg_version(void) { return DOTTED(HG_VERSION_MAJOR, HG_VERSION_MINOR, HG_VERSION_PATCH); }
