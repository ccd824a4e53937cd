/* load: plays SMTP clients against a server on this machine, many at a time, and says what it was answered.
 *
 *     load -w harvest|deliver|connect|idle -p PORT [-a 127.0.0.1] [-c AT_ONCE] [-n SESSIONS] [-t SECONDS] [-i MILLISECONDS]
 *          [-r 550]
 *
 * harvest   EHLO, MAIL, 20 RCPTs of users that do not exist, QUIT; every command waits for the reply to the one before.
 *           -r: the code that they are refused with
 * deliver   one message of 2 KiB for good@bench.test
 * connect   greeting and QUIT
 * idle      EHLO, and nothing more until SIGTERM; then QUIT.  Prints "held" once all have come that far
 *
 * With -i a session begins every so many milliseconds, whether or not those before it have ended; otherwise when one has ended.
 * SIGTERM: none begins any more, and those that have begun go to their ends.
 *
 * A session is a list of steps, each with the one code that lets it go on.  Any other reply ends the session and is an error,
 * so a server that refuses quickly does not look fast.  Loopback addresses only, and always an end: at most SESSIONS_MAX
 * sessions, and what has not ended after -t seconds (at most SECONDS_MAX) is cut off and counted.
 *
 * Prints one line of JSON; exits 0 when all sessions (after SIGTERM: all that began) went to their ends, 1 when not, 2 for wrong
 * arguments.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SESSIONS_MAX = 100000, AT_ONCE_MAX = 20000, SECONDS_MAX = 600, RECIPIENTS = 20, MESSAGE = 2048, LINE = 76,
       RAMP = 100 /* idle: sessions that may be on their way to EHLO, lest a backlog runs over */ };

struct step {
  const char *say; /* %08x in it becomes a number that never comes again; NULL: only listen */
  int wants;
};

struct client {
  int fd, step, length, held;
  char line[4]; /* the code of the reply line that is coming in, and what follows it */
  double since;
};

static struct step steps[RECIPIENTS + 8];
static int last_step = -1;
static struct sockaddr_in server;
static int poller, open_now, started, ended, held, idle, interval, refusal = 550, sessions = 100;
static volatile sig_atomic_t stopped;
static double due; /* when the next session begins, with an interval */
static unsigned number;
static unsigned codes[1000], refused, closed_early, unexpected, unfinished;
static double *milliseconds;
static char message[MESSAGE + 1];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void stop(int signal) { stopped = signal; }

static void step(const char *say, int wants) { steps[++last_step] = (struct step){say, wants}; }

/* Header, as many lines of letters as fit 2 KiB, and the dot. */
static void write_message(void) {
  int at = sprintf(message, "From: <sender@client.test>\r\nTo: <good@bench.test>\r\nSubject: bench\r\n"
                            "Message-ID: <bench@client.test>\r\n\r\n");
  for (; at + LINE + 5 <= MESSAGE; at += LINE + 2) {
    memset(message + at, 'a' + at % 26, LINE);
    memcpy(message + at + LINE, "\r\n", 2);
  }
  strcpy(message + at, ".\r\n");
}

static int choose(const char *workload) {
  step(NULL, 220);
  if (!strcmp(workload, "harvest")) {
    step("EHLO client.test\r\n", 250);
    step("MAIL FROM:<sender@client.test>\r\n", 250);
    for (int i = 0; i < RECIPIENTS; i++) step("RCPT TO:<no%08x@bench.test>\r\n", refusal);
  } else if (!strcmp(workload, "deliver")) {
    step("EHLO client.test\r\n", 250);
    step("MAIL FROM:<sender@client.test>\r\n", 250);
    step("RCPT TO:<good@bench.test>\r\n", 250);
    step("DATA\r\n", 354);
    write_message();
    step(message, 250);
  } else if (!strcmp(workload, "idle")) {
    step("EHLO client.test\r\n", 250);
    idle = last_step;
  } else if (strcmp(workload, "connect"))
    return 0;
  step("QUIT\r\n", 221);
  return 1;
}

static void end(struct client *c, unsigned *error) {
  if (error)
    ++*error;
  else
    milliseconds[ended++] = (now() - c->since) * 1e3;
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
  open_now--;
}

static void start(struct client *c) {
  struct epoll_event event = {EPOLLIN, {.ptr = c}};
  int one = 1;
  *c = (struct client){.since = now()};
  started++;
  open_now++;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0 || (connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS)) {
    end(c, &refused);
    return;
  }
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
}

