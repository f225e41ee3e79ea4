#!/usr/bin/env python3
"""A recipient that makes use of the dialog: it moves, hangs up, lets its session be refreshed or not.
Output and exit status as recipient.py.

usage: dialog.py udp|tcp SCENARIO [ARGUMENT...]"""
import re
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
from recipient import GUARD, HERE, THEM, Conn, check  # noqa: E402
from rough import Rough, Stream, code_of  # noqa: E402

SDP = ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
       "m=message 9 TCP/MSRP *\r\na=accept-types:message/cpim\r\na=path:%s\r\na=recvonly\r\n"
       "a=setup:active\r\n" % THEM)


def say(call, text):
    """Sends a request of ours as the call goes, and gives its final response."""
    number = re.search(r"CSeq: .*", text).group(0).strip().encode()
    if call.over == "tcp":
        call.stream.send(text)
    else:
        call.sip.sendto(text.encode(), call.there)
    while True:
        got = call.stream.next() if call.over == "tcp" else call.sip.recv(65536)
        if code_of(got) >= 200 and number in got:
            return got


def moves(call, over):
    """A re-INVITE tells of another port; what follows comes there."""
    call.answer(THEM)
    kind = socket.SOCK_STREAM if over == "tcp" else socket.SOCK_DGRAM
    home = socket.socket(socket.AF_INET, kind)
    home.bind((HERE, 0))
    home.settimeout(GUARD)
    if over == "tcp":
        home.listen()
    extra = "Contact: <sip:home@%s:%d;transport=%s>\r\nContent-Type: application/sdp\r\n" % (
        *home.getsockname(), over)
    got = say(call, call.request("INVITE", extra=extra, body=SDP))
    check(code_of(got) == 200, "the re-INVITE is taken")
    call.sip.sendto(call.request("ACK", cseq=101).encode(), call.there)
    call.take_message()
    if over == "tcp":
        there = Stream(home.accept()[0])
        bye = there.next()
        call.over, call.stream = "tcp", there
    else:
        bye, call.caller = home.recvfrom(65536)
        call.sip = home
    check(bye.startswith(b"BYE sip:home@"), "BYE comes to the new place: %s" % bye)
    call.reply(bye, "200 OK")


def early(call):
    """What may be asked while it rings; the numbers go on behind the answer."""
    call.ring()
    for method, body, code in (("OPTIONS", "", 200), ("INFO", "", 200), ("UPDATE", "", 200),
                               ("UPDATE", SDP, 491), ("INVITE", SDP, 491), ("BYE", "", 481),
                               ("PRACK", "", 481), ("FOO", "", 501)):
        extra = "Contact: <sip:bob@%s>\r\n" % call.at
        extra += "Content-Type: application/sdp\r\n" if body else ""
        got = say(call, call.request(method, extra=extra, body=body))
        check(code_of(got) == code, "%s while it rings: %d, not %s" % (method, code, got))
        if method == "INVITE":
            call.sip.sendto(call.request("ACK", again=True).encode(), call.there)
    call.answer(THEM)
    got = say(call, call.request("INFO", cseq=103))
    check(code_of(got) == 500, "a number from before the answer")
    call.take_message()
    call.bye()


def overtakes(call, last):
    """BYE goes before the answer to the last chunk, or instead of it."""
    call.answer(THEM)
    conn = Conn(call, THEM)
    check(conn.hello() == 200, "the first SEND is answered")
    conn.to = THEM
    got = conn.next()
    while conn.flag != "$":
        conn.take(got)
        got = conn.next()
    check(code_of(say(call, call.request("BYE"))) == 200, "our BYE is answered")
    if last == "answered":
        conn.take(got)
    conn.ended()


def tagless(call):
    """The 200 has no To tag, nor have our requests a From tag."""
    call.tag = ""
    call.answer(THEM)
    call.take_message()
    bye, call.caller = call.wait("BYE")
    to = [line for line in bye.split(b"\r\n") if line.startswith(b"To:")][0]
    check(b"tag=" not in to, "the BYE has no To tag: %s" % to)
    call.reply(bye, "200 OK")


def unroutable(call):
    """The Record-Route is no route."""
    call.reply(call.invite, "200 OK", "Record-Route: <tel:+1>, <nowhere>\r\n"
               "Content-Type: application/sdp\r\n", SDP)
    call.wait("ACK")
    call.bye()


def odd(call):
    """A description as a real client writes it: bare line feeds, a blank line, blanks before."""
    body = SDP.replace("\r\n", "\n").replace("a=setup", "\n        a=setup")
    call.reply(call.invite, "200 OK", "Content-Type: application/sdp\r\n",
               body + "a=connection:new\n\n")
    call.wait("ACK")
    call.take_message()
    call.bye()


class Refreshed(threading.Thread):
    """Answers refreshes, counts them, and takes the BYE."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self.call, self.updates, self.bye = call, 0, False

    def run(self):
        while not self.bye:
            text, self.call.caller = self.call.sip.recvfrom(65536)
            if text.startswith(b"UPDATE"):
                self.updates += 1
                self.call.reply(text, "200 OK", "Session-Expires: 300;refresher=uac\r\n")
            elif text.startswith(b"BYE"):
                self.bye = True
                self.call.reply(text, "200 OK")


def long(call, refresher):
    """A slow transfer, of 6 s, with an interval of 300 s, of which a hundred pass in one of ours.
    With uas it is we who should refresh, and do not."""
    call.reply(call.invite, "200 OK", "Allow: INVITE, ACK, BYE, UPDATE\r\nRequire: timer\r\n"
               "Session-Expires: 300;refresher=%s\r\nContent-Type: application/sdp\r\n" % refresher,
               SDP)
    call.wait("ACK")
    thread = Refreshed(call)
    thread.start()
    conn = Conn(call, THEM)
    check(conn.hello() == 200, "the first SEND is answered")
    conn.to = THEM
    while not conn.done:
        got = conn.next()
        if not got:
            break
        time.sleep(0.3)
        try:
            conn.take(got)
        except (BrokenPipeError, ConnectionResetError):
            break
    thread.join(GUARD)
    check(thread.bye, "the session is ended")
    if refresher == "uac":
        check(conn.done and thread.updates >= 2, "%d refreshes" % thread.updates)
    else:
        check(not conn.done, "the transfer is cut")


SCENARIOS = {f.__name__: f for f in (moves, early, overtakes, tagless, unroutable, odd, long)}

if __name__ == "__main__":
    SCENARIOS[sys.argv[2]](Rough(sys.argv[1]), *sys.argv[3:])
