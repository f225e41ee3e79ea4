#!/usr/bin/env python3
"""What a look at a large and busy queue costs: entries in the queue, some of them in delivery with
journals that grow each second, others moving between its folders, and a client that asks cpm-status
for its metrics. Prints what the server and the client measured, first, later, and after so much has
happened while it was stopped that notices were lost (inotify), and the server's memory.

usage: status.py [--bin DIR] [--entries N] [--growing N] [--moving N] [--seconds S]
Loopback only. Exits 1 when the server does not see what is there at the end."""
import argparse
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import statistics
import struct
import subprocess
import tempfile
import threading
import time

CLAIM = 1  # the byte of a journal that a delivery locks (cpm-session(5))
F_OFD_SETLK = 37
ALICE = "sip:alice@example.com"


def options():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("--bin", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/bin"))
    p.add_argument("--entries", type=int, default=100000)
    p.add_argument("--growing", type=int, default=1000)
    p.add_argument("--moving", type=int, default=100)
    p.add_argument("--seconds", type=int, default=30)
    return p.parse_args()


def line(words):
    now = time.time()
    return "%s.%03dZ bench[1] %s\n" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)),
                                       now % 1 * 1000, words)


class Journal:
    """A delivery under way, which says how far it is."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self.octets = 0
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, CLAIM, 1, 0)
        fcntl.fcntl(self.fd, F_OFD_SETLK, lock)
        self.say("attempt.start sid=x n=1")
        self.say("msrp.listening sid=x path=msrp://h:1/x;tcp octets=1000000000")

    def say(self, words):
        os.write(self.fd, line(words).encode())

    def grow(self):
        self.octets += 65536
        self.say("msrp.progress sid=x octets=%d total=1000000000 rate=65536" % self.octets)


class Load:
    """Growing and moving, evenly over each second."""

    def __init__(self, queue, growing, moving, pace):
        names = sorted(os.listdir(queue + "/wait"), key=lambda n: n[-16:])
        self.queue, self.pace, self.stopped = queue, pace, threading.Event()
        self.journals = [Journal("%s/wait/%s" % (queue, n)) for n in names[:growing]]
        self.waiting = names[growing:]
        self.moved = self.lines = 0
        self.per_tick = (growing / 50, moving / 50)
        self.thread = threading.Thread(target=self.run)

    def move(self):
        """Put off, or delivered."""
        name = self.waiting[self.moved % len(self.waiting)]
        path = "%s/wait/%s" % (self.queue, name)
        self.moved += 1
        if self.moved % 2:
            with open(path, "a", encoding="ascii") as f:
                f.write(line("attempt.start sid=y n=1") + line("outcome sid=y status=75 why=later"))
            later = "%d-%s" % (2000000000 + self.moved, name[11:])
            os.rename(path, "%s/wait/%s" % (self.queue, later))
            self.waiting[(self.moved - 1) % len(self.waiting)] = later
            return
        day = "%s/done/%s" % (self.queue, time.strftime("%Y-%m-%d", time.gmtime()))
        os.makedirs(day, mode=0o700, exist_ok=True)
        os.rename(path, "%s/%s" % (day, name[11:]))
        del self.waiting[(self.moved - 1) % len(self.waiting)]

    def run(self):
        at = [0, 0]
        while not self.stopped.wait(0.02):
            at = [a + b for a, b in zip(at, self.per_tick)]
            while at[0] >= 1:
                self.journals[self.lines % len(self.journals)].grow()
                self.lines += 1
                at[0] -= 1
            while at[1] >= 1:
                self.move()
                at[1] -= 1


class Server:
    def __init__(self, args, queue):
        self.process = subprocess.Popen([args.bin + "/cpm-status", "-Q", queue, "--http-listen", "127.0.0.1:0"],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1].strip("/\n"))
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def get(self, path):
        self.http.request("GET", path)
        answer = self.http.getresponse()
        body = answer.read().decode()
        if answer.status != 200:
            raise SystemExit("%s: %d" % (path, answer.status))
        return body

    def scrape(self):
        """Milliseconds: what the server measured for its look, and the client for the whole."""
        begun = time.perf_counter()
        text = self.get("/metrics")
        whole = (time.perf_counter() - begun) * 1000
        look = float(re.search(r"^cpm_snapshot_duration_seconds (\S+)", text, re.M).group(1)) * 1000
        return look, whole

    def page(self):
        begun = time.perf_counter()
        self.get("/")
        whole = (time.perf_counter() - begun) * 1000
        return whole, whole

    def memory(self, what):
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            return int(re.search(what + r":\s*(\d+) kB", f.read()).group(1)) / 1024

    def cpu(self):
        with open("/proc/%d/stat" % self.process.pid, encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(what, scrapes):
    looks, wholes = zip(*scrapes)
    print("%-28s look %7.2f ms median %7.2f worst   answer %7.2f ms median %7.2f worst   (%d)" % (
        what, statistics.median(looks), max(looks), statistics.median(wholes), max(wholes), len(scrapes)), flush=True)


def fill(args, queue):
    with open("list", "w", encoding="ascii") as f:
        f.writelines("sip:s%d@example.net m.txt\n" % i for i in range(args.entries))
    with open("m.txt", "w", encoding="ascii") as f:
        f.write("hello\n")
    with open("list", encoding="ascii") as f:
        subprocess.run([args.bin + "/cpm-queue", "-Q", queue, "add", "--from", ALICE, "--type", "text/plain", "--many"],
                       stdin=f, stdout=subprocess.DEVNULL, check=True)


def overflow(server, queue):
    """More notices than the kernel keeps, while the server is stopped."""
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as f:
        most = int(f.read())
    strays = [queue + "/wait/stray", queue + "/held/stray"]
    for path in strays:
        with open(path, "w", encoding="ascii"):
            pass
    os.kill(server.process.pid, signal.SIGSTOP)
    for i in range(most + 1):
        os.chmod(strays[i % 2], 0o600)
    os.kill(server.process.pid, signal.SIGCONT)


def after_overflow(server, queue):
    scrapes = []
    overflow(server, queue)
    begun = time.monotonic()
    while not scrapes or not json.loads(server.get("/api/queue"))["complete"]:
        scrapes.append(server.scrape())
        time.sleep(0.05)
    print("after lost notices           all was looked at again after %.1f s" % (time.monotonic() - begun))
    show("until then, each 50 ms", scrapes)


def is_right(server, queue):
    seen = json.loads(server.get("/api/queue"))["entries"]
    there = {"waiting": len([n for n in os.listdir(queue + "/wait") if n != "stray"]),
             "done": sum(len(os.listdir(day)) for day in (d.path for d in os.scandir(queue + "/done")))}
    good = seen["waiting"] + seen["delivering"] == there["waiting"] and seen["done"] == there["done"]
    if not good:
        print("seen: %s, there: %s" % (seen, there))
    return good


def measure(args, queue):
    server = Server(args, queue)
    try:
        show("first", [server.scrape()])
        load = Load(queue, args.growing, args.moving, args.seconds)
        load.thread.start()
        for pause in (1, 5):
            cpu, begun = server.cpu(), time.monotonic()
            scrapes = []
            for _ in range(args.seconds // pause):
                time.sleep(pause)
                scrapes.append(server.scrape())
            show("later, each %d s" % pause, scrapes)
            print("%-28s %.1f %% of a processor" % ("", (server.cpu() - cpu) / (time.monotonic() - begun) * 100))
        show("the page", [server.page() for _ in range(5)])
        after_overflow(server, queue)
        load.stopped.set()
        load.thread.join()
        print("%d lines in %d journals, %d moves" % (load.lines, args.growing, load.moved))
        print("memory: %.1f MB now, %.1f MB at most" % (server.memory("VmRSS"), server.memory("VmHWM")))
        return is_right(server, queue)
    finally:
        server.process.terminate()
        server.process.wait()


def main():
    args = options()
    args.bin = os.path.abspath(args.bin)
    folder = tempfile.mkdtemp(prefix="cpm-bench-")
    os.umask(0o077)
    os.chdir(folder)
    try:
        fill(args, "q")
        print("%d entries, %d journals that grow each second, %d moves a second" % (
            args.entries, args.growing, args.moving), flush=True)
        good = measure(args, "q")
    finally:
        os.chdir("/")
        shutil.rmtree(folder)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
