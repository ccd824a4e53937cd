/* syncs: loaded before libc (LD_PRELOAD) by a server and all that it starts; counts, in the file that SYNCS names, the calls
   that bring something to the disk.  A tracer would count them too, and stop a thread at each, which changes what is counted. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long *calls;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SYNCS");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0)
    return;
  void *file = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (file != MAP_FAILED)
    calls = file;
  close(fd);
}

#define COUNTED(number, ...) ((void)(calls && ++*calls), (int)syscall(number, ##__VA_ARGS__))

int fsync(int fd) { return COUNTED(SYS_fsync, fd); }
int fdatasync(int fd) { return COUNTED(SYS_fdatasync, fd); }
int syncfs(int fd) { return COUNTED(SYS_syncfs, fd); }
void sync(void) { COUNTED(SYS_sync); }
int msync(void *start, size_t size, int flags) { return COUNTED(SYS_msync, start, size, flags); }
int sync_file_range(int fd, off_t from, off_t size, unsigned flags) {
  return COUNTED(SYS_sync_file_range, fd, from, size, flags);
}
