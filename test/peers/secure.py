#!/usr/bin/env python3
"""A recipient as recipient.py, whose MSRP goes over TLS.

usage: secure.py SCENARIO FOLDER-OF-CERTIFICATES [ARGUMENT...]"""
import hashlib
import re
import socket
import ssl
import sys

from recipient import GUARD, HERE, Call, Conn, check, listen

CERTS = sys.argv[2]
THEM = "msrps://127.0.0.1:9/them;tcp"


def fingerprint(der, name="sha-256"):
    digest = hashlib.new(name.replace("-", ""), der).hexdigest().upper()
    return name + " " + ":".join(re.findall("..", digest))


def own(cert, name="sha-256"):
    with open("%s/%s.pem" % (CERTS, cert), encoding="ascii") as f:
        return fingerprint(ssl.PEM_cert_to_DER_cert(f.read()), name)


class Secure(Call):
    """The offer has to be one of TLS."""

    def __init__(self):
        super().__init__()
        check(self.path.startswith("msrps://"), "the path is msrps: " + self.path)
        check(b"m=message %d TCP/TLS/MSRP *\r\n" % self.port in self.invite, "TCP/TLS/MSRP")
        self.fingerprint = re.search(rb"a=fingerprint:([^\r\n]+)", self.invite).group(1).decode()

    def answer(self, path, setup="active", print_=None, port=9):
        body = ("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n"
                "m=message %d TCP/TLS/MSRP *\r\na=accept-types:message/cpim\r\na=path:%s\r\n"
                "a=recvonly\r\na=setup:%s\r\n" % (HERE, HERE, port, path, setup))
        body += "a=fingerprint:%s\r\n" % print_ if print_ else ""
        self.reply(self.invite, "200 OK", "Content-Type: application/sdp\r\n", body)
        self.wait("ACK")


def context(server, cert, version=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if cert != "-":
        c.load_cert_chain("%s/%s.pem" % (CERTS, cert), "%s/%s.key" % (CERTS, cert))
    if version:
        c.minimum_version = c.maximum_version = getattr(ssl.TLSVersion, version)
    return c


def connect(call, cert, version=None):
    sock = socket.create_connection((call.host, call.port), GUARD)
    sock = context(False, cert, version).wrap_socket(sock)
    sock.settimeout(GUARD)
    check(fingerprint(sock.getpeercert(True)) == call.fingerprint, "the certificate is the offer's")
    return Conn(call, THEM, taken=sock)


def end(conn):
    """It ends without another octet; a reset is an end too."""
    try:
        conn.ended()
    except OSError:
        pass


class Undone:
    """Behind a kernel that leaves the octets as they are (preload/ktls.c): hands are shaken and what we
    say is encrypted, what comes is not."""

    def __init__(self, sock, tls):
        self.sock, self.out, incoming = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls.wrap_bio(incoming, self.out)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                incoming.write(sock.recv(65536))
        self.flush()
        self.left = incoming.read()

    def flush(self):
        self.sock.sendall(self.out.read())

    def sendall(self, data):
        self.tls.write(data)
        self.flush()

    def recv(self, n):
        data, self.left = self.left, b""
        return data or self.sock.recv(n)

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)


# --- Scenarios.

def active(version, hash_):
    """Connects, after the answer."""
    call = Secure()
    call.answer(THEM, print_=own("self", hash_).swapcase())
    conn = connect(call, "self", version)
    check(conn.hello() == 200, "the first SEND is answered")
    conn.whole(THEM)
    call.bye()


def early(cert):
    """Connects and presents the session before the answer, which then names the certificate of self,
    whatever was shown."""
    call = Secure()
    call.ring()
    conn = connect(call, cert)
    check(conn.hello() == 200, "the first SEND is answered before the 200")
    check(conn.quiet(0.2), "nothing leaves before the answer")
    call.answer(THEM, print_=own("self"))
    if cert == "self":
        conn.whole(THEM)
    else:
        end(conn)
    call.bye()


def other(cert):
    """Connects with another certificate than the answer says, or none: nothing comes."""
    call = Secure()
    call.answer(THEM, print_=own("self"))
    conn = connect(call, cert)
    conn.request()
    got = conn.next()
    check(not got or "200 OK" in got[0], "no content: %s" % (got,))
    if got:
        end(conn)
    call.bye()


