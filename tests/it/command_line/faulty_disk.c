/* A disk that fails on demand. Goal: faults of the system calls that SQLite makes, without root.
 * Method: a library that the dynamic linker loads before libc. It fails calls on files in the folder
 * DISK as the files in the folder FAULTS say:
 *
 *   space    at most this many bytes in all files of DISK. More is ENOSPC.
 *   sync     each sync of the WAL by the writer's thread is EIO
 *   sync-1   the next such sync is EIO
 *   read-1   the next read of the database by another thread is EIO
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether fd is a file of DISK whose name ends with `end`. */
static int is_file(int fd, const char *end) {
    const char *disk = getenv("DISK");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!disk || length < 0) return 0;
    path[length] = 0;
    size_t tail = strlen(end);
    return !strncmp(path, disk, strlen(disk)) && (size_t)length >= tail &&
           !strcmp(path + length - tail, end);
}

static int is_thread(const char *name) {
    char own[16] = "";
    prctl(PR_GET_NAME, own);
    return !strcmp(own, name);
}

static const char *fault(const char *name) {
    static _Thread_local char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", getenv("FAULTS"), name);
    return path;
}

static int is_armed(const char *name) { return getenv("FAULTS") && !access(fault(name), F_OK); }

static int is_armed_once(const char *name) { return getenv("FAULTS") && !unlink(fault(name)); }

/* Bytes that DISK may still take, or a large number. */
static long long space_left(void) {
    FILE *limit = getenv("FAULTS") ? fopen(fault("space"), "r") : NULL;
    long long left = LLONG_MAX;
    if (!limit) return left;
    if (fscanf(limit, "%lld", &left) != 1) left = LLONG_MAX;
    fclose(limit);
    DIR *disk = opendir(getenv("DISK"));
    struct dirent *entry;
    struct stat status;
    while (disk && (entry = readdir(disk)))
        if (!fstatat(dirfd(disk), entry->d_name, &status, 0) && S_ISREG(status.st_mode))
            left -= status.st_size;
    if (disk) closedir(disk);
    return left;
}

static int is_full(int fd, size_t length, off_t offset) {
    struct stat status;
    if (!is_file(fd, "") || fstat(fd, &status)) return 0;
    if (offset < 0) offset = status.st_size;
    off_t growth = offset + (off_t)length - status.st_size;
    return growth > 0 && growth > space_left();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(error) do { errno = (error); return -1; } while (0)

ssize_t write(int fd, const void *bytes, size_t length) {
    if (is_full(fd, length, -1)) FAIL(ENOSPC);
    return REAL(write)(fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    if (is_full(fd, length, offset)) FAIL(ENOSPC);
    return REAL(pwrite64)(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
    if (is_armed("read-1") && is_file(fd, ".db") && !is_thread("sqlite-writer") &&
        !is_thread("sqlite-checkpoi") && is_armed_once("read-1"))
        FAIL(EIO);
    return REAL(pread64)(fd, bytes, length, offset);
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) {
    return pread64(fd, bytes, length, offset);
}

static int fails_sync(int fd) {
    return is_thread("sqlite-writer") && is_file(fd, "-wal") &&
           (is_armed("sync") || is_armed_once("sync-1"));
}

int fdatasync(int fd) {
    if (fails_sync(fd)) FAIL(EIO);
    return REAL(fdatasync)(fd);
}

int fsync(int fd) {
    if (fails_sync(fd)) FAIL(EIO);
    return REAL(fsync)(fd);
}
