#!/usr/bin/env python3
"""A recipient that is hard on the listening side of SIP: it calls where the Contact of the INVITE
points, sends what no peer should send, and then takes the message as if nothing had been. Output and
exit status as recipient.py. CERT is its certificate for TLS, without .pem and .key.

usage: rough.py udp|tcp|tls SCENARIO [ARGUMENT...]"""
import os
import re
import socket
import sys

sys.dont_write_bytecode = True
from recipient import GUARD, HERE, THEM, Call, Conn, check  # noqa: E402

MANY = 200


def secure(sock, server):
    """The same over TLS, with our certificate on either side; who the other is we do not ask."""
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(os.environ["CERT"] + ".pem", os.environ["CERT"] + ".key")
    return context.wrap_socket(sock, server_side=server)


class Stream:
    """SIP on a TCP connection: whole messages, and the line ends between them."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""
        sock.settimeout(GUARD)

    def next(self):
        while True:
            if self.data.startswith(b"\r\n"):
                self.data = self.data[2:]
                return b"\r\n"
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if end:
                found = re.search(rb"(?im)^(?:content-length|l): *(\d+)", head)
                size = int(found.group(1)) if found else 0
                if len(rest) >= size:
                    whole = len(head) + 4 + size
                    text, self.data = self.data[:whole], self.data[whole:]
                    return text
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                return None
            self.data += got

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def closed(self, what):
        got = self.next()
        check(got is None, "%s: the connection is closed, not %s" % (what, got))


class Rough(Call):
    """One call over either transport; requests of our own beside it."""

    def __init__(self, over):
        self.over, self.n, self.later = over, 0, []
        if over == "udp":
            super().__init__()
        else:
            self.answer_a_stream()
        contact = re.search(rb"(?im)^Contact: *<(sip:[^>]*)>", self.invite).group(1).decode()
        self.target = contact
        host, port = re.search(r"@(?:([^:;]+)):(\d+)", contact).groups()
        self.there = (host, int(port))
        self.call_id = self.header("Call-ID")

    def answer_a_stream(self):
        self.server = socket.create_server((HERE, 0))
        self.server.settimeout(GUARD)
        self.at = "%s:%d" % self.server.getsockname()
        print("uri sip:bob@%s;transport=%s" % (self.at, self.over), flush=True)
        caller = self.server.accept()[0]
        self.stream = Stream(secure(caller, True) if self.over == "tls" else caller)
        self.caller = self.stream
        self.invite, _ = self.wait("INVITE")
        self.path = re.search(rb"a=path:([^\r\n]+)", self.invite).group(1).decode()
        self.host, port = re.search(r"//([^:/]+):(\d+)/", self.path).groups()
        self.port = int(port)

    def header(self, name):
        return re.search(r"(?im)^%s: *(.*?)\r$" % name, self.invite.decode()).group(1)

    def wait(self, method):
        if self.over == "udp":
            return super().wait(method)
        while True:
            text = self.stream.next()
            check(text is not None, "the caller's connection stays")
            if text.startswith(method.encode()):
                return text, self.stream

    def reply(self, request, code, extra="", body=""):
        if self.over == "udp":
            super().reply(request, code, extra, body)
            return
        self.sip, keep = self, None
        super().reply(request, code, extra, body)
        self.sip = keep

    def sendto(self, text, _):
        """What Call.reply sends on its datagram socket."""
        self.stream.send(text.replace(b"Contact: <sip:bob@%s>" % self.at.encode(),
                                      b"Contact: <sip:bob@%s;transport=%s>" % (
                                          self.at.encode(), self.over.encode())))

    def request(self, method, cseq=None, via=None, extra="", body="", inside=True, call_id=None,
                again=False):
        """A request in the dialog, or a stranger's; `again` on the branch and number of the last."""
        self.n += 0 if again else 1
        over = (via or self.over).upper()
        to = self.header("From") if inside else "<sip:alice@example.com>"
        return ("%s %s SIP/2.0\r\nVia: SIP/2.0/%s 192.0.2.9:5060;branch=z9hG4bKrough%d;rport\r\n"
                "Max-Forwards: 70\r\nFrom: %s;tag=them\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n"
                "%sContent-Length: %d\r\n\r\n%s" % (
                    method, self.target, over, self.n, self.header("To"), to,
                    call_id or (self.call_id if inside else "stranger%d" % self.n),
                    cseq or 100 + self.n, method, extra, len(body), body))

    def connect(self):
        sock = socket.create_connection(self.there, GUARD)
        return Stream(secure(sock, False) if self.over == "tls" else sock)

    def datagrams(self):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((HERE, 0))
        sock.settimeout(GUARD)
        return sock

    def take_message(self):
        conn = Conn(self, THEM)
        check(conn.hello() == 200, "the first SEND is answered")
        conn.whole(THEM)


