#!/usr/bin/python3
"""Fills a queue with entries in all states, by writing their journals.

usage: fill.py busy|hostile QUEUE
       fill.py texts

QUEUE was made by cpm-queue. Prints "ready", then holds the claims of the sessions that are under
way until its standard input ends. With "texts": prints what peers have said in a hostile queue, as
JSON.
"""
import fcntl
import hashlib
import json
import os
import re
import struct
import sys
import time

NOW = time.time()
HELD = []  # descriptors that hold a claim


def stamp(t):
    ms = int(t * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + ".%03dZ" % (ms % 1000)


def value(v):
    raw = v.encode("utf-8", "surrogateescape") if isinstance(v, str) else str(v).encode()
    plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:/@+;,%*-"
    if raw and all(c in plain for c in raw):
        return raw
    out = b""
    for c in raw:
        if c in b'"\\':
            out += b"\\" + bytes([c])
        elif c < 32 or c == 127:
            out += b"\\x%02x" % c
        else:
            out += bytes([c])
    return b'"' + out + b'"'


class Entry:
    def __init__(self, queue, to, name, age, expires=72 * 3600):
        self.queue = queue
        self.id = hashlib.sha256(to.encode("utf-8", "surrogateescape")).hexdigest()[:8] + "-"
        self.id += hashlib.sha256(name.encode()).hexdigest()[:16]
        self.lines = []
        self.attempts = 0
        self.sid = None
        self.at = NOW - age
        self.add("cpm-queue", "entry", to=to, **{"from": "sip:alice@example.com"},
                 birth=stamp(self.at), expires=stamp(self.at + expires), message="m-" + name)

    def add(self, program, event, **values):
        head = f"{stamp(self.at)} {program}[4711] {event}".encode()
        if self.sid:
            head += b" sid=" + self.sid.encode()
        for key, v in values.items():
            head += b" " + key.replace("_", "-").encode() + b"=" + value(v)
        self.lines.append(head)

    def attempt(self, age, size=20 << 20):
        self.at = NOW - age
        self.attempts += 1
        self.sid = hashlib.sha256(f"{self.id}{self.attempts}".encode()).hexdigest()[:12]
        self.add("cpm-queue", "attempt.start", n=self.attempts)
        self.at += 0.012
        self.add("cpm-msrp-serve", "msrp.listening", path="msrp://192.0.2.1:40123/s3cr3t;tcp",
                 proto="TCP/MSRP", setup="passive", size=size, octets=size)
        self.at += 0.02
        self.add("cpm-invite", "invite.sent", call_id="8d4f02@192.0.2.1", from_tag="t4g",
                 to="sip:bob@example.com", uri="sip:bob@example.com", branch="z9hG4bKs3cr3t", cseq=1,
                 transport="udp", next_hop="192.0.2.9:5060")
        self.at += 0.1
        self.add("cpm-invite", "invite.progress", code=180, reason="Ringing")

    def refused(self, code, reason, status=75):
        self.at += 1.2
        self.add("cpm-invite", "invite.failed", status=status, code=code, reason=reason)
        self.add("cpm-bye", "outcome", status=status)

    def answered(self):
        self.at += 0.6
        self.add("cpm-invite", "dialog.confirmed", call_id="8d4f02@192.0.2.1", local_tag="t4g",
                 remote_tag="p33r", target="sip:bob@198.51.100.7:5060", session_expires=1800)
        self.add("cpm-invite", "invite.answered", code=200, peer_setup="active",
                 peer_path="msrp://198.51.100.7:2855/s3cr3t;tcp")
        self.at += 0.05
        self.add("cpm-msrp-serve", "msrp.connected", peer="198.51.100.7:40022", role="passive")

    def progress(self, octets, total, rate):
        self.add("cpm-msrp-serve", "msrp.progress", octets=octets, total=total, rate=rate)

    def delivered(self, octets, seconds):
        self.at += seconds
        self.add("cpm-msrp-serve", "msrp.transferred", octets=octets, chunks=octets // 65536 + 1,
                 ms=int(seconds * 1000))
        self.add("cpm-bye", "bye.request")
        self.add("cpm-invite", "bye.sent", method="BYE", cseq=2)
        self.at += 0.03
        self.add("cpm-invite", "bye.answered", method="BYE", code=200, reason="OK")
        self.add("cpm-bye", "outcome", status=0)

    def store(self, state, due=None, claimed=False):
        if state == "wait":
            name = "%010d-%s" % (int(NOW + due), self.id)
        else:
            name = self.id
        folder = os.path.join(self.queue, state)
        if state == "done":
            folder = os.path.join(folder, stamp(self.at)[:10])
        os.makedirs(folder, 0o700, exist_ok=True)
        fd = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(fd, b"\n".join(self.lines) + b"\n")
        if claimed:  # byte 1, shared, as who works on it holds it
            fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 1, 1, 0))
            HELD.append(fd)
        else:
            os.close(fd)


