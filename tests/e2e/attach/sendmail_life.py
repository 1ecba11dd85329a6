"""The same life with Sendmail: a day before, report-only, enforce, detached with messages waiting, and a day after."""
import os
import pathlib
import re

import announced
import life as postfix_life
import snapshot
from corpus import Table
from day import Day
from letters import BAD, GOOD, letter
from sendmail_site import ETC, SendmailSite
from units import Units
from wait import wait_until

WAITING = 100
COMMAND = ("attach", "sendmail", "--mc", ETC / "sendmail.mc")
# What nobody may see changed, and what this Sendmail has an opinion of itself about is left out.
KINDS = ("plain", "8-bit subject", "no Date, no Message-ID", "no Message-ID", "no From", "no Subject", "mixed parts",
         "8-bit body", "dots and blanks", "two Subjects", "newsletter", "X-tag", "foreign From")
REFUSED = ("no From", "no Subject")  # by the gate, once it acts: Sendmail adds a From only after it


def cases():
    table = Table()
    every = {**GOOD, **BAD}
    for kind in KINDS:
        table.add("stranger", "friend@elsewhere.test", "alice@garden.test", kind)
        table.add("application", "webmaster@garden.test", "%@rose.test", kind)
    for kind in ("plain", "8-bit subject"):
        table.add("stranger", "friend@elsewhere.test", "outside@garden.test", kind)
        table.add("stranger", "friend@elsewhere.test", "%@lily.test", kind)  # we are its backup MX
        table.add("application", "webmaster@garden.test", "carol@garden.test", kind)
        table.add("application", "webmaster@garden.test", "%@fern.test", kind)
        table.add("application", "webmaster@garden.test", ["carol@garden.test", "%@rose.test", "%@moss.test"], kind)
        table.add("sendmail carol", "carol@garden.test", "%@rose.test", kind)
    table.add("stranger", "friend@elsewhere.test", "%@rose.test", "a stranger may not relay", every["plain"])
    table.add("application", "webmaster@garden.test", "%@closed.test", "unknown there", every["plain"])
    return table.cases


class Ground(postfix_life.Ground):
    def __init__(self, old, site):
        super().__init__(site, old.folder, old.results)
        self.cases = cases()

    def units(self, name):
        return Units(f"{self.folder}/{name}", self.site.name)


def life(old):
    with SendmailSite(old.site) as site:
        ground = Ground(old, site)
        check = ground.results.check
        was = ground.day()
        for case in ground.cases:
            silent = "a stranger may not relay" in case.name
            check(f"Sendmail, before: {case.name} arrives", bool(was.copies[case.token]) != silent,
                  f"{was.answers[case.token]}")
        files = snapshot.snapshot(ETC)
        with ground.units("sendmail") as units:
            refused(ground, units, files)
            step(ground, units, *COMMAND, "--yes")
            twice = units.millrace(*COMMAND, "--yes")
            check("Sendmail: attach twice", twice.returncode == 1 and "already" in twice.stderr, twice.stderr)
            ground.same("Sendmail, report-only", was, ground.day(units))
            seen = len(units.messages())
            ours = sum(not c.inbound() for c in ground.cases)
            check("Sendmail, report-only: every message of ours is in the message log", seen >= ours, f"{seen} < {ours}")
            step(ground, units, "attach", "report", "--json")
            step(ground, units, "attach", "enforce", "--yes")
            enforced = ground.day(units)
            enforcing(ground, was, enforced, units.messages()[seen:])
            handed_over(ground, units, enforced)
            tokens = fill(ground, units)
            step(ground, units, "detach", "--yes")
            same = snapshot.changed(files, snapshot.snapshot(ETC))
            check("Sendmail: detach restores every file", not same, same)
            drained(ground, units, tokens)
            step(ground, units, "detach", "--yes")
            traces = [str(p) for p in (units.folder / "attached", units.folder / "attached.conf") if p.exists()]
            check("Sendmail: detach, with an empty queue, takes the last traces away", not traces, repr(traces))
            by_hand(ground, units)
        ground.same("Sendmail, after", was, ground.day())


