#!/usr/bin/env python3
"""Power loss as a model. Takes the record of an operation (test/preload/record.c) and builds what a
disk may hold when the power goes after each of its calls: any subset of the changes of names that no
sync of a folder covers, and of each file's content that no sync covers any prefix, with holes and
zeros; names and contents independent of each other. A move is atomic; nothing else is. Then asks the
programs about the queue on that disk.

usage: power.py --log LOG --root ROOT --queue NAME --before DIR --images N --seed S --rule RULE
                [--skip N] [--program DIR] [--body FILE] [--ids ID,...]
Prints a line of figures; exits 1 when a disk broke the rule. --skip: as if the N-th sync were not in
the code. ROOT is the folder that holds the queue, --before what was in it (and durable)."""
import os
import random
import shutil
import subprocess
import sys

ARGS = dict(zip(sys.argv[1::2], sys.argv[2::2]))
ROOT = ARGS["--root"].rstrip("/")
QUEUE = ARGS["--queue"]
RULE = ARGS["--rule"]
IDS = [i for i in ARGS.get("--ids", "").split(",") if i]
SKIP = ARGS.get("--skip", "")
BODY = open(ARGS["--body"], "rb").read() if "--body" in ARGS else None
QUEUE_PROGRAM = os.path.join(ARGS["--program"], "cpm-queue")


class File:
    def __init__(self, content=b""):
        self.now = bytearray(content)
        self.safe = bytes(content)  # what the last sync covered


class Disk:
    """names: path -> File or "folder", as the programs see them; safe: as they are on the disk;
    waiting: changes of names that are not there yet."""

    def __init__(self):
        self.names = {}
        self.safe = {}
        self.waiting = []

    def change(self, add, remove):
        """add: [(path, what)], remove: [path]; one atomic change."""
        for path in remove:
            del self.names[path]
        for path, what in add:
            self.names[path] = what
        self.waiting.append((add, remove))

    def sync_folder(self, folder):
        kept, done = [], []
        for change in self.waiting:
            paths = [p for p, _ in change[0]] + list(change[1])
            (done if any(os.path.dirname(p) == folder for p in paths) else kept).append(change)
        settled = set()
        for add, remove in done:
            apply(self.safe, add, remove)
            settled.update([p for p, _ in add] + list(remove))
        # What came before a settled change of the same name is settled too.
        self.waiting = []
        for add, remove in kept:
            add = [(p, w) for p, w in add if p not in settled]
            remove = [p for p in remove if p not in settled]
            if add or remove:
                self.waiting.append((add, remove))

    def sync(self, path):
        what = self.names.get(path)
        if isinstance(what, File):
            what.safe = bytes(what.now)
        else:
            self.sync_folder(path)

    def sync_all(self):
        for what in self.names.values():
            if isinstance(what, File):
                what.safe = bytes(what.now)
        self.safe = dict(self.names)
        self.waiting = []


def apply(names, add, remove):
    for path in remove:
        names.pop(path, None)
    for path, what in add:
        names[path] = what


def load(disk, folder):
    """What was there before, durable. Hard links are one file."""
    known = {}
    for at, folders, files in os.walk(folder):
        base = ROOT + at[len(folder):]
        for name in folders:
            disk.names[base + "/" + name] = "folder"
        for name in files:
            st = os.lstat(os.path.join(at, name))
            if st.st_ino not in known:
                known[st.st_ino] = File(open(os.path.join(at, name), "rb").read())
            disk.names[base + "/" + name] = known[st.st_ino]
    disk.safe = dict(disk.names)


def step(disk, words):
    op, rest = words[0], words[1:]
    if op == "create":
        disk.change([(rest[0], File())], [])
    elif op == "mkdir":
        disk.change([(rest[0], "folder")], [])
    elif op == "write":
        content, at, data = disk.names[rest[0]].now, int(rest[1]), bytes.fromhex(rest[2])
        content.extend(b"\0" * (at - len(content)))
        content[at:at + len(data)] = data
    elif op == "truncate":
        del disk.names[rest[0]].now[int(rest[1]):]
    elif op == "link":
        disk.change([(rest[1], disk.names[rest[0]])], [])
    elif op == "move":
        disk.change([(rest[1], disk.names[rest[0]])], [rest[0]])
    elif op in ("remove", "rmdir"):
        disk.change([], [rest[0]])
    elif op == "sync":
        disk.sync(rest[0])
    elif op == "syncfs":
        disk.sync_all()
    else:
        raise SystemExit("power.py: " + op)


