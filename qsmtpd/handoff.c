/* handoff: gives what it was started with to the warm service, waits, and exits with the result (handoff(8)).
   As "handoff", under tcpserver: the connection, descriptor 0.  As "handoff-qqshim", in QMAILQUEUE's place: message, envelope and
   whatever may be the error channel.  The environment goes with them.  Where no service takes it, it becomes the program beside
   itself that does the work alone: qsmtpd or qqshim.  The other side is qsmtpd/drivers/handed.py. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { COLD = -1, MOST = 9, HEAD = 16, ACK_SECONDS = 10, RESULT_SECONDS = 86520, TEMPORARY = 71, SESSION = 1, NO_EXEC = 120 };

static struct { char version, kind, count, numbers[MOST]; unsigned length; char environment[131072]; } message;
static int fds[MOST];
static char self[4096];

static int pack(void) /* the environment, all of it or nothing: without one of its variables it would say something else */
{
  for (char **variable = environ; *variable; ++variable) {
    size_t size = strlen(*variable) + 1;
    if (size > sizeof message.environment - message.length) return 0;
    memcpy(message.environment + message.length, *variable, size);
    message.length += (unsigned) size;
  }
  return 1;
}

static void offer(int fd) /* which of them is for the words of a refusal is for the service to say: see qqshim/channel.py */
{
  for (int i = 0; i < message.count; ++i) if (fds[i] == fd) return;
  if (fd < 0 || fd > 127 || fcntl(fd, F_GETFD) < 0) return;
  fds[(int) message.count] = fd;
  message.numbers[(int) message.count++] = (char) fd;
}

static int collect(int shim) /* before anything of ours is open */
{
  struct stat in, out;
  const char *named = getenv("ERROR_FD");
  if (fstat(0, &in) || fstat(1, &out)) return 0;
  offer(0);
  if (!shim) return S_ISSOCK(in.st_mode) && in.st_ino == out.st_ino; /* sslserver's are two pipes */
  offer(1), offer(2), offer(4), offer(6), offer(named ? atoi(named) : -1);
  return 1;
}

static void patience(int service, int option, time_t seconds)
{
  setsockopt(service, SOL_SOCKET, option, &(struct timeval) { seconds, 0 }, sizeof(struct timeval));
}

static int hand_over(int failed) /* the result, or COLD when the service has not taken it and never will */
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  const char *set = getenv("QSMTPD_SERVICE"), *path = set ? set : "/var/qmail/frontline/service";
  struct ucred peer;
  size_t fds_size = sizeof *fds * (size_t) message.count, size = HEAD + message.length;
  union { struct cmsghdr head; char space[CMSG_SPACE(sizeof fds)]; } control = { .space = "" };
  struct msghdr packet = { .msg_iov = &(struct iovec) { &message, size }, .msg_iovlen = 1,
                           .msg_control = &control, .msg_controllen = CMSG_SPACE(fds_size) };
  ssize_t got;
  unsigned char result[2]; /* the second one is a signal */
  int service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (service < 0 || strlen(path) >= sizeof address.sun_path) return COLD;
  strcpy(address.sun_path, path), patience(service, SO_SNDTIMEO, ACK_SECONDS), patience(service, SO_RCVTIMEO, ACK_SECONDS);
  if (connect(service, (struct sockaddr *) &address, sizeof address)) return COLD;
  if (getsockopt(service, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t) { sizeof peer }) || (peer.uid && peer.uid != geteuid()))
    return COLD;
  control.head = (struct cmsghdr) { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(fds_size) };
  memcpy(CMSG_DATA(&control.head), fds, fds_size);
  if (sendmsg(service, &packet, MSG_NOSIGNAL) != (ssize_t) size) return COLD; /* it begins with nothing less than the whole */
  if (recv(service, result, 1, 0) != 1) {
    shutdown(service, SHUT_RD); /* from now on it cannot say that it begins, and so does not */
    if (recv(service, result, 1, MSG_DONTWAIT) != 1) return COLD;
  }
  close(1); for (int i = 0; i < message.count; ++i) if (fds[i] != 2) close(fds[i]); /* or they stay open when it closes them */
  patience(service, SO_RCVTIMEO, RESULT_SECONDS);
  while ((got = recv(service, result, sizeof result, 0)) < 0 && errno == EINTR) { }
  if (got == 2) raise(result[1]); /* it has killed the program that had the message: the caller is to see that */
  return got > 0 ? result[0] : failed;
}

int main(void)
{
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  char *name = length > 0 ? strrchr(self, '/') + 1 : self, *const arguments[] = { self, NULL };
  int shim = !strcmp(name, "handoff-qqshim");
  if (!shim && strcmp(name, "handoff")) return NO_EXEC; /* under another name we might be what we are to become, for ever */
  message.version = '1', message.kind = shim ? 'q' : 's';
  int result = collect(shim) && pack() ? hand_over(shim ? TEMPORARY : SESSION) : COLD;
  if (result != COLD) _exit(result);
  strcpy(name, shim ? "qqshim" : "qsmtpd"); /* shorter than what it replaces */
  execv(self, arguments);
  return NO_EXEC;
}
