#!/usr/bin/env python3
"""A recipient that shares no code with the programs: SIP over UDP for one call, MSRP as its scenario
wants it. Says "uri sip:..." at once, then one line for whatever did not go as it should; its exit
status is 0 when nothing did.

usage: recipient.py SCENARIO [ARGUMENT...]"""
import os
import re
import select
import socket
import sys
import time

GUARD = 20
HERE = "127.0.0.1"


def fail(text):
    print("not so: " + text, flush=True)
    sys.exit(1)


def check(condition, text):
    if not condition:
        fail(text)


def own_port():
    """A UDP socket, and a TCP one of its number: a large INVITE tries TCP first, and shall find nobody
    else there. The kernel chooses for TCP, where connections that have ended still count."""
    for _ in range(100):
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.bind((HERE, 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
            return udp, tcp
        except OSError:
            udp.close()
            tcp.close()
    raise OSError("no port is free")


class Call:
    """The SIP side: one INVITE, its 200, the ACK, the BYE."""

    tag = ";tag=them"

    def __init__(self):
        self.sip, self.tcp = own_port()
        self.sip.settimeout(GUARD)
        self.at = "%s:%d" % self.sip.getsockname()
        print("uri sip:bob@" + self.at, flush=True)
        self.invite, self.caller = self.wait("INVITE")
        self.see_offer()

    def see_offer(self):
        self.path = re.search(rb"a=path:([^\r\n]+)", self.invite).group(1).decode()
        self.host, port = re.search(r"//([^:/]+):(\d+)/", self.path).groups()
        self.port = int(port)

    def wait(self, method):
        while True:
            text, sender = self.sip.recvfrom(65536)
            if text.startswith(method.encode()):
                return text, sender

    def reply(self, request, code, extra="", body=""):
        lines = ["SIP/2.0 " + code]
        for name in ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route"):
            for value in re.findall(r"(?im)^%s: *(.*?)\r$" % name, request.decode()):
                tag = self.tag if name == "To" and ";tag=" not in value else ""
                lines.append("%s: %s%s" % (name, value, tag))
        lines.append("Contact: <sip:bob@%s>" % self.at)
        text = "\r\n".join(lines) + "\r\n" + extra + "Content-Length: %d\r\n\r\n%s" % (len(body), body)
        self.sip.sendto(text.encode(), self.caller)

    def ring(self):
        self.reply(self.invite, "180 Ringing")

    def answer(self, path, setup="active", address=HERE, port=None, more=""):
        if port is None:
            port = int(re.search(r":(\d+)/?[^:]*;tcp", path).group(1))
        body = ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=message %d TCP/MSRP *\r\n"
                "a=accept-types:message/cpim\r\na=path:%s\r\na=recvonly\r\n%s%s"
                % (address, address, port, path, "a=setup:%s\r\n" % setup if setup else "", more))
        self.reply(self.invite, "200 OK", "Content-Type: application/sdp\r\n", body)
        self.wait("ACK")

    def bye(self):
        request, self.caller = self.wait("BYE")
        self.reply(request, "200 OK")


class Conn:
    """One MSRP connection."""

    most = 65536  # octets in one read

    def __init__(self, call, own, source=HERE, taken=None):
        self.call, self.own, self.data, self.n = call, own, b"", 0
        self.body, self.done = b"", False
        self.sock = taken or socket.create_connection((call.host, call.port), GUARD, (source, 0))
        self.sock.settimeout(GUARD)

    def request(self, method="SEND", to=None, headers="Message-ID: p1234\r\nByte-Range: 1-0/0\r\n",
                body=None, slowly=False, before="", kind="text/plain", flag="$"):
        self.n += 1
        name = "peer%04d" % self.n
        text = "MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s" % (
            name, method, to or self.call.path, self.own, headers)
        text += "Content-Type: %s\r\n\r\n%s\r\n" % (kind, body) if body is not None else ""
        text = (before + text + "-------%s%s\r\n" % (name, flag)).encode()
        for i in range(0, len(text), 1 if slowly else len(text)):
            self.sock.sendall(text[i:i + 1] if slowly else text)
        return name

    def there(self):
        """The next whole request or response of what came already: its head and body; or None."""
        start = re.match(rb"MSRP (\S+) ", self.data)
        end = start and re.search(rb"-------" + re.escape(start.group(1)) + rb"([$+#])\r\n", self.data)
        if not end:
            return None
        text, self.data = self.data[:end.start()], self.data[end.end():]
        head, _, body = text.partition(b"\r\n\r\n")
        self.name, self.flag = start.group(1).decode(), end.group(1).decode()
        return head.decode(), body[:-2] if body else b""

    def read(self, most=None):
        """Reads once; so many octets, 0 at the end."""
        try:
            got = self.sock.recv(most or self.most)
        except ConnectionResetError:
            got = b""
        self.data += got
        return len(got)

    def next(self):
        """The next whole request or response; None at the end."""
        while True:
            got = self.there()
            if got or not self.read():
                return got

    def code(self, name):
        """The code of the response to this request; chunks that come before it are answered."""
        while True:
            got = self.next()
            if not got:
                return 0
            start = got[0].split("\r\n")[0].split()
            if start[2].isdigit():
                check(start[1] == name, "a response to %s, not %s" % (start[1], name))
                return int(start[2])
            self.take(got)

    def take(self, got):
        head, body = got
        first = re.search(r"Byte-Range: (\d+)-", head)
        check(" SEND" in head.split("\r\n")[0], "a SEND: " + head)
        check("To-Path: " + self.to + "\r\n" in head, "the To-Path is the answer's: " + head)
        check(int(first.group(1)) == len(self.body) + 1, "the next octets: " + head)
        self.body += body
        hop = re.search(r"From-Path: (\S+)", head).group(1)
        self.sock.sendall(("MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n" % (
            self.name, hop, self.to.split(" ")[0], self.name)).encode())
        self.done = self.flag == "$"

    def hello(self, **kind):
        return self.code(self.request(**kind))

    def whole(self, to):
        """Takes the message, which is to have this To-Path."""
        self.to = to
        while not self.done:
            got = self.next()
            check(got, "the connection ended before the message did")
            self.take(got)

    def quiet(self, seconds):
        """Does nothing come for so long? A time for what must not happen."""
        return not select.select([self.sock], [], [], seconds)[0]

    def ended(self):
        got = self.next()
        check(got is None, "nothing more comes: %s" % (got,))


THEM = "msrp://127.0.0.1:9/them;tcp"


def keep_port():
    """A port that nobody else can take, and where nobody listens yet."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind((HERE, 0))
    server.settimeout(GUARD)
    return server, "%s:%d" % server.getsockname()


def listen():
    server, at = keep_port()
    server.listen()
    return server, at


# --- Who connects, and when.

def plain(fifo=None):
    """With a fifo: it rings until somebody writes there."""
    call = Call()
    if fifo:
        call.ring()
        with open(fifo, encoding="ascii") as f:
            f.read()
    call.answer(THEM)
    conn = Conn(call, THEM)
    check(conn.hello() == 200, "the first SEND is answered")
    conn.whole(THEM)
    call.bye()


def early():
    """Connection and first SEND before the 200."""
    call = Call()
    call.ring()
    conn = Conn(call, THEM)
    check(conn.hello(headers="Message-ID: p1\r\nByte-Range: 1-2/2\r\n", body="hi") == 200,
          "the first SEND is answered before the 200")
    check(conn.hello(to="msrp://127.0.0.1:1/nonsense;tcp") == 481, "one for another session is not")
    for n in range(7):
        check(conn.hello(headers="Message-ID: n%d234\r\nByte-Range: 1-5/5\r\n" % n, body="hello") == 200,
              "several messages are kept")
    check(conn.hello(headers="Message-ID: last\r\nByte-Range: 1-5/5\r\n", body="hello") == 413,
          "but not any number")
    check(conn.quiet(0.3), "nothing leaves before the answer")
    call.answer(THEM)
    conn.whole(THEM)
    call.bye()


def fork(how="whole"):
    """Two branches connect early with one session id; the answer names one of them, by From-Path. "half":
    a message of the other is half there then."""
    call = Call()
    call.ring()
    other = "msrp://127.0.0.9:9/them;tcp"
    lost = Conn(call, other)
    won = Conn(call, THEM)
    check(lost.hello(headers="Message-ID: p1\r\nByte-Range: 1-2/2\r\n", body="hi") == 200,
          "one is answered before the 200")
    check(won.hello(headers="Message-ID: p1\r\nByte-Range: 1-3/3\r\n", body="you") == 200,
          "and so is the other")
    if how == "half":
        lost.sock.sendall(("MSRP half1 SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\nMessage-ID: p2\r\n"
                           "Byte-Range: 1-4/4\r\nContent-Type: text/plain\r\n\r\nha" % (call.path, other)).encode())
        check(won.hello() == 200, "the half had its time")
    call.answer(THEM)
    won.to = THEM
    check(not won.quiet(GUARD), "the message comes on one")
    if how == "half":
        lost.sock.sendall(b"lf\r\n-------half1$\r\n")
    check((lost.code("half1") if how == "half" else lost.hello()) == 506, "the other gets 506")
    lost.ended()
    won.whole(THEM)
    call.bye()


def again(how):
    """It connects early, goes away, and comes again; "half": only its direction ends, of the first."""
    call = Call()
    call.ring()
    first = Conn(call, THEM)
    check(first.hello(headers="Message-ID: p1\r\nByte-Range: 1-2/2\r\n", body="hi") == 200,
          "the first SEND is answered before the 200")
    if how == "half":
        first.sock.shutdown(socket.SHUT_WR)
        first.ended()
    else:
        first.sock.close()
    if how != "after":
        call.answer(THEM)
    conn = Conn(call, THEM)
    check(conn.hello() == 200, "and so is that of the second")
    if how == "after":
        call.answer(THEM)
    conn.whole(THEM)
    call.bye()


def anchored():
    """A box on the way wrote its own address into the answer: the session id alone counts."""
    call = Call()
    conn = Conn(call, "msrp://10.1.2.3:7000/them;tcp")
    check(conn.hello() == 200, "the first SEND is answered before the 200")
    call.answer("msrp://192.0.2.77:1234/them;tcp", more="a=msrp-cema\r\n")
    conn.whole("msrp://192.0.2.77:1234/them;tcp")
    call.bye()


def strangers():
    """All that others may try while the recipient is not there yet, and once it is."""
    call = Call()
    call.answer(THEM)
    wrong = Conn(call, THEM)
    check(wrong.hello(to="msrp://127.0.0.1:1/nonsense;tcp") == 481, "a wrong session id gets 481")
    wrong.ended()
    web = Conn(call, THEM)
    web.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    web.ended()
    other = Conn(call, "msrp://127.0.0.1:9/somebody;tcp")
    code = 200
    while code == 200:  # as long as they know of no answer yet
        code = other.hello()
    check(code == 506, "one that the answer does not name gets 506")
    other.ended()
    silent = Conn(call, THEM)
    conn = Conn(call, THEM)
    check(conn.hello() == 200, "the recipient is bound")
    second = Conn(call, THEM)
    check(second.hello() == 506, "a second connection gets 506")
    second.ended()
    check(silent.quiet(0.2), "a silent one gets nothing")
    conn.whole(THEM)
    call.bye()


def slow():
    """The first SEND comes octet by octet."""
    call = Call()
    call.answer(THEM)
    conn = Conn(call, THEM)
    conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    check(conn.code(conn.request(slowly=True)) == 200, "the first SEND is answered")
    conn.whole(THEM)
    call.bye()


def halves(fifo):
    """Half of the first SEND, and the other half once somebody writes to the fifo."""
    call = Call()
    call.answer(THEM)
    conn = Conn(call, THEM)
    whole = []
    conn.sock, sock = type("Keep", (), {"sendall": whole.append})(), conn.sock
    name = conn.request()
    conn.sock = sock
    sock.sendall(whole[0][:60])
    print("half", flush=True)
    with open(fifo, encoding="ascii") as f:
        f.read()
    sock.sendall(whole[0][60:])
    check(conn.code(name) == 200, "the first SEND is answered")
    conn.whole(THEM)
    call.bye()


def flood(pid_file, most, text=""):
    """Many connections that do not get far, before and after the recipient's own, which says nothing
    at first either."""
    call = Call()
    crowd = []

    def more():
        for _ in range(150):
            crowd.append(Conn(call, THEM, "127.0.0.2"))
            crowd[-1].sock.sendall(text.encode())

    more()
    conn = Conn(call, THEM)
    more()
    with open(pid_file, encoding="ascii") as f:
        pid = f.read().strip()
    check(len(os.listdir("/proc/%s/fd" % pid)) < int(most), "only so many are held")
    call.answer(THEM)
    check(conn.hello() == 200, "the first SEND is answered")
    conn.whole(THEM)
    call.bye()


def never(seconds, slowly=""):
    """Stays silent, or gets nowhere slowly: it is closed in that time, and nothing came."""
    call = Call()
    begin = time.monotonic()
    conn = Conn(call, THEM)
    while slowly and conn.quiet(0.05):
        conn.sock.sendall(slowly[:1].encode())
        slowly = slowly[1:] or "x"
    conn.ended()
    check(time.monotonic() - begin >= float(seconds), "not before the time is over")
    call.answer(THEM)
    call.bye()


def mute():
    """Connects and waits to be spoken to; so does a stranger, from elsewhere, before it."""
    call = Call()
    stranger = Conn(call, THEM, "127.0.0.2")
    call.answer(THEM)
    conn = Conn(call, THEM)
    conn.whole(THEM)
    check(stranger.quiet(0.1), "the stranger gets nothing")
    call.bye()


def dialled(setup, *more):
    """Listens. later: only so long after the ACK that a first attempt is refused."""
    call = Call()
    server, at = keep_port() if "later" in more else listen()
    path = "msrp://%s/them;tcp" % at
    call.answer(path, None if setup == "none" else setup)
    if "later" in more:
        time.sleep(0.2)
        server.listen()
    conn = Conn(call, path, taken=server.accept()[0])
    conn.whole(path)
    call.bye()


def nowhere():
    """Passive on the discard port: there is nothing to dial."""
    call = Call()
    call.answer(THEM, "passive")
    call.bye()


def moved(*more):
    """Passive, where c= and m= point; the path leads to somebody else, or nowhere with dead."""
    call = Call()
    check((b"a=msrp-cema\r\n" in call.invite) == ("dead" not in more), "the offer's a=msrp-cema")
    server, at = listen()
    decoy, path_at = keep_port() if "dead" in more else listen()
    path = "msrp://%s/them;tcp" % path_at
    call.answer(path, "passive", port=int(at.split(":")[1]),
                more="" if "dead" in more else "a=msrp-cema\r\n")
    conn = Conn(call, path, taken=server.accept()[0])
    conn.whole(path)
    if "dead" not in more:
        check(not select.select([decoy], [], [], 0)[0], "nobody dials the path")
    call.bye()


def refused():
    """Passive, where nobody listens; and a stranger connects and says nothing."""
    call = Call()
    _kept, at = keep_port()
    stranger = Conn(call, THEM, source="127.0.0.2")
    call.answer("msrp://%s/them;tcp" % at, "passive")
    call.bye()
    check(stranger.read() == 0, "the stranger gets nothing")


def relay(setup):
    """A relay before the recipient. It connects to us (active), or we to it (passive); hop by hop its
    answers come from the relay, and the recipient stands last in From-Path."""
    call = Call()
    server, at = listen()
    path = "msrp://%s;tcp msrp://10.0.0.7:7777/them;tcp" % at
    if setup == "active":
        conn = Conn(call, path)
        check(conn.hello() == 200, "the SEND that the relay passes on is answered")
        call.answer(path, setup, port=9)
    else:
        call.answer(path, setup, port=int(at.split(":")[1]))
        conn = Conn(call, path, taken=server.accept()[0])
    conn.whole(path)
    call.bye()


def talks():
    """Keep-alives, a REPORT of nobody's, an unknown method and a notice of its own between our
    chunks, all answered as they have to be."""
    call = Call()
    call.answer(THEM)
    conn = Conn(call, THEM)
    conn.to = THEM
    check(conn.hello() == 200, "the first SEND is answered")
    for _ in range(5):
        conn.take(conn.next())
        check(conn.hello(headers="Message-ID: k1234\r\nByte-Range: 1-0/0\r\n") == 200, "an empty SEND")
        check(conn.hello(method="NICKNAME", headers="Use-Nickname: x\r\n") == 501, "a method unknown")
        conn.request(method="REPORT", headers="Message-ID: nobody\r\nByte-Range: 1-1/1\r\n"
                     "Status: 000 200 OK\r\n")
        check(conn.hello(headers="Message-ID: n1234\r\nByte-Range: 1-5/5\r\n", body="hello") == 200,
              "a message of its own, and the REPORT before it has no answer")

    def part(n, first, body):
        return conn.hello(headers="Message-ID: half%d\r\nByte-Range: %d-%d/10\r\n" % (n, first, first + 4),
                          body=body, flag="$" if first == 6 else "+")

    check([part(n, 6, "world") for n in range(9)] == [200] * 8 + [413], "eight messages at once, not nine")
    check(part(0, 1, "hello") == 200 and part(8, 6, "world") == 200, "one is whole, and has made room")
    check(not conn.done, "that was during the transfer")
    conn.whole(THEM)
    call.bye()


def unwilling(*setups):
    """480 to one INVITE after the other, whose offers are to have these a=setup; it takes the last."""
    call = Call()
    for i, setup in enumerate(setups):
        check(b"a=setup:%s\r\n" % setup.encode() in call.invite, "offer %d is %s" % (i, setup))
        if i < len(setups) - 1:
            call.reply(call.invite, "480 Temporarily Unavailable")
            call.wait("ACK")
            call.invite, call.caller = call.wait("INVITE")
            call.see_offer()
    call.answer(THEM)
    conn = Conn(call, THEM)
    check(conn.hello() == 200, "the first SEND is answered")
    conn.whole(THEM)
    call.bye()


SCENARIOS = {f.__name__: f for f in (plain, early, fork, again, anchored, strangers, slow, halves, flood, never,
                                     mute, dialled, nowhere, moved, refused, relay, talks, unwilling)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](*sys.argv[2:])
