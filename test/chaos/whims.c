// Slow disks and wrong clocks, for tests: loaded into a process before libc (LD_PRELOAD).
//
// At its start a process makes the file $TEST_WHIMS/<pid> and maps it: two 64-bit numbers, which a test writes
// while the process runs. The first is how many milliseconds each fsync takes longer, the second how many
// milliseconds the wall clock is ahead. The monotonic clock is left alone, as it is by those who set clocks.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct whims {
  int64_t sync_ms;
  int64_t wall_ms;
};

static struct whims none;
static volatile struct whims *whims = &none;
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
  char path[4096];
  const char *folder = getenv("TEST_WHIMS");
  *(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  if (folder == NULL) return;
  snprintf(path, sizeof path, "%s/%d", folder, (int)getpid());
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  if (ftruncate(fd, sizeof(struct whims)) == 0) {
    void *map = mmap(NULL, sizeof(struct whims), PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) whims = map;
  }
  close(fd);
}

static void linger(void) {
  int64_t ms = whims->sync_ms;
  if (ms <= 0) return;
  struct timespec left = {ms / 1000, (ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0) {
  }
}

int fsync(int fd) {
  linger();
  return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
  linger();
  return (int)syscall(SYS_fdatasync, fd);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  int result = real_clock_gettime != NULL ? real_clock_gettime(clock, at)
                                          : (int)syscall(SYS_clock_gettime, clock, at);
  if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  int64_t ms = whims->wall_ms;
  if (ms == 0) return 0;
  int64_t ns = at->tv_nsec + (ms % 1000) * 1000000;
  at->tv_sec += ms / 1000 + (ns >= 1000000000) - (ns < 0);
  at->tv_nsec = ns + (ns < 0 ? 1000000000 : 0) - (ns >= 1000000000 ? 1000000000 : 0);
  return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