/* What we say fits the socket's buffer, for the server has read all that came before. */
static void say(struct client *c, const char *text) {
  char line[100];
  size_t length;
  if (strchr(text, '%')) {
    snprintf(line, sizeof line, text, number++ * 2654435761u);
    text = line;
  }
  length = strlen(text);
  if (send(c->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) end(c, &closed_early);
}

static void reply(struct client *c, int code) {
  codes[code]++;
  if (code != steps[c->step].wants)
    end(c, &unexpected);
  else if (c->step == last_step)
    end(c, NULL);
  else if (idle && c->step == idle && !stopped)
    c->held = 1, held++;
  else
    say(c, steps[++c->step].say);
}

static int may_start(void) {
  if (stopped || started >= sessions) return 0;
  if (idle && open_now - held >= RAMP) return 0;
  if (!interval) return 1;
  if (now() < due) return 0;
  due += interval / 1e3;
  return 1;
}

/* Those that were held say QUIT. */
static void release(struct client *clients, int count) {
  for (int i = 0; i < count; i++)
    if (clients[i].fd >= 0 && clients[i].held) clients[i].held = 0, say(&clients[i], steps[++clients[i].step].say);
  held = 0;
}

static int code_of(const char *line, int length) {
  int code = 0;
  for (int i = 0; i < 3; i++) {
    if (i >= length || line[i] < '0' || line[i] > '9') return 0;
    code = code * 10 + line[i] - '0';
  }
  return code;
}

static void hear(struct client *c) {
  char data[4096];
  ssize_t got = recv(c->fd, data, sizeof data, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) end(c, c->step || got == 0 ? &closed_early : &refused);
  for (ssize_t i = 0; i < got && c->fd >= 0; i++) {
    if (data[i] != '\n') {
      if (c->length < 4) c->line[c->length++] = data[i];
      continue;
    }
    int more = c->length == 4 && c->line[3] == '-', code = code_of(c->line, c->length);
    c->length = 0;
    if (!more) reply(c, code);
  }
}

static int ascending(const void *a, const void *b) { return (*(double *)a > *(double *)b) - (*(double *)a < *(double *)b); }
static double percentile(double part) { return ended ? milliseconds[(int)(part * (ended - 1) + .5)] : 0; }

static void report(const char *workload, double seconds) {
  const char *comma = "";
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  qsort(milliseconds, ended, sizeof *milliseconds, ascending);
  printf("{\"workload\": \"%s\", \"sessions\": %d, \"seconds\": %.4f, \"codes\": {", workload, ended, seconds);
  for (int i = 0; i < 1000; i++)
    if (codes[i]) printf("%s\"%d\": %u", comma, i, codes[i]), comma = ", ";
  printf("}, \"errors\": {\"refused\": %u, \"closed\": %u, \"unexpected\": %u, \"unfinished\": %u}, ",
         refused, closed_early, unexpected, unfinished);
  printf("\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"own_cpu_s\": %.4f}\n", percentile(.5), percentile(.99),
         own.ru_utime.tv_sec + own.ru_stime.tv_sec + (own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6);
}

static int usage(const char *why) {
  fprintf(stderr, "load: %s\n", why);
  fprintf(stderr, "load: usage: load -w harvest|deliver|connect|idle -p port [-a address] [-c at-once] [-n sessions] [-t seconds] "
                  "[-i milliseconds] [-r refusal]\n");
  return 2;
}

int main(int argc, char **argv) {
  const char *workload = "", *address = "127.0.0.1";
  int at_once = 20, seconds = 60, port = 0, option;
  while ((option = getopt(argc, argv, "w:a:p:c:n:t:i:r:")) != -1) switch (option) {
    case 'w': workload = optarg; break;
    case 'a': address = optarg; break;
    case 'p': port = atoi(optarg); break;
    case 'c': at_once = atoi(optarg); break;
    case 'n': sessions = atoi(optarg); break;
    case 't': seconds = atoi(optarg); break;
    case 'i': interval = atoi(optarg); break;
    case 'r': refusal = atoi(optarg); break;
    default: return usage("unknown option");
    }
  if (!choose(workload)) return usage("no such workload");
  if (port < 1 || port > 65535) return usage("no port");
  if (sessions < 1 || sessions > SESSIONS_MAX || at_once < 1 || at_once > AT_ONCE_MAX || seconds < 1 || seconds > SECONDS_MAX)
    return usage("too many, too long, or none at all");
  server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &server.sin_addr) != 1 || ntohl(server.sin_addr.s_addr) >> 24 != 127)
    return usage("only loopback addresses, 127.0.0.0/8");

  struct client *clients = calloc(at_once, sizeof *clients);
  struct epoll_event events[64];
  struct rlimit descriptors;
  struct sigaction action = {.sa_handler = stop};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  sigaction(SIGTERM, &action, NULL);
  milliseconds = calloc(sessions, sizeof *milliseconds);
  poller = epoll_create1(EPOLL_CLOEXEC);
  number = getpid() << 16;
  double begin = due = now();
  int all_held = 0;
  for (int i = 0; i < at_once; i++) clients[i].fd = -1;
  while ((open_now || (!stopped && started < sessions)) && now() - begin < seconds) {
    for (int i = 0; i < at_once; i++)
      while (clients[i].fd < 0 && may_start()) start(&clients[i]);
    int ready = epoll_wait(poller, events, 64, interval ? 1 : 100);
    for (int i = 0; i < ready; i++) {
      struct client *c = events[i].data.ptr;
      if (c->fd >= 0) hear(c);
    }
    if (held == sessions && !all_held) all_held = printf("held\n"), fflush(stdout);
    if (held && stopped) release(clients, at_once);
  }
  for (int i = 0; i < at_once; i++)
    if (clients[i].fd >= 0) end(&clients[i], &unfinished);
  report(workload, now() - begin);
  return ended == (stopped ? started : sessions) ? 0 : 1;
}
