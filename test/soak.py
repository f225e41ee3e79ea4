#!/usr/bin/env python3
"""A queue under all that can go wrong, for as long as it shall take. Runners, deliveries, stages, adders
and recipients are killed (SIGKILL) at random moments, the disk fills up again and again, entries are
held, released, retried, expired and repaired by others, and messages are added all the while. At the
end it counts: what was accepted against what became of it, by the queue and by what the recipients got.

usage: soak.py SECONDS [--bin DIR] [--seed N] [--size MIB]
The queue lies on a small file system of its own (tmpfs, in a mount namespace), the recipients' logs
beside it. Traffic is on loopback. Only what it started itself is killed, by pidfd. Exits 1 when
something was lost, or repeated though it was confirmed, or the sum is wrong."""
import argparse
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

MARK = "CPM_SOAK_MARK"  # in the environment of all that we start
STAGES = ("cpm-deliver", "cpm-invite", "cpm-msrp-serve", "cpm-bye")
ALICE = "sip:alice@example.com"
LIFETIME = 120  # seconds, of the messages that expire
# Short timers, so that a dead peer is noticed in seconds.
PACE = ("--t1 100 --t2 400 --answer-timeout 10 --accept-timeout 10 --stall-timeout 5 "
        "--timeout 40 --retry-first 1 --retry-most 8").split()
# What the moody recipient does to a call, now and then.
MOODS = ("invite=486", "invite=480", "invite=503", "silent=invite", "silent=bye", "ring-ms=2000", "close@300",
         "connect=never", "msrp=503", "msrp-silent@1", "bye@300", "lose-ack=2", "msrp-delay-ms=1500", "bye=481")