def content_of(file, dice):
    """The synced part is there (all files here only grow); of the rest a prefix, with holes."""
    if len(file.now) <= len(file.safe):
        return bytes(file.now)
    fresh = bytearray(file.now[len(file.safe):])
    kind = dice.randrange(4)
    if kind == 0:
        fresh = fresh[:0]
    elif kind == 1:
        fresh = fresh[:dice.randrange(len(fresh) + 1)]
    elif kind == 2:  # blocks that never came
        block = dice.choice((1, 16, 512))
        for at in range(0, len(fresh), block):
            if dice.random() < 0.5:
                fresh[at:at + block] = b"\0" * len(fresh[at:at + block])
    return file.safe + bytes(fresh)


def image(disk, dice):
    """path -> ("folder",) or ("file", which, content), folders first."""
    names = dict(disk.safe)
    chance = dice.choice((0.0, 0.2, 0.5, 0.8, 1.0))
    for add, remove in disk.waiting:
        if dice.random() < chance:
            apply(names, add, remove)
    # A name in a folder that is not there is not there.
    there = {}
    for path in sorted(names):
        if os.path.dirname(path) == ROOT or there.get(os.path.dirname(path)) == ("folder",):
            what = names[path]
            there[path] = ("folder",) if what == "folder" else ("file", id(what), None)
    contents = {}
    for path, what in there.items():
        if what[0] == "file":
            if what[1] not in contents:
                contents[what[1]] = content_of(names[path], dice)
            there[path] = ("file", what[1], contents[what[1]])
    return there