def step(ground, units, *command):
    return postfix_life.step(ground, units, *map(str, command))


def refused(ground, units, files):
    """A clear message and nothing changed."""
    mc, cf = ETC / "sendmail.mc", ETC / "sendmail.cf"
    check = ground.results.check

    def judge(name, words, code=1, command=(*COMMAND, "--yes"), user=None):
        before = snapshot.snapshot(ETC)
        done = units.millrace(*command, user=user)
        check(f"Sendmail, {name}: refused with {code}", done.returncode == code, f"{done.returncode}: {done.stderr}")
        check(f"Sendmail, {name}: says why", words in done.stderr, done.stderr)
        same = snapshot.changed(before, snapshot.snapshot(ETC))
        check(f"Sendmail, {name}: nothing changed", not same, same)

    text, made = mc.read_bytes(), cf.read_bytes()
    mc.write_bytes(text + b"define(`confMAX_HOP', `3')dnl\n")
    judge("edited and not made", "is not what m4 makes of", 78)
    mc.write_bytes(text + b"FEATURE(`nonsense')dnl\n")
    judge("half-edited", "m4", 78)
    mc.write_bytes(text)
    cf.write_bytes(made + b"Zonk\n")
    judge("a .cf with a bad line", "unknown configuration line", 78)
    cf.write_bytes(made)
    judge("no such file", "/nowhere.mc", 1, ("attach", "sendmail", "--mc", "/nowhere.mc", "--yes"))
    judge("one company only", "Postfix only", 64, (*COMMAND, "--sender", "garden.test", "--yes"))
    units.stop("milter")
    judge("the milter does not run", "millrace-milter", 69)
    units.start("milter")
    ground.site.mta.stop()
    judge("Sendmail stopped", "is not running", 1)
    pid_file = pathlib.Path("/run/sendmail.pid")
    pid_file.write_text(f"{os.getpid()}\n{ground.site.mta.binary} -bd\n")  # a process that is none of Sendmail's
    judge("a pid file left over", "is not running", 1)
    pid_file.unlink()
    ground.site.mta.run()
    told = units.millrace(*COMMAND, "--print")
    check("Sendmail: attach --print", told.returncode == 0 and "MAIL_FILTER(`millrace'" in told.stdout,
          told.stderr + told.stdout)
    same = snapshot.changed(files, snapshot.snapshot(ETC))
    check("Sendmail: attach --print changes nothing", not same, same)


def enforcing(ground, was, now, log):
    check = ground.results.check
    for case in ground.cases:
        name, old, new = f"Sendmail, enforce: {case.name}", was.copies[case.token], now.copies[case.token]
        if case.inbound():
            if case.recipients[0].endswith("@lily.test"):
                check(f"{name} never meets the relay", not any(map(announced.by_relay, new)), repr(new)[:2000])
            # An alias that leads away leaves by the relay, which adds its trace. It cannot know that the mail is a
            # stranger's, so it mends as it does for programs of this machine, and never refuses.
            old, new = ([announced.without_trace(c) for c in day] for day in (old, new))
            if case.recipients == ["outside@garden.test"] and case.name.endswith("8-bit subject"):
                check(f"{name} has its Subject encoded at most", len(new) == 1 and not announced.faults(
                    old[0], new[0], {("subject", "add"): 0, ("subject", "remove"): 0}), repr(new)[:2000])
                continue
            keys = [[c.key() for c in day] for day in (old, new)]
            check(f"{name} is untouched", keys[0] == keys[1], repr(keys)[:3000])
            continue
        text = now.answers[case.token].text
        if any(case.name.endswith(kind) for kind in REFUSED):
            check(f"{name} is refused", "5.6.0" in text and "[MR-" in text and not new, f"{text} {new}")
            continue
        check(f"{name}: the same copies", sorted((c.place, c.recipient) for c in old) ==
              sorted((c.place, c.recipient) for c in new), f"{text}\n{old}\n{new}")
        for copy in new:
            remote = not copy.place.startswith("mailbox ") and copy.place != "fern.test"
            check(f"{name}: by the relay or not ({copy.place})", announced.by_relay(copy) == remote,
                  repr(copy.data[:600]))
            head, _ = announced.fields(copy.data)
            subjects = [line for field, line in head if field == b"subject"]
            check(f"{name}: one Subject, in ASCII", len(subjects) == 1 and subjects[0].isascii(), repr(subjects))
            names = [field for field, _ in head]
            check(f"{name}: From, Date, Message-ID once", [names.count(n) for n in (b"from", b"date", b"message-id")]
                  == [1, 1, 1], repr(names))
            check(f"{name}: no word of ours stays in it", b"X-Millrace-Handover" not in copy.data)
    check("Sendmail, enforce: nothing else arrived", not now.stray, repr(now.stray[:3]))
    check("Sendmail, enforce: the gate mended", any(entry["changes"] for entry in log))


