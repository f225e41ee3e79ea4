#!/usr/bin/env python3
"""A sender that makes mistakes: one session to cpm-sink over UDP, as the passive end of MSRP.

usage: caller.py HOST:PORT [MISTAKE...]
Prints what came back, one line each. Without a mistake the session is sound."""
import os
import socket
import sys

GUARD = 20
PEER = sys.argv[1].split(";")[0].rsplit(":", 1)
PEER = (PEER[0], int(PEER[1]))
MISTAKES = set(sys.argv[2:])
TAG = "tag%d" % os.getpid()
CALL_ID = "call-%s@test" % TAG
SESSION = "s" * 20
FROM = "" if "no-from" in MISTAKES else "From: <sip:alice@example.com>\r\n"
CPIM = (FROM + "To: <sip:bob@example.com>\r\n"
        "DateTime: 2026-11-23T10:00:00Z\r\n"
        "\r\nContent-Type: text/plain\r\n\r\n" + "0123456789" * 600).encode()

sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sip.settimeout(GUARD)
sip.bind(("127.0.0.1", 0))
listener = socket.create_server(("127.0.0.1", 0))
listener.settimeout(GUARD)
HERE = "127.0.0.1:%d" % sip.getsockname()[1]
PORT = listener.getsockname()[1]
PATH = "msrp://127.0.0.1:%d/%s;tcp" % (PORT, SESSION)


def wrong(mistake):
    return mistake in MISTAKES


def offer(version=1):
    size = len(CPIM) + (1 if wrong("size") else 0)
    lines = ["v=0", "o=- 1 %d IN IP4 127.0.0.1" % version, "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
             "m=message %d TCP/MSRP *" % (PORT + (1 if wrong("port") else 0)),
             "a=accept-types:message/cpim", "a=setup:passive", "a=path:" + PATH,
             "a=sendrecv" if wrong("direction") else "a=sendonly"]
    if not wrong("no-size"):
        lines.append("a=file-selector:size:%d" % size)
    end = "\n" if wrong("lf") else "\r\n"
    return end.join(lines) + end


def headers():
    yield ('Accept-Contact: *;+g.3gpp.icsi-ref='
           '"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.deferred"')
    yield "P-Asserted-Identity: <sip:alice@example.com>"
    yield "Referred-By: <sip:alice@example.com>"
    yield "User-Agent: CPM-serv/OMA1.0 caller"
    yield "Session-Expires: 1800;refresher=uac"
    yield "Conversation-ID: 0-0"
    yield "Contribution-ID: 0-1"
    yield "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.deferred"
    yield "Allow: INVITE, ACK, CANCEL, BYE"


def request(method, uri, cseq, to, extra=(), body="", branch=None):
    lines = ["%s %s SIP/2.0" % (method, uri),
             "Via: SIP/2.0/UDP %s;branch=z9hG4bK%s" % (HERE, branch or method + str(cseq) + TAG),
             "From: <sip:alice@example.com>;tag=" + TAG, "To: " + to, "Call-ID: " + CALL_ID,
             "CSeq: %d %s" % (cseq, method), "Max-Forwards: 70",
             "Contact: <sip:alice@%s>" % HERE, "Supported: timer"]
    lines += [h for h in extra if not wrong("no-" + h.split(":")[0].lower())]
    if body:
        lines.append("Content-Type: application/sdp")
    lines += ["Content-Length: %d" % len(body), "", body]
    sip.sendto("\r\n".join(lines).encode(), PEER)


def answer_to(method):
    """The final response to a request of ours; requests of the peer get a 200."""
    while True:
        text = sip.recv(65536).decode()
        first = text.split("\r\n")[0]
        if not first.startswith("SIP/2.0"):
            grant(text)
            continue
        if "CSeq: " in text and text.split("CSeq: ")[1].split("\r\n")[0].endswith(method):
            print(method, first.split(" ")[1], flush=True)
            if first.split(" ")[1] >= "200":
                return text


