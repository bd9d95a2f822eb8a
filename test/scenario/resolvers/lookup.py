"""Asks Python's socket module for the addresses of every name on standard input, one line a name."""
import socket
import sys

for line in sys.stdin:
    name = line.strip()
    try:
        found = {each[4][0] for each in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}
        print(name, *found)
    except OSError as error:
        print(name, "!" + str(error).replace(" ", "_"))