def code_of(text):
    return int(text.split(b" ")[1]) if text and text.startswith(b"SIP/2.0 ") else 0


class Victim:
    """What the process of the session file takes of memory and descriptors."""

    def __init__(self, session):
        with open(session, encoding="utf-8") as f:
            self.pid = re.search(r" cpm-invite\[(\d+)\]", f.read()).group(1)
        self.before = self.peak()

    def peak(self):
        with open("/proc/%s/status" % self.pid, encoding="ascii") as f:
            return int(re.search(r"VmHWM:\s*(\d+)", f.read()).group(1))

    def sanitized(self):
        with open("/proc/%s/maps" % self.pid, encoding="utf-8") as f:
            return "libasan" in f.read()

    def small(self, octets):
        """It grew by no more than that; under a sanitizer memory says nothing."""
        grown = (self.peak() - self.before) * 1024
        check(grown <= octets or self.sanitized(), "memory grew by %d octets" % grown)
        fds = len(os.listdir("/proc/%s/fd" % self.pid))
        check(fds < 120, "%d descriptors are open" % fds)


# --- Requests of the peer, wherever they come from.

def elsewhere(call, *more):
    """Requests in the dialog, and its BYE, on a connection that the peer makes to the Contact."""
    call.answer(THEM)
    there = call.connect()
    over = "tls" if call.over == "tls" else "tcp"
    there.send(call.request("OPTIONS", via=over))
    check(code_of(there.next()) == 200, "OPTIONS on a new connection")
    big = call.request("INFO", via=over, extra="X-Large: %s\r\n" % ("x" * 3000))
    there.send(big)
    check(code_of(there.next()) == 200, "INFO that is too large for UDP")
    if "hangup" in more:
        there.send(call.request("BYE", via=over))
        check(code_of(there.next()) == 200, "BYE on a new connection")
        return
    call.take_message()
    call.bye()


def dropped(call):
    """The caller's connection ends while the session goes on: what it asks comes on a new one."""
    call.answer(THEM)
    call.stream.sock.close()
    call.take_message()
    call.stream = Stream(call.server.accept()[0])
    call.bye()


def keepalives(call):
    """Line ends where nothing is said; two are a ping."""
    call.answer(THEM)
    there = call.connect()
    there.send("\r\n\r\n")
    check(there.next() == b"\r\n", "a ping has its pong")
    text = call.request("OPTIONS", via="tcp")
    there.send("\r\n" + text + "\r\n\r\n\r\n" + call.request("INFO", via="tcp"))
    check(code_of(there.next()) == 200, "OPTIONS between line ends")
    got = there.next()
    check(got == b"\r\n", "the ping between them: %s" % got)
    check(code_of(there.next()) == 200, "INFO behind them")
    if call.over == "udp":
        sock = call.datagrams()
        for nothing in (b"\r\n\r\n", b"\0\0\0\0", b"\r\n", b""):
            sock.sendto(nothing, call.there)
        sock.sendto(call.request("OPTIONS").encode(), call.there)
        check(code_of(sock.recv(65536)) == 200, "only what says something is answered")
    call.take_message()
    call.bye()


# --- What no peer should send.

TORTURE = {
    # name: the code of the answer; 0: silence. All else is 400.
    "blanks": 486, "method": 501, "escaped": 486, "escaped-nul": 405, "escaped-method": 501,
    "no-blank-before-angle": 486, "long": 486, "octets-behind": 405, "semicolon-user": 486,
    "transports": 486, "multipart": 415, "reason-utf8": 0, "no-reason": 0,
    "no-reason-no-blank": 0, "no-length": 486, "bare-lf": 486, "bad-date": 486,
    "branch-empty": 486, "no-branch": 486, "no-tag": 486, "forwards-0": 486,
    "content-unknown": 486, "accept-unknown": 486, "scheme-of-authorization": 405,
    "contact-escaped": 405, "require": 420, "broadcast": 0, "numbers-response": 0,
    "version": 505, "code-too-large": 0, "code-700": 0, "insufficient": 0, "no-via": 0,
    "no-cseq": 0, "contact-bare-headers": 405, "uri-with-headers": 486,
    "schemes-in-headers": 405, "scheme-unknown": 416, "scheme-novel": 416, "many-single": 0,
}
# Of a stream: where does it end?
UNBOUNDED = ("no-length", "length-negative", "length-twenty-digits", "length-twice",
             "length-no-number", "too-many-headers", "version-http")
TORTURE_STREAM = {"no-length": 400, "version-http": 0}


def probe(call, send, receive, name):
    """Nothing came in answer to it: what comes next is the answer to this."""
    call_id = "probe-%s@rough" % name
    send(call.request("OPTIONS", inside=False, call_id=call_id).encode())
    got = receive()
    check(got is not None and call_id.encode() in got, "%s: silence, not %s" % (name, got))