def options():
    p = argparse.ArgumentParser(usage=__doc__)
    p.add_argument("seconds", type=int)
    p.add_argument("--bin", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../build/bin"))
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--size", type=int, default=192)
    p.add_argument("--inside", help=argparse.SUPPRESS)
    return p.parse_args()


class Count:
    """Figures that many threads add to."""

    def __init__(self):
        self.lock = threading.Lock()
        self.of = collections.Counter()

    def add(self, what, n=1):
        with self.lock:
            self.of[what] += n


class Soak:
    def __init__(self, args):
        self.bin, self.seed, self.seconds = os.path.abspath(args.bin), args.seed, args.seconds
        self.folder = args.inside
        self.disk = self.folder + "/disk"
        self.queue = self.disk + "/q"
        self.count = Count()
        self.over = threading.Event()
        self.accepted = {}  # ID -> message, recipient as asked for
        self.lock = threading.Lock()
        self.hosts = {}
        self.env = dict(os.environ, PATH=self.bin + ":" + os.environ["PATH"], XDG_RUNTIME_DIR=self.folder,
                        HOME=self.folder, CPM_MSRP_LISTEN="127.0.0.1", TMPDIR=self.folder)
        self.env[MARK] = self.folder
        self.env["CPM_START_TIMEOUT"] = "10"

    def dice(self, role):
        return random.Random("%d %s" % (self.seed, role))

    def popen(self, *command, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.DEVNULL)
        how.setdefault("stderr", self.errors)
        return subprocess.Popen(command, env=self.env, cwd=self.folder, **how)

    def run(self, *command, **how):
        child = self.popen(*command, **how)
        child.wait()
        return child.returncode

    # --- The disk. The test's own file system, so that it can be full without harm.

    def fill(self):
        """What is left of the disk goes to a file, for a few seconds."""
        dice = self.dice("disk")
        while not self.over.wait(dice.uniform(8, 20)):
            with open(self.disk + "/filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"\0" * 65536)
                except OSError:
                    self.count.add("disk full")
                # Sometimes a little is left: room for one line and not for two.
                if dice.random() < 0.5:
                    os.truncate(filler.fileno(), max(0, filler.tell() - dice.randrange(1, 16) * 4096))
                self.over.wait(dice.uniform(1, 5))
            os.unlink(self.disk + "/filler")

    # --- The recipients.

    def sink(self, name, behave):
        """A recipient that is killed and comes again, at the same address."""
        dice = self.dice("sink " + name)
        port = "0"
        run = 0
        while not self.over.is_set():
            log = "%s/sink-%s-%d.log" % (self.folder, name, run)
            run += 1
            command = ["cpm-sink", "--sip", "udp:127.0.0.1:" + port]
            for rule in behave(dice):
                command += ["--behave", rule]
            with open(log, "wb") as out:
                child = self.popen(*command, stdout=out)
            while port == "0":
                found = re.search(rb"uri=\"?sip:127\.0\.0\.1:(\d+)", open(log, "rb").read())
                port = found.group(1).decode() if found else "0"
                time.sleep(0.05)
            self.hosts[name] = "127.0.0.1:" + port
            if self.over.wait(dice.uniform(5, 25)):
                self.last.append((name, port, run))
            child.kill()
            child.wait()
            self.count.add("killed cpm-sink")

    def good_sinks(self):
        """At the end all recipients are at home and well, but for those who refuse for good."""
        children = []
        for name, port, run in self.last:
            command = ["cpm-sink", "--sip", "udp:127.0.0.1:" + port]
            if name == "refusing":
                command += ["--behave", "invite=404"]
            if name == "away":
                command += ["--behave", "invite=480"]
            with open("%s/sink-%s-%d.log" % (self.folder, name, run), "wb") as out:
                children.append(self.popen(*command, stdout=out))
        return children

    # --- Adding.

    def add(self, role):
        """One message after the other; each is added until its IDs were printed, as a client would."""
        dice = self.dice(role)
        n = 0
        while not self.over.wait(dice.uniform(0.1, 0.5)):
            n += 1
            message = "%s-%d" % (role, n)
            names = dice.choices(("good", "moody", "slow", "refusing", "away"), (50, 30, 10, 5, 5),
                                 k=dice.choice((1, 1, 1, 2, 3)))
            to = sorted({"sip:r%d@%s" % (dice.randrange(8), self.hosts[name]) for name in names})
            size = dice.choice((100, 1000, 1000, 5000, 50000))
            lifetime = LIFETIME if dice.random() < 0.3 or "away" in names else 72 * 3600
            content = dice.randbytes(size)
            while not self.add_once(message, to, content, lifetime, dice):
                if self.over.wait(dice.uniform(0.1, 1)):
                    return

    def add_once(self, message, to, content, lifetime, dice):
        command = ["cpm-queue", "-q", "-Q", self.queue, "add", "--from", ALICE, "--message-id", message, "--type",
                   "application/octet-stream", "--expires", "%ds" % lifetime]
        for uri in to:
            command += ["--to", uri]
        child = self.popen(*command, "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        killer = None
        if dice.random() < 0.15:
            killer = threading.Timer(dice.uniform(0, 0.02), child.kill)
            killer.start()
        try:
            out, _ = child.communicate(content)
        except BrokenPipeError:
            out = child.stdout.read()
            child.wait()
        if killer:
            killer.cancel()
        if child.returncode == -signal.SIGKILL:
            self.count.add("killed cpm-queue add")
        elif child.returncode != 0:
            self.count.add("add refused: %d" % child.returncode)
        ids = out.decode().split("\n")[:-1]
        with self.lock:
            for entry, uri in zip(ids, to):
                self.accepted[entry] = (message, uri)
        return len(ids) == len(to)

    # --- Those who work on it.

    def runner(self, n):
        dice = self.dice("runner %d" % n)
        while not self.over.is_set():
            command = ["cpm-queue", "-q", "-Q", self.queue, "run", "--jobs", "8", "--notify",
                       "sed -n 's/^id=//p' >>" + self.folder + "/told"] + PACE
            child = self.popen(*command, *(["--watch"] if dice.random() < 0.5 else []))
            try:
                child.wait(dice.uniform(0.05, 8))
                self.over.wait(0.5)
            except subprocess.TimeoutExpired:
                if dice.random() < 0.2:
                    child.terminate()
                    self.count.add("asked to end: runner")
                    try:
                        child.wait(dice.uniform(0, 3))
                    except subprocess.TimeoutExpired:
                        pass
                if child.poll() is None:
                    child.kill()
                    self.count.add("killed runner")
                child.wait()

    def person(self):
        """Somebody holds, releases, retries, expires and repairs."""
        dice = self.dice("person")
        while not self.over.wait(dice.uniform(0.2, 1.5)):
            what = dice.choice(("hold", "hold", "release", "release", "release", "retry", "expire", "repair", "repair"))
            if what == "repair":
                child = self.popen("cpm-queue", "-q", "-Q", self.queue, "check", "--repair")
            else:
                entries = self.names({"hold": "wait", "expire": "wait", "release": "held", "retry": "failed"}[what])
                if not entries:
                    continue
                some = 1 if what in ("expire", "retry") else 3
                chosen = dice.sample(entries, min(some, len(entries)))
                child = self.popen("cpm-queue", "-q", "-Q", self.queue, what, *chosen)
            try:
                child.wait(dice.uniform(0, 0.02) if dice.random() < 0.2 else 60)
            except subprocess.TimeoutExpired:
                child.kill()
                self.count.add("killed cpm-queue " + what)
                child.wait()
            self.count.add(what)

    def names(self, folder):
        try:
            return [name[-25:] for name in os.listdir(self.queue + "/" + folder)]
        except FileNotFoundError:
            return []

    def ours(self):
        """The stages that we started: the mark stands in their environment. As (name, pidfd)."""
        mark = ("%s=%s" % (MARK, self.folder)).encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                name = open("/proc/%s/comm" % pid).read().strip()
                if not any(stage.startswith(name) for stage in STAGES):
                    continue
                fd = os.pidfd_open(int(pid))
            except OSError:
                continue
            try:  # read after the descriptor stands for it
                if mark in open("/proc/%s/environ" % pid, "rb").read().split(b"\0"):
                    yield name, fd
            except OSError:
                pass
            finally:
                os.close(fd)

    def stage_killer(self):
        dice = self.dice("stages")
        while not self.over.wait(dice.uniform(0.1, 0.8)):
            for name, fd in self.ours():
                if dice.random() < 0.05:
                    try:
                        signal.pidfd_send_signal(fd, signal.SIGKILL)
                        self.count.add("killed " + name)
                    except ProcessLookupError:
                        pass

    # --- The end.

    def list(self):
        out = subprocess.run(["cpm-queue", "-Q", self.queue, "list", "--json"], env=self.env, stdout=subprocess.PIPE,
                             check=True).stdout
        return {row["id"]: row for row in json.loads(out)}

    def finish(self):
        """Nobody is killed any more, there is room, and all who want to answer do: passes until nothing
        changes, or what is left is only put off."""
        sinks = self.good_sinks()
        self.run("cpm-queue", "-q", "-Q", self.queue, "check", "--repair")
        told = "sed -n 's/^id=//p' >>" + self.folder + "/told"
        end = time.monotonic() + 120 + self.seconds / 10
        while time.monotonic() < end:
            self.run("cpm-queue", "-q", "-Q", self.queue, "run", "--jobs", "8", "--notify", told, *PACE)
            left = [row for row in self.list().values() if row["state"] in ("waiting", "delivering")]
            if all(row["state"] == "waiting" and self.hosts["away"] in row["to"] for row in left):
                break
            time.sleep(0.5)
        self.run("cpm-queue", "-q", "-Q", self.queue, "check", "--repair")
        self.sound = self.run("cpm-queue", "-q", "-Q", self.queue, "check", stdout=self.errors) == 0
        for child in sinks:
            child.terminate()
            child.wait()

    def received(self):
        """(message, recipient) -> how often a recipient has got it as a whole."""
        got = collections.Counter()
        for name in os.listdir(self.folder):
            if not name.startswith("sink-"):
                continue
            to = {}
            for line in open(self.folder + "/" + name, errors="replace"):
                words = line.split()
                if len(words) < 4:
                    continue
                facts = dict(w.split("=", 1) for w in words[3:] if "=" in w)
                if words[2] == "sink.invite":
                    to[facts["sid"]] = facts["uri"].strip('"')
                elif words[2] == "sink.stored" and facts.get("complete") == "yes":
                    got[facts["cpim-id"].strip('"'), to[facts["sid"]]] += 1
        return got

    def again(self, entry, row):
        """Was there an attempt after the one that was confirmed? That must not be."""
        path = "%s/done/%s/%s" % (self.queue, row["day"], entry)
        text = open(path, errors="replace").read()
        return " attempt.start " in text[text.index(" msrp.transferred "):]

    def report(self):
        rows, got = self.list(), self.received()
        fate = collections.Counter()
        lost, repeated, window, untold = [], [], 0, []
        told = set(open(self.folder + "/told").read().split()) if os.path.exists(self.folder + "/told") else set()
        for entry, key in self.accepted.items():
            row = rows.get(entry)
            if not row or (row["state"] == "done" and got[key] == 0):
                lost.append(entry)
                continue
            fate[row.get("fate") or row["state"]] += 1
            if row["state"] == "failed" and entry not in told:
                untold.append(entry)
            if row["state"] == "done" and self.again(entry, row):
                repeated.append(entry)
            elif got[key] > 1:
                window += got[key] - 1
        n = len(self.accepted)
        whole = sum(fate[k] for k in ("done", "waiting", "held", "refused", "expired"))
        print("%d s, seed %d" % (self.seconds, self.seed))
        for what, times in sorted(self.count.of.items()):
            print("  %-24s %6d" % (what, times))
        print("accepted %d = delivered %d + deferred %d + held %d + refused %d + expired %d%s" %
              (n, fate["done"], fate["waiting"], fate["held"], fate["refused"], fate["expired"],
               "" if whole == n else "  WRONG: %d" % whole))
        print("lost %d; repeated though confirmed %d; repeated in the window %d" % (len(lost), len(repeated), window))
        print("given up and nobody was told %d; entries whose add got no answer %d; check afterwards: %s" %
              (len(untold), len(set(rows) - set(self.accepted)), "sound" if self.sound else "NOT SOUND"))
        for what, which in (("lost", lost), ("repeated", repeated), ("not told", untold)):
            for entry in which:
                print("%s: %s %s %s" % (what, entry, self.accepted[entry], rows.get(entry)))
        return whole == n and self.sound and not lost and not repeated and not untold

    def soak(self):
        print("seed %d, in %s" % (self.seed, self.folder), flush=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm,mode=0700" % ARGS.size, "soak", self.disk],
                       check=True)
        self.errors = open(self.folder + "/errors", "ab")
        self.last = []

        def moods(dice):
            return ["%d:%s" % (call, dice.choice(MOODS)) for call in range(1, 60) if dice.random() < 0.5]

        recipients = {"good": lambda _: [], "slow": lambda _: ["ring-ms=1500"], "moody": moods,
                      "refusing": lambda _: ["invite=404"], "away": lambda _: ["invite=480"]}
        roles = [threading.Thread(target=self.sink, args=item) for item in recipients.items()]
        for t in roles:
            t.start()
        while len(self.hosts) < len(recipients):
            time.sleep(0.05)
        while self.run("cpm-queue", "-Q", self.queue, "add", "--from", ALICE, "--type", "text/plain", "--to",
                       "sip:first@" + self.hosts["good"], os.path.abspath(__file__)) != 0:
            raise SystemExit("soak: the first add failed: see " + self.folder + "/errors")
        others = [threading.Thread(target=self.add, args=("adder%d" % i,)) for i in range(2)]
        others += [threading.Thread(target=self.runner, args=(i,)) for i in range(3)]
        others += [threading.Thread(target=t) for t in (self.person, self.stage_killer, self.fill)]
        for t in others:
            t.start()
        self.over.wait(self.seconds)
        self.over.set()
        for t in roles + others:
            t.join()
        self.finish()
        return self.report()


def main():
    global ARGS
    ARGS = options()
    if ARGS.inside:
        return 0 if Soak(ARGS).soak() else 1
    folder = tempfile.mkdtemp(prefix="cpm-soak-")
    os.mkdir(folder + "/disk")
    own = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    status = subprocess.run(own + [sys.executable, os.path.abspath(__file__), str(ARGS.seconds), "--bin", ARGS.bin,
                                   "--seed", str(ARGS.seed), "--size", str(ARGS.size), "--inside", folder]).returncode
    if status == 0:
        shutil.rmtree(folder)
    else:
        print("what it left: " + folder)
    return status


sys.exit(main())
