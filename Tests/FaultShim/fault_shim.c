/* Makes the n-th operation on files of a program fail, or kills the program there. Loaded with LD_PRELOAD:
 *
 *     HOURGLASS_FAULT_FOLDER   absolute path; only what lies below it counts (without it the library does nothing)
 *     HOURGLASS_FAULT_KIND     writes (what changes files, the default), reads or all
 *     HOURGLASS_FAULT_AT       n, from 1; 0 or none counts only
 *     HOURGLASS_FAULT          kill   SIGKILL before the operation
 *                              torn   a write writes the first half, then SIGKILL; another operation goes as ever
 *                              short  a write or read moves the first half and says so, as POSIX allows
 *                              EIO, ENOSPC, EACCES, ESTALE, EROFS, EINTR   the operation fails so
 *     HOURGLASS_FAULT_STICKY   if set, those from the n-th on fail too; with ENOSPC those of them that want room
 *     HOURGLASS_FAULT_LOG      file that gets a line for each operation that counts: n, reads or writes, call, path
 *
 * A seccomp filter turns each such system call into SIGSYS, whose handler counts it and then does it or not. So none is
 * missed, whoever makes it: the C library inside itself (fopen, opendir, realpath), Foundation, or a static library.
 * The handler calls nothing but system calls, through `fault_raw`, from where the filter lets all pass. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

/* ---- System calls: how they are made, and how a trapped one is read and answered ---- */

long fault_raw(long number, long a, long b, long c, long d, long e, long f);
extern const char fault_raw_end[];

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
__asm__(
    ".text\n.globl fault_raw, fault_raw_end\n.hidden fault_raw, fault_raw_end\n.type fault_raw, @function\n"
    "fault_raw:\n mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n mov %r8, %r10\n mov %r9, %r8\n"
    " mov 8(%rsp), %r9\n syscall\nfault_raw_end:\n ret\n");