def torture_datagrams(call, corpus):
    sock = call.datagrams()

    def send(text):
        sock.sendto(text, call.there)

    def receive():
        return sock.recv(65536)
    for name in sorted(os.listdir(corpus)):
        with open(os.path.join(corpus, name), "rb") as f:
            send(f.read())
        wanted = TORTURE.get(name, 400)
        if wanted:
            got = receive()
            named = name == "empty-call-id" or (name + "@torture").encode() in got
            check(code_of(got) == wanted and named, "%s: %d, not %s" % (name, wanted, got))
        probe(call, send, receive, name)


def torture_streams(call, corpus):
    """One connection for each; one that cannot be read on is closed."""
    for name in sorted(os.listdir(corpus)):
        if name == "length-too-large":
            continue
        there = call.connect()
        with open(os.path.join(corpus, name), "rb") as f:
            there.send(f.read())
        wanted = TORTURE_STREAM.get(name, TORTURE.get(name, 400))
        if wanted:
            got = there.next()
            check(code_of(got) == wanted, "%s: %d, not %s" % (name, wanted, got))
        if name == "octets-behind":
            check(code_of(there.next()) == 486, "what is behind the body is the next message")
        if name in UNBOUNDED:
            there.closed(name)
        else:
            probe(call, there.send, there.next, name)


def torture(call, corpus):
    call.answer(THEM)
    torture_datagrams(call, corpus) if call.over == "udp" else torture_streams(call, corpus)
    call.take_message()
    call.bye()


def nonsense(call, session):
    """Streams that are no SIP, or never end, and half a message; then silence from all of them."""
    call.answer(THEM)
    victim = Victim(session)
    held = []
    for text in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.0\r\n\r\n", b"\x00" * 70000,
                 b"a" * 70000, b"OPTIONS sip:a@b SIP/2.0\r\nX: " + b"y" * 70000,
                 b"OPTIONS sip:a@b SIP/2.0\r\n" + b"X: y\r\n" * 20000):
        there = call.connect()
        try:
            there.send(text)
        except (BrokenPipeError, ConnectionResetError):
            pass
        there.closed(repr(text[:20]))
    for _ in range(30):
        there = call.connect()
        there.send(b"OPTIONS sip:a@b SIP/2.0\r\nX: " + b"z" * 60000)
        held.append(there)
    liar = call.connect()
    liar.send(call.request("INFO", via="tcp").replace("Content-Length: 0", "Content-Length: 500"))
    half = call.connect()
    half.send("OPTIONS sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 1")
    good = call.connect()
    good.send(call.request("OPTIONS", via="tcp"))
    check(code_of(good.next()) == 200, "the peer is heard between all of them")
    call.take_message()
    victim.small(12 << 20)
    for there in held + [liar, half]:
        there.closed("a message that does not end")
    call.bye()


def crowd(call, session):
    """Many connections and many requests at once, of strangers; ours is heard all the same."""
    call.answer(THEM)
    victim = Victim(session)
    silent = [call.connect() for _ in range(MANY)]
    good = call.connect()
    good.send(call.request("OPTIONS", via="tcp"))
    check(code_of(good.next()) == 200, "the peer is heard among %d others" % MANY)
    victim.small(12 << 20)
    silent[0].closed("the first of too many")
    deaf = call.connect()
    try:
        for _ in range(2000):
            deaf.send(call.request("OPTIONS", via="tcp", inside=False))
            deaf.sock.settimeout(0.5)
    except (socket.timeout, BrokenPipeError, ConnectionResetError):
        pass
    if call.over == "udp":
        sock = call.datagrams()
        padding = "X: %s\r\n" % ("x" * 8000)
        for i in range(3000):
            method = ("OPTIONS", "INVITE", "MESSAGE", "FOO")[i % 4]
            sock.sendto(call.request(method, inside=False, extra=padding).encode(), call.there)
            sock.recv(65536)
    good.send(call.request("INFO", via="tcp"))
    check(code_of(good.next()) == 200, "the peer is heard after that")
    victim.small(12 << 20)
    call.take_message()
    call.bye()


def babbles(call, what):
    """Answers with what cannot be read, as often as it is asked."""
    answer = {"http": "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
              "code": re.sub("^.*", "SIP/2.0 2000 OK", call.invite.decode())}[what]
    call.sip = getattr(call, "sip", call)
    while True:
        call.sip.sendto(answer.encode(), call.caller)
        got = call.stream.next() if call.over == "tcp" else call.sip.recv(65536)
        if got is None:
            break


SCENARIOS = {f.__name__: f for f in (elsewhere, dropped, keepalives, torture, nonsense, crowd, babbles)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[2]](Rough(sys.argv[1]), *sys.argv[3:])
