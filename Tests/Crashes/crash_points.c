// A library to be preloaded: it counts what a program does to the files of a database and to the connections to the API, step
// by step, and kills the program before or after the step that it is told. It also keeps what a power loss would leave.
//
//   CRASH_FOLDER   the directory of the database; only files in it count
//   CRASH_POINT    STEP:before:N or STEP:after:N, the place at which to kill; nothing kills
//   CRASH_COUNTS   a file for the number of times that each step was reached, written at the exit
//   CRASH_PLATTER  a directory for what is on the disk: a file INODE for each file as it was when it was last synced, and a
//                  file `names` with the names of the directory as they were when that was last synced
//
// Nothing is really synced: what a kill leaves is in the memory of the kernel, and what a power loss leaves is on the platter.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_STEPS = 64, MOST_DESCRIPTORS = 4096, LONGEST = 64 };

static char folder[4096], platter[4096], counts_file[4096], wanted[LONGEST];
static int wanted_after, wanted_number;
static struct { char name[LONGEST]; int count; } steps[MOST_STEPS];
static char requests[MOST_DESCRIPTORS];
static pthread_mutex_t steps_lock = PTHREAD_MUTEX_INITIALIZER, files_lock = PTHREAD_MUTEX_INITIALIZER;

static void take(const char *variable, char *to, size_t size) {
    const char *value = getenv(variable);
    snprintf(to, size, "%s", value ? value : "");
}

__attribute__((constructor)) static void begin(void) {
    char point[LONGEST], when[16] = "";
    take("CRASH_FOLDER", folder, sizeof folder);
    take("CRASH_PLATTER", platter, sizeof platter);
    take("CRASH_COUNTS", counts_file, sizeof counts_file);
    take("CRASH_POINT", point, sizeof point);
    if (sscanf(point, "%48[^:]:%15[^:]:%d", wanted, when, &wanted_number) != 3) wanted_number = 0;
    wanted_after = strcmp(when, "after") == 0;
}

__attribute__((destructor)) static void end(void) {
    if (!*counts_file) return;
    FILE *file = fopen(counts_file, "w");
    if (!file) return;
    for (int i = 0; i < MOST_STEPS && *steps[i].name; i++) fprintf(file, "%s %d\n", steps[i].name, steps[i].count);
    fclose(file);
}

// MARK: Steps

static void die(void) {
    kill((pid_t)syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

// Counts a step that is about to be taken, and returns its number.
static int reach(const char *step) {
    int number = 0;
    pthread_mutex_lock(&steps_lock);
    for (int i = 0; i < MOST_STEPS; i++) {
        if (!*steps[i].name) snprintf(steps[i].name, LONGEST, "%s", step);
        if (strcmp(steps[i].name, step)) continue;
        number = ++steps[i].count;
        break;
    }
    pthread_mutex_unlock(&steps_lock);
    if (!wanted_after && number == wanted_number && !strcmp(step, wanted)) die();
    return number;
}

static void leave(const char *step, int number) {
    if (wanted_after && number == wanted_number && !strcmp(step, wanted)) die();
}

// Runs a call as a step.
#define STEP(step, type, call) ({ \
    const char *step_ = (step); \
    int number_ = reach(step_); \
    type result_ = (call); \
    int errno_ = errno; \
    leave(step_, number_); \
    errno = errno_; \
    result_; \
})

// MARK: Files

static int ends(const char *text, const char *with) {
    size_t length = strlen(text), end = strlen(with);
    return length >= end && !strcmp(text + length - end, with);
}

// What an absolute path is to a database; NULL for what does not count.
static const char *kind_of_path(const char *path) {
    size_t length = strlen(folder);
    if (!length || strncmp(path, folder, length)) return NULL;
    if (!path[length]) return "directory";
    const char *name = path + length + 1;
    if (path[length] != '/' || strchr(name, '/')) return NULL;
    if (strstr(name, ".partial-")) return ends(name, "-journal") ? "copy-journal" : "copy";
    if (ends(name, ".db")) return "database";
    if (ends(name, ".db-wal")) return "log";
    if (ends(name, ".db-journal")) return "journal";
    if (ends(name, ".db.lock")) return "lock";
    if (ends(name, ".db.spool")) return "spool";
    if (ends(name, ".db.spool.rejected")) return "rejected";
    return NULL;
}

static const char *kind_of(int descriptor) {
    char link[64], path[4096];
    if (!*folder) return NULL;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return NULL;
    path[length] = 0;
    return kind_of_path(path);
}

static const char *step_name(char *buffer, const char *kind, const char *action) {
    snprintf(buffer, LONGEST, "%s-%s", kind, action);
    return buffer;
}

static void put(const char *name, const char *content, size_t length) {
    char path[4200], new[4300];
    snprintf(path, sizeof path, "%s/%s", platter, name);
    snprintf(new, sizeof new, "%s.%d.new", path, (int)syscall(SYS_getpid));
    int file = (int)syscall(SYS_openat, AT_FDCWD, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    while (length) {
        ssize_t count = syscall(SYS_write, file, content, length);
        if (count <= 0) abort();
        content += count;
        length -= count;
    }
    syscall(SYS_close, file);
    syscall(SYS_renameat2, AT_FDCWD, new, AT_FDCWD, path, 0);
}

static void put_names(void) {
    static char text[65536];
    size_t length = 0;
    DIR *directory = opendir(folder);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory)) && length + 512 < sizeof text;) {
        length += snprintf(text + length, 512, "%llu %s\n", (unsigned long long)entry->d_ino, entry->d_name);
    }
    closedir(directory);
    put("names", text, length);
}