def build(there, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    made = {}
    for path, what in there.items():
        target = folder + path[len(ROOT):]
        if what[0] == "folder":
            os.mkdir(target, 0o700)
        elif what[1] in made:
            os.link(made[what[1]], target)
        else:
            fd = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(fd, what[2])
            os.close(fd)
            made[what[1]] = target


def ask(folder, *command):
    """The program's answer, whatever it thinks."""
    env = dict(os.environ, CPM_EXEC_DELIVER=os.path.abspath("fake-deliver"), CPM_EXEC_BYE="/bin/true",
               CALLED=folder + "/called", LD_PRELOAD=os.path.abspath("nosync.so"))
    return subprocess.run([QUEUE_PROGRAM, "-q", "-Q", folder + "/" + QUEUE] + list(command), env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()


def entries(folder):
    rows = [line.split("\t") for line in ask(folder, "list", "--tsv").splitlines()]
    return {row[0]: row for row in rows}


def has(text, event):
    """A whole line of that event; what readers take for torn does not count."""
    return any((b" " + event + b" ") in line and b"\0" not in line for line in text.split(b"\n")[:-1])


def journals(folder):
    found = {}
    for at, _, files in os.walk(folder + "/" + QUEUE):
        for name in files:
            if "/msg" not in at and "/tmp" not in at and name != "lock":
                path = os.path.join(at, name)
                found[name[-25:]] = (path, open(path, "rb").read())
    return found


def called(folder):
    try:
        return open(folder + "/called").read().split()
    except FileNotFoundError:
        return []


def body_is_whole(folder, entry):
    try:
        return open(folder + "/" + QUEUE + "/msg/" + entry, "rb").read() == BODY
    except FileNotFoundError:
        return False


# --- The rules: what is wrong with this disk (None: nothing). `past`: the words of the calls made.

def rule_add(folder, past, acked):
    ask(folder, "check", "--repair")
    there = entries(folder)
    for entry in IDS:
        if acked and (entry not in there or there[entry][1] != "waiting"):
            return "an accepted entry is missing"
    for entry, row in there.items():
        if row[1] == "waiting" and not body_is_whole(folder, entry):
            return "an entry's message is not whole"
        if row[1] == "waiting" and not (row[5] and row[6] and row[7]):
            return "an entry's facts are not whole"
    return None


def line_was_written(past, event, entry):
    needle = (" " + event + " ").encode().hex()
    return any(w[0] == "write" and entry in w[1] and needle in w[3] for w in past)


def was_moved(past, path):
    return any(w[0] == "move" and w[2][len(ROOT):] == path[len("image"):] for w in past)


def rule_run(folder, past, acked):
    before = journals(folder)
    for entry in IDS:
        if entry not in before:
            return "an entry is missing"
        path, text = before[entry]
        confirmed = has(text, b"msrp.transferred")
        if line_was_written(past, "invite.sent", entry) and not has(text, b"attempt.start"):
            return "the INVITE left and the attempt is not known"
        if line_was_written(past, "bye.request", entry) and \
                line_was_written(past, "msrp.transferred", entry) and not confirmed:
            return "the BYE left and the transfer is not known"
        if line_was_written(past, "queue.failed", entry) and not has(text, b"outcome"):
            return "somebody may have been told of an end that is not known"
        if was_moved(past, path) and not confirmed and not has(text, b"outcome"):
            return "an entry was moved after an end that is not known"
        if "/failed/" in path and line_was_written(past, "notify.done", entry) and \
                not has(text, b"notify.done"):
            return "it is not known that somebody was told"
    ask(folder, "check", "--repair")
    ask(folder, "run", *[a for row in entries(folder).values() for a in ("--to", row[6])])
    there = entries(folder)
    for entry in IDS:
        confirmed = has(before[entry][1], b"msrp.transferred")
        if confirmed and (there[entry][1] != "done" or entry in called(folder)):
            return "a confirmed message is delivered again"
        if not confirmed and there[entry][1] not in ("waiting", "failed"):
            return "a message that was not confirmed is not to be delivered"
        if there[entry][1] == "waiting" and not body_is_whole(folder, entry):
            return "an entry's message is not whole"
    return None


def rule_wish(state, delivered):
    def rule(folder, past, acked):
        ask(folder, "check", "--repair")
        ask(folder, "run")
        there = entries(folder)
        for entry in IDS:
            now = there[entry][1] if entry in there else "gone"
            if now != "gone" and not body_is_whole(folder, entry):
                return "an entry's message is not whole"
            if now == "gone" and not line_was_written(past, "queue.wish", entry):
                return "an entry is missing"
            if acked and (now != state or (entry in called(folder)) != delivered):
                return "a wish is forgotten: it is %s" % now
        return None
    return rule


RULES = {"add": rule_add, "run": rule_run, "hold": rule_wish("held", False),
         "remove": rule_wish("gone", False), "release": rule_wish("waiting", True),
         "retry": rule_wish("waiting", True), "expire": rule_wish("failed", False)}


def main():
    log = [line.split(" ") for line in open(ARGS["--log"]).read().splitlines()]
    syncs = [i for i, w in enumerate(log) if w[0] in ("sync", "syncfs")]
    last = syncs[-1] if syncs else len(log)
    left_out = syncs[int(SKIP) - 1] if SKIP else None
    images, points = int(ARGS["--images"]), len(log) + 1
    broken = {}
    dice = random.Random(int(ARGS["--seed"]))
    made = different = 0
    disk = Disk()
    load(disk, ARGS["--before"])
    first = left_out + 1 if SKIP else 0
    for at in range(points):
        verdicts = {}  # of the disks after this call: the same one is asked about once
        if at >= first:
            share = images * (at - first + 1) // (points - first) - images * (at - first) // (points - first)
            for _ in range(share):
                there = image(disk, dice)
                key = tuple(there.items())
                made += 1
                if key in verdicts:
                    continue
                build(there, "image")
                different += 1
                wrong = verdicts[key] = RULES[RULE]("image", log[:at], at > last)
                if wrong:
                    broken.setdefault(wrong, at)
                    if not SKIP:
                        shutil.copytree("image", "broken-%d" % len(broken), dirs_exist_ok=True)
                    else:
                        break
        if broken and SKIP:
            break
        if at < len(log) and at != left_out:
            step(disk, log[at])
    text = "; ".join("%s (after call %d)" % (k, v) for k, v in broken.items())
    where = "" if not SKIP else ", without sync %s (%s)" % (
        SKIP, "/".join(log[left_out][1:2]).replace(ROOT + "/", ""))
    print("%s: %d calls, %d syncs, %d disks (%d different), seed %s%s: %s" %
          (RULE, len(log), len(syncs), made, different, ARGS["--seed"], where, text or "sound"))
    return 1 if broken else 0


sys.exit(main())