def by_hand(ground, units):
    """What the administrator adds meanwhile stays when only our block is taken out."""
    mc, cf = ETC / "sendmail.mc", ETC / "sendmail.cf"
    kept = {path: path.read_bytes() for path in (mc, cf)}
    step(ground, units, *COMMAND, "--yes")
    edit = b"define(`confMAX_HOP', `33')dnl\n"
    mc.write_bytes(mc.read_bytes() + edit)
    done = step(ground, units, "detach", "--yes")
    check = ground.results.check
    check("Sendmail, edited by hand: detach says so", "by hand" in done.stdout, done.stdout)
    check("Sendmail, edited by hand: the edit stays, our block is gone", mc.read_bytes() == kept[mc] + edit,
          repr(mc.read_bytes()[-500:]))
    check("Sendmail, edited by hand: the .cf file has it too", b"\nO MaxHopCount=33\n" in cf.read_bytes()
          and not re.search(rb"(?m)^[XM]millrace|^O InputMailFilters=.*millrace", cf.read_bytes()))
    for path, data in kept.items():
        path.write_bytes(data)
    ground.site.mta.restart()


def handed_over(ground, units, day):
    """The relay believes the gate, so it knows Sendmail's queue id."""
    case = next(c for c in ground.cases if c.way == "application" and c.name.endswith("8-bit subject"))
    queue_id = day.answers[case.token].queue_id()
    shown = units.millrace("show", queue_id)
    ground.results.check("Sendmail, enforce: the relay finds a message by Sendmail's queue id",
                         shown.returncode == 0 and case.token in shown.stdout, f"{queue_id}: {shown}")


def fill(ground, units):
    """Messages wait in the relay because no receiver takes mail; their tokens."""
    site = ground.site
    site.world.clear()
    site.world.refusal = "451 4.7.1 come back later"
    tokens = [f"wait{n:03d}x" for n in range(WAITING)]
    with site.application() as client:
        for n, token in enumerate(tokens):
            to = f"{token}@{('rose.test', 'moss.test')[n % 2]}"
            reply = client.message("alice@garden.test", [to], letter(token, To=f"<{to}>"))
            assert reply.ok(), reply
    wait_until(lambda: site.mta.queue_length() == 0 and units.queued() == WAITING, 60, f"{WAITING} in the relay")
    return tokens


def drained(ground, units, tokens):
    check, site = ground.results.check, ground.site
    site.world.refusal = None
    with site.application() as client:
        reply = client.message("alice@garden.test", ["new000x@rose.test"], letter("new000x"))
    check("Sendmail: after detach mail is taken", reply.ok(), repr(reply))
    direct = site.world.sinks["rose.test"].wait_for_body("new000x")
    check("Sendmail: after detach new mail bypasses the relay", b"(Millrace)" not in direct.data, repr(direct.data[:500]))
    wait_until(lambda: units.queued() == 0, 90, "the drained queue")
    found = [m.decode() for s in site.world.sinks.values() for message in s.messages
             for m in re.findall(rb"this is (wait\d{3}x)", message.data)]
    check("Sendmail, detach with a full queue: 0 lost", set(found) == set(tokens), f"{len(set(tokens) - set(found))} lost")
    check("Sendmail, detach with a full queue: 0 doubled", len(found) == len(set(found)), f"{len(found)}")