static const int argument_register[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
static long argument_of(const ucontext_t *context, int i) { return context->uc_mcontext.gregs[argument_register[i]]; }
static void answer(ucontext_t *context, long result) { context->uc_mcontext.gregs[REG_RAX] = result; }
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
__asm__(
    ".text\n.globl fault_raw, fault_raw_end\n.hidden fault_raw, fault_raw_end\n.type fault_raw, %function\n"
    "fault_raw:\n mov x8, x0\n mov x0, x1\n mov x1, x2\n mov x2, x3\n mov x3, x4\n mov x4, x5\n mov x5, x6\n"
    " svc #0\nfault_raw_end:\n ret\n");
static long argument_of(const ucontext_t *context, int i) { return (long)context->uc_mcontext.regs[i]; }
static void answer(ucontext_t *context, long result) { context->uc_mcontext.regs[0] = (unsigned long)result; }
#else
#error "wanted x86-64 or AArch64"
#endif

/* ---- What counts ---- */

enum kind { READS = 1, WRITES = 2, BY_FLAGS = READS | WRITES };

/* Where a call names its file: in the arguments `path` (relative to the folder open as `folder`), `other_path`, or open
 * as `file`; -1 for none. */
struct operation {
  int number;
  const char *name;
  enum kind kind;
  _Bool wants_room;
  signed char folder, path, other_folder, other_path, file;
};

#define PATH(name, kind, room, path) \
  { SYS_##name, #name, kind, room, -1, path, -1, -1, -1 }
#define AT(name, kind, room, folder) \
  { SYS_##name, #name, kind, room, folder, (folder) + 1, -1, -1, -1 }
#define TWO(name, room) \
  { SYS_##name, #name, WRITES, room, -1, 0, -1, 1, -1 }
#define TWO_AT(name, room) \
  { SYS_##name, #name, WRITES, room, 0, 1, 2, 3, -1 }
#define OPEN_FILE(name, kind, room, file) \
  { SYS_##name, #name, kind, room, -1, -1, -1, -1, file }

static const struct operation operations[] = {
    AT(openat, BY_FLAGS, 1, 0),
    AT(mkdirat, WRITES, 1, 0),
    AT(unlinkat, WRITES, 0, 0),
    AT(fchmodat, WRITES, 0, 0),
    AT(fchownat, WRITES, 0, 0),
    AT(utimensat, WRITES, 0, 0),
    TWO_AT(renameat2, 1),
    TWO_AT(linkat, 1),
    {SYS_symlinkat, "symlinkat", WRITES, 1, 1, 2, -1, -1, -1},
    PATH(truncate, WRITES, 0, 0),
    OPEN_FILE(write, WRITES, 1, 0),
    OPEN_FILE(pwrite64, WRITES, 1, 0),
    OPEN_FILE(writev, WRITES, 1, 0),
    OPEN_FILE(pwritev, WRITES, 1, 0),
    OPEN_FILE(fallocate, WRITES, 1, 0),
    OPEN_FILE(sendfile, WRITES, 1, 0),
    OPEN_FILE(copy_file_range, WRITES, 1, 2),
    OPEN_FILE(ftruncate, WRITES, 0, 0),
    OPEN_FILE(fsync, WRITES, 0, 0),
    OPEN_FILE(fdatasync, WRITES, 0, 0),
    OPEN_FILE(fchmod, WRITES, 0, 0),
    OPEN_FILE(fchown, WRITES, 0, 0),
    OPEN_FILE(close, WRITES, 0, 0),
    AT(newfstatat, READS, 0, 0),
    AT(statx, READS, 0, 0),
    AT(faccessat, READS, 0, 0),
    AT(readlinkat, READS, 0, 0),
    OPEN_FILE(read, READS, 0, 0),
    OPEN_FILE(pread64, READS, 0, 0),
    OPEN_FILE(readv, READS, 0, 0),
    OPEN_FILE(preadv, READS, 0, 0),
    OPEN_FILE(getdents64, READS, 0, 0),
    OPEN_FILE(fstat, READS, 0, 0),
    OPEN_FILE(flock, READS, 0, 0),
    OPEN_FILE(mmap, READS, 0, 4),
#ifdef SYS_faccessat2
    AT(faccessat2, READS, 0, 0),
#endif
#ifdef SYS_renameat
    TWO_AT(renameat, 1),
#endif
#ifdef SYS_open /* The older calls, where the machine has them. */
    PATH(open, BY_FLAGS, 1, 0),
    PATH(creat, WRITES, 1, 0),
    PATH(mkdir, WRITES, 1, 0),
    PATH(rmdir, WRITES, 0, 0),
    PATH(unlink, WRITES, 0, 0),
    PATH(chmod, WRITES, 0, 0),
    PATH(symlink, WRITES, 1, 1),
    TWO(rename, 1),
    TWO(link, 1),
    PATH(stat, READS, 0, 0),
    PATH(lstat, READS, 0, 0),
    PATH(access, READS, 0, 0),
    PATH(readlink, READS, 0, 0),
#endif
};
enum { OPERATIONS = sizeof operations / sizeof operations[0] };

/* ---- What was asked for ---- */

static const struct {
  const char *name;
  int number;
} errors[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EACCES", EACCES},
              {"ESTALE", ESTALE}, {"EROFS", EROFS},   {"EINTR", EINTR}};

static char folder[PATH_MAX];
static enum kind counted = WRITES;
static long fault_at;
static int fault_error;
static _Bool kills, tears, shortens, is_sticky;
static int log_file = -1;
static atomic_long count;
static _Atomic(const struct operation *) stuck;

/* ---- Paths ---- */

/* Appends text to a string of at most PATH_MAX bytes, and returns the new length. */
static size_t append(char *to, size_t length, const char *text) {
  while (*text && length < PATH_MAX - 1) to[length++] = *text++;
  to[length] = 0;
  return length;
}

static size_t append_number(char *to, size_t length, long value) {
  char digits[24], *first = digits + sizeof digits - 1;
  *first = 0;
  do *--first = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  return append(to, length, first);
}

/* The path of what is open as a number, or of the current folder; empty for what is none. */
static void path_of_open(int file, char *path) {
  char link[64];
  path[0] = 0;
  if (file == AT_FDCWD)
    append(link, 0, "/proc/self/cwd");
  else if (file >= 0)
    append_number(link, append(link, 0, "/proc/self/fd/"), file);
  else
    return;
  const long length = fault_raw(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, PATH_MAX - 1, 0, 0);
  path[length > 0 ? length : 0] = 0;
}

/* What a call names in these arguments, absolute. */
static void path_of(const long *arguments, int folder_argument, int path_argument, char *path) {
  const char *named = (const char *)arguments[path_argument];
  path[0] = 0;
  size_t length = 0;
  if (!named || named[0] != '/') {
    path_of_open(folder_argument < 0 ? AT_FDCWD : (int)arguments[folder_argument], path);
    length = strlen(path);
    if (named && named[0]) length = append(path, length, "/");
  }
  while (named && named[0] == '.' && named[1] == '/') named += 2;
  if (named) append(path, length, named);
}

static _Bool is_below(const char *path) {
  const size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* ---- A trapped call ---- */

/* What an operation is this time: an open that neither writes nor makes reads; closing what was read only is none. */
static int kind_of(const struct operation *operation, const long *arguments) {
  if (operation->kind == BY_FLAGS) {
    const long flags = arguments[operation->path + 1];
    return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) ? WRITES : READS;
  }
  if (operation->number == SYS_close) {
    const long flags = fault_raw(SYS_fcntl, arguments[0], F_GETFL, 0, 0, 0, 0);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY ? WRITES : 0;
  }
  return operation->kind;
}

static void note(long n, int kind, const char *name, const char *path, const char *other, _Bool is_fault) {
  char line[2 * PATH_MAX + 256];
  size_t length = append_number(line, 0, n);
  length = append(line, length, kind == READS ? " reads " : " writes ");
  length = append(line, length, name);
  length = append(line, length, " ");
  length = append(line, length, path);
  if (other[0]) length = append(line, append(line, length, " -> "), other);
  length = append(line, length, is_fault ? " FAULT\n" : "\n");
  fault_raw(SYS_write, log_file, (long)line, (long)length, 0, 0, 0);
}

static _Bool can_be_interrupted(int number) {
  return number == SYS_read || number == SYS_write || number == SYS_pread64 || number == SYS_pwrite64 ||
         number == SYS_flock || number == SYS_fsync || number == SYS_ftruncate || number == SYS_fallocate;
}

static long fault(const struct operation *operation, long *arguments) {
  const int number = operation->number;
  const _Bool moves_bytes =
      number == SYS_write || number == SYS_pwrite64 || number == SYS_read || number == SYS_pread64;
  if (kills) fault_raw(SYS_kill, getpid(), SIGKILL, 0, 0, 0, 0);
  if ((tears || shortens) && moves_bytes && arguments[2] > 1) arguments[2] /= 2;
  if (fault_error && (fault_error != EINTR || can_be_interrupted(number))) {
    /* A file is closed even where that fails. */
    if (number == SYS_close) fault_raw(number, arguments[0], 0, 0, 0, 0, 0);
    return -fault_error;
  }
  const long result =
      fault_raw(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
  if (tears && moves_bytes) fault_raw(SYS_kill, getpid(), SIGKILL, 0, 0, 0, 0);
  return result;
}

static long carry_out(int number, long *arguments) {
  const struct operation *operation = operations;
  while (operation->number != number) ++operation;
  char path[PATH_MAX], other[PATH_MAX];
  path[0] = other[0] = 0;
  const int kind = kind_of(operation, arguments);
  if (kind & counted) {
    if (operation->file >= 0)
      path_of_open((int)arguments[operation->file], path);
    else
      path_of(arguments, operation->folder, operation->path, path);
    if (operation->other_path >= 0) path_of(arguments, operation->other_folder, operation->other_path, other);
    if (is_below(path) || is_below(other)) {
      const long n = atomic_fetch_add(&count, 1) + 1;
      const struct operation *first = atomic_load(&stuck);
      if (n == fault_at && is_sticky) atomic_store(&stuck, operation);
      const _Bool isNow = n == fault_at || (first && (fault_error != ENOSPC || operation->wants_room));
      if (log_file >= 0) note(n, kind, operation->name, path, other, isNow);
      if (isNow) return fault(operation, arguments);
    }
  }
  return fault_raw(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

static void on_trap(int signal, siginfo_t *info, void *context) {
  (void)signal;
  long arguments[6];
  for (int i = 0; i < 6; ++i) arguments[i] = argument_of(context, i);
  answer(context, carry_out(info->si_syscall, arguments));
}

/* ---- The start ---- */

static void install_filter(void) {
  struct sock_filter code[2 * OPERATIONS + 16];
  unsigned short n = 0;
  const uint64_t own = (uint64_t)(uintptr_t)fault_raw_end;
#define LOAD(offset) code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define UNLESS_SKIP(value, skipped) \
  code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, skipped)
#define RETURN(action) code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action)
  LOAD(offsetof(struct seccomp_data, arch));
  UNLESS_SKIP(ARCHITECTURE, 4); /* to the return of ALLOW */
  LOAD(offsetof(struct seccomp_data, instruction_pointer));
  UNLESS_SKIP(own, 3);
  LOAD(offsetof(struct seccomp_data, instruction_pointer) + 4);
  UNLESS_SKIP(own >> 32, 1);
  RETURN(SECCOMP_RET_ALLOW);
  /* Memory without a file is asked for where signals may be blocked. */
  LOAD(offsetof(struct seccomp_data, nr));
  UNLESS_SKIP(SYS_mmap, 3);
  LOAD(offsetof(struct seccomp_data, args) + 4 * sizeof(uint64_t));
  UNLESS_SKIP(-1, 1);
  RETURN(SECCOMP_RET_ALLOW);
  LOAD(offsetof(struct seccomp_data, nr));
  for (int i = 0; i < OPERATIONS; ++i) {
    UNLESS_SKIP(operations[i].number, 1);
    RETURN(SECCOMP_RET_TRAP);
  }
  RETURN(SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {.len = n, .filter = code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
    static const char sentence[] = "fault_shim: the system allows no seccomp filter\n";
    if (write(STDERR_FILENO, sentence, sizeof sentence - 1)) _exit(125);
    _exit(125);
  }
}

__attribute__((constructor)) static void begin(void) {
  const char *wanted = getenv("HOURGLASS_FAULT_FOLDER");
  if (!wanted || !wanted[0]) return;
  append(folder, 0, wanted);
  const char *kind = getenv("HOURGLASS_FAULT_KIND"), *at = getenv("HOURGLASS_FAULT_AT");
  const char *what = getenv("HOURGLASS_FAULT"), *log = getenv("HOURGLASS_FAULT_LOG");
  if (kind) counted = !strcmp(kind, "reads") ? READS : !strcmp(kind, "all") ? BY_FLAGS : WRITES;
  fault_at = at ? atol(at) : 0;
  kills = what && !strcmp(what, "kill");
  tears = what && !strcmp(what, "torn");
  shortens = what && !strcmp(what, "short");
  for (size_t i = 0; what && i < sizeof errors / sizeof errors[0]; ++i)
    if (!strcmp(what, errors[i].name)) fault_error = errors[i].number;
  is_sticky = getenv("HOURGLASS_FAULT_STICKY") != NULL;
  if (log) log_file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

  struct sigaction action = {0};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSYS, &action, NULL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGSYS);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  install_filter();
}