def busy(queue):
    stuck = Entry(queue, "sip:bob@example.com", "stuck", 3 * 3600 + 720)
    stuck.attempt(3 * 3600)
    stuck.refused(480, "Temporarily Unavailable")
    stuck.attempt(2 * 3600)
    stuck.refused(480, "Temporarily Unavailable")
    stuck.store("wait", due=-1900)
    for i in range(24):
        e = Entry(queue, "tel:+15550100" if i % 3 else "sip:carol@example.net", f"wait{i}", 600 + 97 * i)
        e.attempt(300 + i)
        if i % 4 == 0:
            e.refused(503, "Service Unavailable")
        else:
            e.refused(480, "Temporarily Unavailable")
        e.store("wait", due=60 * (i + 1))
    for i in range(3):
        Entry(queue, "sip:dave@example.org", f"new{i}", 40 + i).store("wait", due=30)
    for i, share in enumerate((0.04, 0.42, 0.87)):
        e = Entry(queue, f"sip:user{i}@example.com", f"now{i}", 30)
        e.attempt(25 - i, 50 << 20)
        e.answered()
        e.at = NOW - 0.5
        e.progress(int((50 << 20) * share), 50 << 20, 2400000 * (i + 1))
        e.store("wait", due=-5, claimed=True)
    e = Entry(queue, "sip:erin@example.com", "inviting", 12)
    e.attempt(3)
    e.store("wait", due=-3, claimed=True)
    e = Entry(queue, "sip:frank@example.com", "dead", 4000)
    e.attempt(200)
    e.answered()
    e.store("wait", due=-200)
    e = Entry(queue, "sip:grace@example.com", "held", 90000)
    e.attempt(80000)
    e.refused(0, "", 74)
    e.store("held")
    for i in range(5):
        e = Entry(queue, "sip:heidi@example.com", f"failed{i}", 9000 + i)
        e.attempt(1200 * (i + 1))
        e.refused(404, "Not Found", 69)
        e.add("cpm-queue", "queue.failed", why="refused")
        e.store("failed")
    for i in range(40):
        e = Entry(queue, f"sip:user{i % 7}@example.com", f"done{i}", 7200 + i)
        e.attempt(90 + 200 * i, 5 << 20)
        e.answered()
        e.delivered(5 << 20, 4 + i % 5)
        e.store("done")


NASTY = [
    "<script>fetch('//evil.example/x')</script>",
    "\"><img src=x onerror=alert(1)>",
    "</bdi></td></table></main><h1>another</h1>",
    "' onmouseover='alert(1)' x='",
    "a NUL \0 between",
    "\x1b[31mred\x07\r\n\tcontrols\x7f",
    "\u202egpj.exe turned \u2066isolated",
    "﷽" * 60,
    "Z̷̢̛͎͖̝̽͐a̶l̵g̶o̵" * 20,
    "invalid \udcff\udcc0\udcaf UTF-8",
    "&lt;already &amp; escaped&gt; %3Cscript%3E {{x}} ${x}",
    "]]>--><!--<svg onload=alert(1)>",
    "long" * 250,
    "javascript:alert(1)",
    "😀 中文 العربية עברית",
]


def hostile(queue):
    for i, text in enumerate(NASTY):
        e = Entry(queue, f"sip:{text}@example.com", f"nasty{i}", 5000 + i)
        e.attempt(100 + i)
        e.add("cpm-invite", "dialog.confirmed", call_id=text, local_tag=text, target=f"sip:{text}")
        e.refused(480 + i, text)
        if i % 3 == 0:
            e.store("wait", due=100)
        elif i % 3 == 1:
            e.add("cpm-queue", "queue.failed", why="refused")
            e.store("failed")
        else:
            e.store("held")
    for i, text in enumerate(NASTY[:4]):
        e = Entry(queue, text, f"now{i}", 50)
        e.attempt(20)
        e.answered()
        e.progress(2**62, 2**63 - 1, 2**60)
        e.store("wait", due=-5, claimed=True)
    path = os.path.join(queue, "held", "00000000-0000000000000000")
    with open(path, "wb", opener=lambda p, f: os.open(p, f, 0o600)) as f:
        f.write(b"not a journal <b>\n" * 10)


def texts():
    """As JSON has to give them back: NULs and octets that are no UTF-8 are replaced, one by one."""
    return [re.sub("[\0\udc80-\udcff]", "\ufffd", text) for text in NASTY]


if __name__ == "__main__":
    if sys.argv[1] == "texts":
        print(json.dumps(texts()))
        sys.exit()
    {"busy": busy, "hostile": hostile}[sys.argv[1]](sys.argv[2])
    print("ready", flush=True)
    sys.stdin.read()
