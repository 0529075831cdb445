/* Makes the system calls of one process fail, for test_durability.py: loaded before libc (LD_PRELOAD), silent until
   armed. Counts the calls that change something under one folder; from the chosen one on, the disk is broken. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { NOTHING, EIO_ONCE, FULL, SHORT };

static char under[PATH_MAX];
static int wanted, kind, seen;

void faults_arm(const char *folder, int at, int how) {
    strncpy(under, folder, sizeof under - 1);
    wanted = at, kind = how, seen = 0;
}

int faults_seen(void) { return seen; }

static int is_under(const char *path) { return *under && path && strstr(path, under) == path; }

static int is_of(int handle) {
    char link[64], path[PATH_MAX];
    if (!*under) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_under(path);
}

/* What this call is to do: 0 go on, 1 fail, 2 write the half of it. `space`: it needs room on the disk. */
static int verdict(int space) {
    int now = ++seen;
    if (kind == NOTHING || now < wanted) return 0;
    if (now == wanted) {
        if (kind == SHORT && space) return 2;
        errno = kind == EIO_ONCE || !space ? EIO : ENOSPC;
        return 1;
    }
    if (kind == EIO_ONCE || !space) return 0;
    errno = ENOSPC;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRITES(name, arguments, values, halved)                       \
    ssize_t name arguments {                                          \
        int now = is_of(handle) ? verdict(1) : 0;                     \
        if (now == 1) return -1;                                      \
        if (now == 2 && size > 1) return REAL(name) halved;           \
        return REAL(name) values;                                     \
    }

WRITES(write, (int handle, const void *content, size_t size), (handle, content, size), (handle, content, size / 2))
WRITES(pwrite, (int handle, const void *content, size_t size, off_t at), (handle, content, size, at),
       (handle, content, size / 2, at))
WRITES(pwrite64, (int handle, const void *content, size_t size, off64_t at), (handle, content, size, at),
       (handle, content, size / 2, at))

int fsync(int handle) { return is_of(handle) && verdict(0) ? -1 : REAL(fsync)(handle); }
int fdatasync(int handle) { return is_of(handle) && verdict(0) ? -1 : REAL(fdatasync)(handle); }
int ftruncate(int handle, off_t size) { return is_of(handle) && verdict(1) == 1 ? -1 : REAL(ftruncate)(handle, size); }
int ftruncate64(int handle, off64_t size) {
    return is_of(handle) && verdict(1) == 1 ? -1 : REAL(ftruncate64)(handle, size);
}
int rename(const char *old, const char *new) { return is_under(new) && verdict(0) ? -1 : REAL(rename)(old, new); }
int unlink(const char *path) { return is_under(path) && verdict(0) ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { return is_under(path) && verdict(1) == 1 ? -1 : REAL(mkdir)(path, mode); }

#define OPENS(name)                                                                       \
    int name(const char *path, int flags, ...) {                                          \
        va_list more;                                                                     \
        va_start(more, flags);                                                            \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;                         \
        va_end(more);                                                                     \
        if (flags & O_CREAT && is_under(path) && verdict(1) == 1) return -1;              \
        return REAL(name)(path, flags, mode);                                             \
    }

OPENS(open)
OPENS(open64)
