"""HTTP clients that take their time. Usage: readers.py HOST PORT PATH COUNT

Each asks for the path, with the smallest of receive buffers, and reads no more than the head of
the answer. Then "held STATUS..." is printed, and once stdin ends all of them read to the end:
"whole N cut N octets N" tells how many got what the head promised. A pid on stdin gets SIGTERM
first.
"""

import os
import signal
import socket
import sys

host, port, path, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])


def ask():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    s.connect((host, port))
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    text = b""
    while b"\r\n\r\n" not in text:
        part = s.recv(1)
        if not part:
            break
        text += part
    return s, text.decode()


def promised(head):
    lines = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
    return int(lines.get("content-length", 0))


def read_rest(s, want):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    n = 0
    try:
        while n < want and (part := s.recv(1 << 20)):
            n += len(part)
    except OSError:
        pass
    return n


readers = [ask() for _ in range(count)]
print("held", *(head.split(" ")[1] if head else "none" for _, head in readers), flush=True)
pid = sys.stdin.read().strip()
if pid:
    os.kill(int(pid), signal.SIGTERM)
got = [(read_rest(s, promised(head)), promised(head)) for s, head in readers]
whole = sum(n == want for n, want in got)
print("whole", whole, "cut", count - whole, "octets", sum(n for n, _ in got), flush=True)
