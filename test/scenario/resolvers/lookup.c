/* Asks the C library for the addresses of every name on standard input; one line a name: "NAME ADDRESS..." or "NAME !REASON". */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(void) {
  char name[1024], text[INET6_ADDRSTRLEN];
  while (fgets(name, sizeof name, stdin)) {
    name[strcspn(name, "\n")] = 0;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    printf("%s", name);
    int status = getaddrinfo(name, NULL, &hints, &found);
    if (status != 0) printf(" !%s", gai_strerror(status));
    for (struct addrinfo *each = found; each; each = each->ai_next) {
      const void *address = each->ai_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr
                                                        : (const void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr;
      printf(" %s", inet_ntop(each->ai_family, address, text, sizeof text));
    }
    printf("\n");
    if (found) freeaddrinfo(found);
  }
  return 0;
}