def passive(cert, version="TLSv1_3", host=HERE):
    """Listens, and hears itself named where its host is a name (RFC 4975 14.2)."""
    call = Secure()
    server, at = listen()
    port, heard = int(at.split(":")[1]), []
    path = "msrps://%s:%d/them;tcp" % (host, port)
    call.answer(path, "passive", print_=own(cert), port=port)
    tls = context(True, cert, version)
    tls.sni_callback = lambda sock, name, context: heard.append(name)
    conn = Conn(call, path, taken=tls.wrap_socket(server.accept()[0], server_side=True))
    check(heard == [None if host == HERE else host], "the name that we hear: %s" % heard)
    conn.whole(path)
    call.bye()


def strangers():
    """Whoever does not name the session does no harm, whatever it says of TLS."""
    call = Secure()
    crowd = [socket.create_connection((call.host, call.port), GUARD) for _ in range(3)]
    crowd[0].sendall(b"MSRP abcd SEND\r\nTo-Path: %s\r\n" % call.path.encode())
    crowd[1].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    call.answer(THEM, print_=own("self"))
    wrong = connect(call, "elsewhere")
    check(wrong.hello(to="msrps://127.0.0.1:1/nonsense;tcp") == 481, "a wrong session id gets 481")
    end(wrong)
    conn = connect(call, "self")
    check(conn.hello() == 200, "the recipient is bound")
    conn.whole(THEM)
    call.bye()


def refuses():
    """Wants a certificate of a CA that it knows."""
    call = Secure()
    call.answer(THEM, print_=own("self"))
    picky = context(False, "self")
    picky.verify_mode = ssl.CERT_REQUIRED
    picky.load_verify_locations("%s/ca.pem" % CERTS)
    try:
        picky.wrap_socket(socket.create_connection((call.host, call.port), GUARD))
        check(False, "the certificate does not pass")
    except ssl.SSLCertVerificationError:
        pass
    call.bye()


def breaks(octets):
    """Goes away without a word in the middle."""
    call = Secure()
    call.answer(THEM, print_=own("self"))
    conn = connect(call, "self")
    conn.to = THEM
    check(conn.hello() == 200, "the first SEND is answered")
    while len(conn.body) < int(octets):
        conn.take(conn.next())
    conn.sock.close()
    call.bye()


def notifies():
    """A notification comes in one piece with the last answer, though not in one record."""
    call = Secure()
    call.answer(THEM, print_=own("self"))
    conn = connect(call, "self")
    conn.to = THEM
    check(conn.hello() == 200, "the first SEND is answered")
    while not conn.done:
        got = conn.next()
        if conn.flag == "$":
            conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        conn.take(got)
    body = "<imdn><message-id>theirs</message-id><status><delivered/></status></imdn>"
    name = conn.request(headers="Message-ID: n1234\r\nByte-Range: 1-%d/%d\r\n" % (len(body), len(body)),
                        body=body, kind="message/imdn+xml")
    conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    check(conn.code(name) == 200, "the notification is answered")
    call.bye()


def plain():
    """Knows nothing of TLS, though the answer says so."""
    call = Secure()
    call.answer(THEM, print_=own("self"))
    conn = Conn(call, THEM)
    conn.request()
    end(conn)
    call.bye()


def no_tls():
    """The same, where we connect."""
    call = Secure()
    server, at = listen()
    call.answer("msrps://%s/them;tcp" % at, "passive", print_=own("self"), port=int(at.split(":")[1]))
    for _ in range(4):
        sock = server.accept()[0]
        sock.sendall(b"MSRP nonsense 400 No\r\n")
    call.bye()


def kernel():
    """Where the kernel encrypts."""
    call = Secure()
    call.answer(THEM, print_=own("self"))
    sock = socket.create_connection((call.host, call.port), GUARD)
    conn = Conn(call, THEM, taken=Undone(sock, context(False, "self")))
    check(conn.hello() == 200, "the first SEND is answered")
    conn.whole(THEM)
    with open("got", "wb") as f:
        f.write(conn.body)
    call.bye()


SCENARIOS = {f.__name__: f for f in (active, early, other, passive, strangers, refuses, breaks, notifies, plain,
                                     no_tls, kernel)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]](*sys.argv[3:])