def grant(text):
    print("peer", text.split(" ")[0], flush=True)
    keep = [h for h in text.split("\r\n\r\n")[0].split("\r\n")[1:]
            if h.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    sip.sendto("\r\n".join(["SIP/2.0 200 OK"] + keep + ["Content-Length: 0", "", ""]).encode(), PEER)


def header(text, name):
    for line in text.split("\r\n"):
        if line.lower().startswith(name.lower() + ":"):
            return line.split(":", 1)[1].strip()
    return None


def a_path(text):
    return [line[7:] for line in text.splitlines() if line.startswith("a=path:")][0]


def frame(conn):
    """One bodiless request or response of the peer."""
    text = b""
    while not (text.endswith(b"$\r\n") and b"\r\n-------" in text):
        more = conn.recv(1)
        if not more:
            raise SystemExit("closed")
        text += more
    return text.decode()


def respond(conn, text):
    ident = text.split(" ")[1]
    paths = header(text, "From-Path"), header(text, "To-Path")
    conn.sendall(("MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n"
                  % (ident, *paths, ident)).encode())


def chunk(to, start, end, number):
    ident = "t" * 40 if wrong("long-tid") else "tid%d" % number
    last = end == len(CPIM)
    message_id = "m" * 36 if wrong("long-id") else "message1"
    if wrong("other-id") and number > 1:
        message_id = "message2"
    total = "*" if wrong("no-total") else len(CPIM)
    lines = ["MSRP %s SEND" % ident, "To-Path: " + to, "From-Path: " + PATH,
             "Message-ID: " + message_id]
    if not wrong("no-range"):
        lines.append("Byte-Range: %d-%s/%s" % (start, end if wrong("fixed") else "*", total))
    lines.append("Content-Type: " + ("text/plain" if wrong("type") else "message/cpim"))
    if wrong("last-header"):
        lines.append("X-Late: yes")
    flag = "$" if last != wrong("flag") and not wrong("plus") else "+"
    head = "\r\n".join(lines) + "\r\n\r\n"
    tail = "\r\n-------%s%s\r\n" % (ident, flag)
    return head.encode() + CPIM[start - 1:end] + tail.encode()


def send_message(conn, to):
    first = frame(conn)
    if not wrong("hurry"):
        respond(conn, first)
    if wrong("path"):
        to = to.replace(";tcp", "x;tcp")
    ranges = [(1, 3000), (3001, len(CPIM))]
    if wrong("order"):
        ranges.reverse()
    if wrong("gap"):
        ranges[1] = (3002, len(CPIM))
    if wrong("twice"):
        ranges.append(ranges[1])
    for number, (start, end) in enumerate(ranges, 1):
        conn.sendall(chunk(to, start, end, number))
        print("SEND", frame(conn).split(" ")[2].split("\r")[0], flush=True)
        if wrong("hurry") and number == 1:
            respond(conn, first)


def refresh(target, to, cseq):
    method = "UPDATE" if wrong("update") else "INVITE"
    body = "" if wrong("update") else offer(2 if wrong("other-offer") else 1)
    request(method, target, cseq, to, ["Session-Expires: 1800;refresher=uac"], body)
    answer_to(method)
    if method == "INVITE":
        request("ACK", target, cseq, to)


def main():
    uri = "sip:bob@%s:%d" % PEER
    request("INVITE", uri, 1, "<sip:bob@example.com>", headers(), offer())
    if wrong("cancel"):
        answer = sip.recv(65536)
        request("CANCEL", uri, 1, "<sip:bob@example.com>", branch="INVITE1" + TAG)
        answer_to("CANCEL")
        answer = answer_to("INVITE")
        request("ACK", uri, 1, header(answer, "To"), branch="INVITE1" + TAG)
        return
    answer = answer_to("INVITE")
    to = header(answer, "To")
    if " 200 " not in answer.split("\r\n")[0] + " ":
        request("ACK", uri, 1, to, branch="INVITE1" + TAG)
        return
    target = header(answer, "Contact").split("<")[1].split(">")[0]
    request("ACK", target, 1, to)
    conn, _ = listener.accept()
    conn.settimeout(GUARD)
    send_message(conn, a_path(answer))
    cseq = 2
    if wrong("update") or wrong("reinvite") or wrong("other-offer"):
        refresh(target, to, cseq)
        cseq += 1
    for method in ("OPTIONS", "INFO"):
        if wrong(method.lower()):
            request(method, target, cseq, to)
            answer_to(method)
            cseq += 1
    request("BYE", target, 1 if wrong("old-cseq") else cseq, to)
    answer_to("BYE")


main()
