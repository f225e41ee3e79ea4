"""HTTP clients without manners. Usage: rude.py HOST PORT SECONDS

One after the other, for so long: each sends something that is no request, or does not wait for the
answer, in one of the ways below. Prints how many there were.
"""

import os
import socket
import struct
import sys
import time

host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
request = f"GET /api/entries HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
hello = bytes.fromhex("160301020001000001fc0303") + os.urandom(500)
linger = struct.pack("ii", 1, 0)  # close with a reset

ways = [
    lambda s: s.sendall(os.urandom(5000)),
    lambda s: s.sendall(hello),
    lambda s: s.sendall(request[:20]),
    lambda s: s.sendall(request * 50),
    lambda s: (s.sendall(request), s.recv(100)),
    lambda s: (s.sendall(request), s.shutdown(socket.SHUT_WR), s.recv(100)),
    lambda s: (s.sendall(request), s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)),
    lambda s: s.sendall(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 9999),
    lambda s: None,
]
count, end = 0, time.monotonic() + seconds
while time.monotonic() < end:
    try:
        with socket.create_connection((host, port), timeout=5) as s:
            s.settimeout(5)
            ways[count % len(ways)](s)
    except OSError:
        pass
    count += 1
print(count, "rude clients")
