/* replies: what an SMTP server under tcpserver costs when it does nothing: it looks at the first letter of each line, and says
 * what a server says.  Recipients that begin with "good" exist.  Linked statically: the floor of all that is started per session.
 */
#include <string.h>
#include <unistd.h>

static void say(const char *text) {
  if (write(1, text, strlen(text)) < 0) _exit(1);
}

static void answer(const char *line, int *in_data) {
  if (*in_data) {
    if (!strcmp(line, ".")) *in_data = 0, say("250 2.0.0 ok\r\n");
    return;
  }
  switch (line[0]) {
  case 'E': say("250-mx.bench.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"); break;
  case 'R': say(strstr(line, "<good") ? "250 2.1.5 ok\r\n" : "550 5.1.1 no such user\r\n"); break;
  case 'D': *in_data = 1, say("354 go ahead\r\n"); break;
  case 'Q': say("221 2.0.0 bye\r\n"); _exit(0);
  default: say("250 2.0.0 ok\r\n");
  }
}

int main(void) {
  static char data[65536], line[1024];
  size_t length = 0;
  int in_data = 0;
  ssize_t got;
  say("220 mx.bench.test ESMTP\r\n");
  while ((got = read(0, data, sizeof data)) > 0)
    for (ssize_t i = 0; i < got; i++) {
      if (data[i] == '\n') {
        line[length] = 0;
        length = 0;
        answer(line, &in_data);
      } else if (data[i] != '\r' && length < sizeof line - 1)
        line[length++] = data[i];
    }
  return 1;
}