// Keeps a file, or the names of the directory, as a sync leaves them. Opens no file of the database: closing it would drop
// SQLite's locks.
static int synced(int descriptor, const char *kind) {
    if (!*platter) return 0;
    pthread_mutex_lock(&files_lock);
    if (!strcmp(kind, "directory")) {
        put_names();
    } else {
        struct stat facts;
        char name[32];
        if (fstat(descriptor, &facts)) abort();
        char *content = malloc(facts.st_size + 1);
        ssize_t length = syscall(SYS_pread64, descriptor, content, facts.st_size, 0);
        if (length < 0) abort();
        snprintf(name, sizeof name, "%llu", (unsigned long long)facts.st_ino);
        put(name, content, length);
        free(content);
    }
    pthread_mutex_unlock(&files_lock);
    return 0;
}

static ssize_t locked_pwrite(int d, const void *b, size_t n, off_t o) {
    pthread_mutex_lock(&files_lock);
    ssize_t count = syscall(SYS_pwrite64, d, b, n, o);
    pthread_mutex_unlock(&files_lock);
    return count;
}

ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) {
    static atomic_int is_commit;
    char step[LONGEST];
    const char *kind = kind_of(d);
    if (!kind) return syscall(SYS_pwrite64, d, b, n, o);
    if (!strcmp(kind, "log")) {
        // The header of a frame says how long the database is after it, if it is the last of a commit.
        const unsigned char *header = b;
        if (n == 24) is_commit = (header[4] | header[5] | header[6] | header[7]) != 0;
        else if (n > 32 && is_commit) return STEP("log-commit", ssize_t, locked_pwrite(d, b, n, o));
    }
    return STEP(step_name(step, kind, "write"), ssize_t, locked_pwrite(d, b, n, o));
}

ssize_t pwrite(int d, const void *b, size_t n, off_t o) { return pwrite64(d, b, n, o); }

int fdatasync(int d) {
    char step[LONGEST];
    const char *kind = kind_of(d);
    return kind ? STEP(step_name(step, kind, "sync"), int, synced(d, kind)) : 0;
}

int fsync(int d) { return fdatasync(d); }

int ftruncate64(int d, off64_t size) {
    char step[LONGEST];
    const char *kind = kind_of(d);
    return kind ? STEP(step_name(step, kind, "cut"), int, syscall(SYS_ftruncate, d, size)) : syscall(SYS_ftruncate, d, size);
}

int ftruncate(int d, off_t size) { return ftruncate64(d, size); }

// Keeps the number of a removed file from being given to another one, which would be taken for it.
static int keep_number(const char *path) {
    static atomic_int count;
    char other[4200];
    snprintf(other, sizeof other, "%s/removed-%d-%d", platter, (int)syscall(SYS_getpid), ++count);
    return *platter ? (int)syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, other, 0) : 0;
}

int unlink(const char *path) {
    char step[LONGEST];
    const char *kind = access(path, F_OK) ? NULL : kind_of_path(path);
    if (!kind) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    return STEP(step_name(step, kind, "remove"), int, (keep_number(path), syscall(SYS_unlinkat, AT_FDCWD, path, 0)));
}

int rename(const char *from, const char *to) {
    char step[LONGEST];
    const char *kind = kind_of_path(from);
    if (!kind) return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    return STEP(step_name(step, kind, "rename"), int, (keep_number(to), syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0)));
}

static int opened(const char *path, int flags, mode_t mode) {
    char step[LONGEST];
    const char *kind = flags & O_CREAT && access(path, F_OK) ? kind_of_path(path) : NULL;
    return kind ? STEP(step_name(step, kind, "create"), int, syscall(SYS_openat, AT_FDCWD, path, flags, mode))
                : syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0; \
        va_end(arguments); \
        return opened(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

// MARK: Connections

static int is_connection(int descriptor) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    struct stat facts;
    if (descriptor < 0 || descriptor >= MOST_DESCRIPTORS || fstat(descriptor, &facts) || !S_ISSOCK(facts.st_mode)) return 0;
    if (getpeername(descriptor, (struct sockaddr *)&peer, &length)) return 0;
    return peer.ss_family == AF_INET || peer.ss_family == AF_INET6;
}

// What a connection is used for: the beginning of a request says it.
static const char *use_of(int descriptor, const char *text, size_t length) {
    if (length >= 4 && !memcmp(text, "GET ", 4)) requests[descriptor] = 'q';
    if (length >= 5 && !memcmp(text, "POST ", 5)) requests[descriptor] = 's';
    return requests[descriptor] == 's' ? "submit" : "query";
}

ssize_t write(int d, const void *b, size_t n) {
    char step[LONGEST];
    if (is_connection(d)) return STEP(step_name(step, use_of(d, b, n), "write"), ssize_t, syscall(SYS_write, d, b, n));
    const char *kind = kind_of(d);
    return kind ? STEP(step_name(step, kind, "write"), ssize_t, syscall(SYS_write, d, b, n)) : syscall(SYS_write, d, b, n);
}

ssize_t writev(int d, const struct iovec *v, int n) {
    char step[LONGEST];
    if (!is_connection(d) || n < 1) return syscall(SYS_writev, d, v, n);
    const char *use = use_of(d, v->iov_base, v->iov_len);
    return STEP(step_name(step, use, "write"), ssize_t, syscall(SYS_writev, d, v, n));
}

ssize_t read(int d, void *b, size_t n) {
    char step[LONGEST], byte;
    if (!is_connection(d) || syscall(SYS_recvfrom, d, &byte, 1, MSG_PEEK | MSG_DONTWAIT, NULL, NULL) != 1)
        return syscall(SYS_read, d, b, n);
    return STEP(step_name(step, use_of(d, "", 0), "read"), ssize_t, syscall(SYS_read, d, b, n));
}
