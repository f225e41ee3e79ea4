#!/usr/bin/env python3
"""A recipient that takes and answers the message in its own way, for the sender's tests. The SIP side
and the frames are recipient.py's. Says "uri sip:..." at once, then a line for whatever was not so; its
exit status is 0 when all was.

usage: taker.py WAY [ARGUMENT...]"""
import fcntl
import queue
import re
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

from recipient import GUARD, Call, Conn, THEM, check

SEEN = set()  # Message-IDs, in all calls
QUIET = 0.05  # nothing came for so long, from one that waits: what was sent at once is there


class Taker(Conn):
    """Notes the chunks and answers when it is told to."""

    def __init__(self, call):
        super().__init__(call, THEM)
        self.waiting = []
        self.flags = ""
        self.most = 1  # nothing but that answer is read yet
        check(self.hello() == 200, "the first SEND is answered")
        self.most = Conn.most

    def take(self, got):
        head, body = got
        first = int(re.search(r"Byte-Range: (\d+)-", head).group(1))
        total = int(re.search(r"Byte-Range: \S+/(\d+)\r\n", head + "\r\n").group(1))
        self.success = "Success-Report: yes" in head
        self.body = self.body[:first - 1].ljust(first - 1, b"?") + body
        self.flags += self.flag
        self.waiting.append(self.name)
        self.message_id = re.search(r"Message-ID: (\S+)", head).group(1)
        check(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+%=-]{3,31}", self.message_id), "an ident: " + head)
        SEEN.add(self.message_id)
        check(len(SEEN) == 1, "one message: %s" % SEEN)
        self.done = self.flag == "$"
        check(not self.done or len(self.body) == total, "the last chunk ends at the total")
        return head

    def more(self):
        got = self.next()
        return got and self.take(got)

    def response(self, code="200 OK", name=None):
        name = name or self.waiting.pop(0)
        return "MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n" % (
            name, code, self.call.path, THEM, name)

    def answer(self, code="200 OK", name=None):
        self.sock.sendall(self.response(code, name).encode())

    def notify(self, before="", own="theirs"):
        """A notification, right behind what is to come before it; the name of its SEND."""
        body = "<imdn><message-id>%s</message-id><status><delivered/></status></imdn>" % own
        return self.request(headers="Message-ID: n1234\r\nByte-Range: 1-%d/%d\r\n" % (
            len(body), len(body)), body=body, before=before, kind="message/imdn+xml")

    def report(self, first, last, status="200 OK", message_id=None):
        self.request("REPORT", headers="Message-ID: %s\r\nByte-Range: %d-%d/*\r\nStatus: 000 %s\r\n" % (
            message_id or self.message_id, first, last, status))

    def take_there(self):
        got = self.there()
        while got:
            self.take(got)
            got = self.there()

    def part(self):
        """Reads once, and takes what is whole; False at the end of the connection or message."""
        more = self.read()
        self.take_there()
        return more and not self.done

    def theirs(self):
        """The sender's end: how many octets it has not read, and whether it waits, for whatever it may be."""
        unsent = struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]
        row = subprocess.run(("ss", "-Htnp", "sport = :%d and dport = :%d" % (
            self.call.port, self.sock.getsockname()[1])), stdout=subprocess.PIPE, check=True).stdout.decode()
        pid = re.search(r"pid=(\d+)", row)
        check(pid, "the sender has the connection")
        with open("/proc/%s/stat" % pid.group(1), encoding="ascii") as f:
            waits = f.read().rsplit(") ", 1)[1][0] == "S"
        return unsent + int(row.split()[1]), waits

    def until(self, so):
        """Waits until the sender's end is so, at three looks."""
        end, looks = time.monotonic() + GUARD, 0
        while looks < 3:
            looks = looks + 1 if so(*self.theirs()) else 0
            check(time.monotonic() < end, "the sender gets there")
            time.sleep(0.01)

    def until_acted(self):
        """It has read all, and done what it had to do."""
        self.until(lambda unread, waits: unread == 0 and waits)

    def until_quiet(self):
        while not self.done:
            if not self.quiet(QUIET):
                if not self.part():
                    return
            elif self.theirs()[1] and self.quiet(0):
                return

    def answer_all(self):
        while self.waiting:
            self.answer()

    def cut(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def keep(conn):
    with open("taken", "wb") as f:
        f.write(conn.body)


def session(way, *args):
    call = Call()
    call.answer(THEM)
    conn = Taker(call)
    way(conn, *args)
    keep(conn)
    if way is not notifies_late:
        call.bye()


# --- Ways of answering.

def late(conn, seconds):
    while not conn.done:
        check(conn.more(), "the connection stays")
        time.sleep(float(seconds))
        conn.answer()


def reverse(conn):
    while not conn.done:
        conn.until_quiet()
        conn.several = max(getattr(conn, "several", 0), len(conn.waiting))
        while conn.waiting:
            conn.answer(name=conn.waiting.pop())
    check(conn.several > 2, "several at once")


def twice(conn, *last):
    """Unless it breaks the connection in place of its last answer."""
    while not conn.done:
        check(conn.more(), "the connection stays")
        if last and conn.done:
            conn.cut()
            return
        name = conn.waiting.pop(0)
        conn.answer(name=name)
        conn.answer(name=name)


def reports(conn):
    """REPORTs while a chunk is coming in: of what is there, of another message, and one again."""
    check(conn.more(), "a first chunk")
    conn.answer()
    n = 0
    while not conn.done:
        n += 1
        conn.report(1, len(conn.body))
        conn.report(1, 10, "413 Stop", "another")
        conn.until_quiet() if n % 3 == 0 else conn.part()
        conn.answer_all()


def slow(conn, seconds):
    """One octet a second for some time, then a whole chunk, and so on."""
    while not conn.done:
        for _ in range(int(seconds)):
            conn.read(1)
            time.sleep(1)
        check(conn.more(), "the connection stays")
        conn.answer()


def stuck(_):
    """Reads nothing."""


def code(conn, at, *words):
    """Answers the chunk with that number so, the others well; then reads to the end."""
    for _ in range(int(at) - 1):
        check(conn.more(), "the connection stays")
        conn.answer()
    check(conn.more(), "the connection stays")
    conn.answer(" ".join(words))
    while conn.more():
        pass


def stop(conn, how="answer"):
    """413 to a chunk whose head alone is there, or a REPORT of it: it ends with #, before all came."""
    while b"\r\n\r\n" not in conn.data:
        conn.read(1000)
    if how == "report":
        conn.report(1, 1, "413 Stop", re.search(rb"Message-ID: (\S+)", conn.data).group(1).decode())
    else:
        conn.answer("413 Stop", re.match(rb"MSRP (\S+)", conn.data).group(1).decode())
    conn.until_acted()
    check(conn.more(), "the chunk ends")
    check(conn.flags == "#" and len(conn.body) < 12000000, "with #: %s %d" % (conn.flags, len(conn.body)))
    check(conn.next() is None, "and nothing comes after it")


def interrupt(conn):
    """A request while a long chunk is coming in: the answer comes before the chunk's planned end."""
    while b"\r\n\r\n" not in conn.data:
        conn.read(1000)
    name = conn.request()
    conn.until_acted()
    check(conn.more() and conn.flags == "+", "the chunk is interrupted")
    conn.answer()
    check(conn.code(name) == 200, "for the answer")
    conn.answer() if conn.waiting else None
    while not conn.done:
        check(conn.more(), "the connection stays")
        conn.answer()


def odd(conn):
    """Answers as some clients do: its paths are not exchanged, there is a Message-ID, of 36 octets, the
    names of headers are small, empty lines stand between, and it comes octet by octet."""
    conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    check(conn.hello(headers="message-id: 123e4567-e89b-12d3-a456-426614174000\r\n") == 200, "a UUID")
    while conn.waiting or not conn.done:
        check(conn.waiting or conn.more(), "the connection stays")
        name = conn.waiting.pop(0)
        text = "\r\nMSRP %s 200\r\nfrom-path: %s\r\nTO-PATH:%s\r\nMessage-ID: %s\r\n-------%s$\r\n" % (
            name, conn.call.path, THEM, conn.message_id, name)
        for octet in text.encode():
            conn.sock.sendall(bytes((octet,)))


def floods(conn):
    """Asks and asks and reads nothing until all that has piled up; then it reads, and answers."""
    count, progress, out = 6000, [], queue.SimpleQueue()
    own = "msrp://127.0.0.1:9/%s;tcp" % ("x" * 3000)  # stands in each answer
    conn.sock.settimeout(None)

    def write():
        for n in range(count):
            name = "f%07d" % n
            conn.sock.sendall(("MSRP %s SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: f123\r\n"
                               "-------%s$\r\n" % (name, conn.call.path, own, name)).encode())
            progress.append(n)
            while not out.empty():
                conn.sock.sendall(out.get())
        for text in iter(out.get, b""):
            conn.sock.sendall(text)

    def piled(unread, waits):
        nonlocal sent
        last, sent = sent, len(progress)
        return unread > 0 and waits and sent == last

    writer, sent = threading.Thread(target=write, daemon=True), -1
    writer.start()
    conn.until(piled)
    check(sent < count, "it piles up")
    answers = 0
    while not conn.done or answers < count:
        got = conn.next()
        check(got, "the connection stays")
        if " SEND" in got[0].split("\r\n")[0]:
            conn.take(got)
            out.put(conn.response().encode())
        else:
            answers += 1
    out.put(b"")
    writer.join()


def endless(conn):
    """A message of its own that does not end, and no answer any more."""
    check(conn.more(), "a chunk")
    conn.answer()
    conn.request(body="x")
    conn.sock.sendall(("MSRP abcd SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: e123\r\n"
                       "Content-Type: a/b\r\n\r\n" % (conn.call.path, THEM)).encode())
    try:
        while True:
            conn.sock.sendall(b"x" * 100000)
            time.sleep(0.01)
    except (BrokenPipeError, ConnectionResetError):
        pass


def babbles(conn, *words):
    """No MSRP in place of the second answer."""
    check(conn.more(), "a chunk")
    conn.answer()
    check(conn.more(), "a second")
    conn.sock.sendall((" ".join(words) + "\r\n").encode())
    while conn.more():
        pass


# --- REPORTs and what comes instead of answers.

def covered(conn):
    """Success in pieces: the message is delivered when they cover it, not before."""
    while not conn.done:
        check(conn.more(), "the connection stays")
        conn.answer()
    check(conn.success, "reports were asked for")
    n = len(conn.body)
    conn.report(n // 2, n)
    conn.report(n // 3, n // 2 + 5)
    conn.until_acted()
    check(conn.quiet(0), "not yet")
    with open("before", "w", encoding="ascii") as f:
        f.write(open("s", encoding="ascii").read())
    conn.report(1, n // 3)


def unreported(conn, *last):
    while not conn.done:
        check(conn.more(), "the connection stays")
        conn.answer()
    if last:
        conn.report(1, len(conn.body), " ".join(last))


def mute(conn, *last):
    """Answers nothing; at the end perhaps an error, or the end of the connection."""
    while not conn.done:
        check(conn.more(), "the connection stays")
    if last and last[0] == "close":
        conn.sock.close()
    elif last and last[0] == "cut":
        conn.cut()
    elif last:
        conn.until_acted()  # its chunk is of long ago
        conn.answer(" ".join(last))


# --- A notification of its own at the end of the session.

def until_the_last(conn):
    while not conn.done:
        conn.answer_all()
        check(conn.more(), "the connection stays")


def notifies(conn, *last):
    """In one piece with its last answer; perhaps it says no more then."""
    until_the_last(conn)
    name = conn.notify(before=conn.response(" ".join(last) if last and last[0] != "close" else "200 OK"))
    if last and last[0] == "close":
        conn.sock.shutdown(socket.SHUT_WR)
    check(conn.code(name) == 200, "the notification is answered")


def notifies_late(conn):
    """When the BYE came, before it is answered."""
    until_the_last(conn)
    conn.answer()
    request, conn.call.caller = conn.call.wait("BYE")
    name = conn.notify()
    conn.call.reply(request, "200 OK")
    check(conn.code(name) == 200, "the notification is answered")
    check(conn.next() is None, "and the connection ends")


def alternates(conn):
    """Two notifications whose chunks alternate, with empty SENDs between, before our first chunk is
    answered: both arrive, and their REPORTs have the octets of each."""
    size, names, reports = 90, [], {}
    for first, last, flag in ((1, 40, "+"), (41, size, "$")):
        for own in ("theirs", "second"):
            body = "<imdn><message-id>%s</message-id><status><delivered/></status></imdn>" % own
            body = body.ljust(size)[first - 1:last]
            name = "%s%d" % (own, first)
            text = "MSRP %s SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: %s\r\n" % (
                name, conn.call.path, THEM, own)
            text += "Byte-Range: %d-*/%d\r\nSuccess-Report: yes\r\n" % (first, size)
            text += "Content-Type: message/imdn+xml\r\n\r\n%s\r\n-------%s%s\r\n" % (body, name, flag)
            conn.sock.sendall(text.encode())
            names += [name, conn.request()]
    while names or len(reports) < 2:
        got = conn.next()
        check(got, "the connection stays")
        start = got[0].split("\r\n")[0].split()
        if start[2] == "SEND":
            conn.take(got)
        elif start[2] == "REPORT":
            check("Byte-Range: 1-%d/%d\r\nStatus: 000 200 " % (size, size) in got[0], "all of it: " + got[0])
            check("To-Path: %s\r\nFrom-Path: %s\r\n" % (THEM, conn.call.path) in got[0], "for us: " + got[0])
            reports[re.search(r"Message-ID: (\S+)", got[0]).group(1)] = start[1]
        else:
            check(start[1:3] == [names.pop(0), "200"], "each is answered in its turn: %s" % start)
    check(sorted(reports) == ["second", "theirs"], "a REPORT of each: %s" % reports)
    until_the_last(conn)
    conn.answer_all()


def crowds(conn, most, room, burst):
    """More messages of its own at once than are kept, more octets, and more notifications than are told.
    Chunks wait meanwhile, so none of them makes our own wait."""
    def start(own, size):
        return conn.hello(headers="Message-ID: %s\r\nByte-Range: 1-%d/99999\r\n" % (own, size),
                          body="x" * size, flag="+")

    def give_up(own):
        check(conn.hello(headers="Message-ID: %s\r\nByte-Range: 1-0/99999\r\n" % own, flag="#") == 200,
              "given up without content")

    each = int(room) // 2
    names = ["open%d" % n for n in range(int(most))]
    check([start(own, 1) for own in names] == [200] * len(names), "that many may be open")
    check(start("over", 1) == 413, "no more")
    give_up(names[0])
    check(start("over", 1) == 200, "one in the place of another")
    for own in names[1:] + ["over"]:
        give_up(own)
    check([start(own, each) for own in names[:3]] == [200, 200, 413], "that many octets are kept")
    for own in names[:2]:
        give_up(own)
    check(start("over", each) == 200, "again when those are gone")
    check(conn.code(conn.notify(own="long" * 2000)) == 200, "a long name is told")
    told = 1
    while told < 3 * int(burst) and conn.code(conn.notify()) == 200:
        told += 1
    check(int(burst) <= told < 3 * int(burst), "not any number is told: %d" % told)
    print("told %d" % told, flush=True)
    until_the_last(conn)
    conn.answer_all()


# --- Weaknesses: a call ends when they show, and the next one comes.

def large(conn, limit):
    """No SEND of more octets than this, with its headers."""
    while not conn.done:
        before = len(conn.data)
        if not conn.part() and not conn.done:
            return "closed"
        if len(conn.data) > int(limit) or before > int(limit):
            return "too large"
        conn.answer_all()
    conn.answer_all()
    return None


def unanswered(conn, limit):
    """No more octets than this before it answered."""
    while not conn.done:
        begin = len(conn.body)
        conn.until_quiet()
        if len(conn.body) + len(conn.data) - begin > int(limit):
            return "too many octets"
        conn.answer_all()
    return None


def single(conn):
    """No second chunk before it answered the first."""
    while not conn.done:
        conn.until_quiet()
        if len(conn.waiting) > 1 or (conn.waiting and conn.data):
            return "a second chunk"
        conn.answer_all()
    return None


def next_call(call):
    call.bye()
    call.invite, call.caller = call.wait("INVITE")
    call.see_offer()


def weak(way, *args):
    call = Call()
    while True:
        call.answer(THEM)
        conn = Taker(call)
        why = way(conn, *args)
        if not why:
            break
        print(why, flush=True)
        conn.cut()
        next_call(call)
    keep(conn)
    call.bye()


def cuts(*places):
    """Breaks the connection after so many octets of the stream, in one call after the other."""
    call = Call()
    for place in places:
        call.answer(THEM)
        conn = Taker(call)
        left = int(place)
        while left > 0:
            n = conn.read(left)
            check(n, "the connection stays")
            left -= n
            conn.take_there()
            conn.answer_all()
        conn.cut()
        next_call(call)
    call.answer(THEM)
    conn = Taker(call)
    unreported(conn)
    keep(conn)
    call.bye()


WAYS = {f.__name__: f for f in (late, reverse, twice, reports, slow, stuck, code, stop, interrupt, odd, floods,
                                endless, babbles, covered, unreported, mute, notifies, notifies_late,
                                alternates, crowds)}
WEAK = {f.__name__: f for f in (large, unanswered, single)}

if __name__ == "__main__":
    name, rest = sys.argv[1], sys.argv[2:]
    if name == "cuts":
        cuts(*rest)
    elif name in WEAK:
        weak(WEAK[name], *rest)
    else:
        session(WAYS[name], *rest)
