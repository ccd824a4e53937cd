/* cost: runs a program and says what it used: CPU time, its children's too, and memory.
 *
 *     cost COUNT PROGRAM ARGS...                      COUNT times, one after another
 *     cost -q MESSAGE ENVELOPE COUNT PROGRAM ARGS...  as a QMAILQUEUE program: the files on descriptors 0 and 1, through pipes
 *
 * SIGTERM ends the program (a server).  What it leaves running comes to us, who wait for it and count it, for ten seconds.
 *
 * Prints one line of JSON: runs; failed (ended otherwise than by exit code 0 or by our SIGTERM); cpu_s, user and system, of them
 * all; peak_kib, the peak resident set of the largest single process; p50_ms and p99_ms of wall time.
 *
 * In C, and small, for two reasons.  exec takes over the peak of the memory that a process was forked with, so a child of the
 * Python that runs the benchmark would seem as large as that.  And this is how qmail-smtpd starts a queue program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_MAX = 100000, INPUT_MAX = 65536, PATIENCE = 10 };

static volatile sig_atomic_t child, stopped;
static double cpu, *milliseconds;
static long peak;
static int failed;
static char input[2][INPUT_MAX];
static ssize_t length[2];

static void stop(int number) {
  stopped = 1;
  alarm(PATIENCE);
  if (child > 0) kill(child, number);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void read_input(int i, const char *path) {
  int fd = open(path, O_RDONLY);
  length[i] = fd < 0 ? -1 : read(fd, input[i], INPUT_MAX);
  if (length[i] <= 0) {
    fprintf(stderr, "cost: %s: cannot be read, or is empty\n", path);
    exit(2);
  }
  close(fd);
}

/* A pipe that holds an input, its other end closed; an input is no larger than a pipe. */
static int filled(int i) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) || write(ends[1], input[i], length[i]) != length[i]) {
    perror("cost: pipe");
    exit(2);
  }
  close(ends[1]);
  return ends[0];
}

static int run(char **program) {
  int queue = length[0] > 0, message = queue ? filled(0) : -1, envelope = queue ? filled(1) : -1, pid = fork();
  if (!pid) {
    if (queue) {
      dup2(message, 0);
      dup2(envelope, 1);
    }
    execv(program[0], program);
    perror(program[0]);
    _exit(127);
  }
  if (queue) {
    close(message);
    close(envelope);
  }
  return pid;
}

/* Wait for one process, 0 for any, and count it; returns its id, -1 when there is none. */
static int reap(int pid) {
  struct rusage used;
  int status, found;
  while ((found = wait4(pid ? pid : -1, &status, 0, &used)) < 0 && errno == EINTR)
    ;
  if (found < 0) return -1;
  cpu += used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  if (used.ru_maxrss > peak) peak = used.ru_maxrss;
  if (status && !stopped) failed++;
  return found;
}

static int ascending(const void *a, const void *b) { return (*(double *)a > *(double *)b) - (*(double *)a < *(double *)b); }

int main(int argc, char **argv) {
  int queue = argc > 1 && !strcmp(argv[1], "-q"), at = queue ? 4 : 1, count = argc > at ? atoi(argv[at]) : 0, runs = 0;
  if (count < 1 || count > RUNS_MAX || argc < at + 2) {
    fprintf(stderr, "cost: usage: cost [-q message envelope] count program [args]\n");
    return 2;
  }
  if (queue) {
    read_input(0, argv[2]);
    read_input(1, argv[3]);
  }
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  milliseconds = calloc(count, sizeof *milliseconds);
  while (runs < count && !stopped) {
    double begin = now();
    child = run(argv + at + 1);
    if (stopped) kill(child, SIGTERM);
    reap(child);
    milliseconds[runs++] = (now() - begin) * 1e3;
  }
  child = 0;
  alarm(PATIENCE);
  while (reap(0) > 0)
    ;
  qsort(milliseconds, runs, sizeof *milliseconds, ascending);
  printf("{\"runs\": %d, \"failed\": %d, \"cpu_s\": %.6f, \"peak_kib\": %ld, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n", runs, failed,
         cpu, peak, milliseconds[runs / 2], milliseconds[(int)(.99 * (runs - 1) + .5)]);
  return failed ? 1 : 0;
}
