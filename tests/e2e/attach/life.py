"""The whole life: a day before, a day in report-only mode, a day in enforce mode, detached with a full queue, and a day
after."""
import contextlib
import os
import pathlib
import re
import time

import announced
import copies
import opendkim
import snapshot
from corpus import corpus
from day import Day
from letters import letter
from old_site import NAME
from units import Units
from wait import wait_until

CONFIGURATION = ("/etc/postfix", "/etc/aliases", "/etc/aliases.db", "/etc/opendkim.conf", "/etc/mailname")
WAITING = 500


class Ground:
    """What the parts share: the site, its cases, the day before, and Millrace once it is there."""

    def __init__(self, site, folder, results):
        self.site, self.folder, self.results = site, folder, results
        self.cases = corpus()
        self._before = None

    def day(self, units=None):
        return Day(self.site, self.cases, (lambda: units.queued() == 0) if units else (lambda: True)).live()

    def before(self):
        self._before = self._before or self.day()
        return self._before

    def same(self, what, one, other, cases=None):
        """One check per case: answers and copies are the same on both days."""
        for case in cases or self.cases:
            difference = copies.difference(one.copies[case.token], other.copies[case.token])
            answers = [day.answers[case.token] for day in (one, other)]
            if answers[0].code != answers[1].code:
                difference += f" answered {answers[0].text!r} and {answers[1].text!r}"
            self.results.check(f"{what}: {case.name}", not difference, difference)
        self.results.check(f"{what}: nothing else arrived", not other.stray, repr(other.stray[:3]))

    def units(self, name):
        return Units(f"{self.folder}/{name}", NAME)

    def lacks_attach(self):
        """Why the parts after the day before cannot be run, or None."""
        said = self.units("probe").millrace("attach", "status").stderr
        return "this build has no `millrace attach`" if "no command attach" in said else None

    @contextlib.contextmanager
    def attached(self, name):
        """Units that run, attached and enforcing; afterwards detached again."""
        with self.units(name) as units:
            step(self, units, "attach", "postfix", "--config-dir", "/etc/postfix", "--yes")
            step(self, units, "attach", "enforce", "--yes")
            yield units
            step(self, units, "detach", "--yes")


def before(ground):
    """The site works as it should, and two days are the same: only then do later comparisons mean anything."""
    check, first = ground.results.check, ground.before()
    for case in ground.cases:
        silent = first.answers[case.token].code != 250 or "wants to know" in case.name or "no notice" in case.name
        check(f"before: {case.name} arrives", bool(first.copies[case.token]) != silent,
              f"{first.answers[case.token]} {first.copies[case.token]}")
    check("before: the bank's certificate is verified by DANE",
          "Verified TLS connection established to mx1.bank.test" in ground.site.postfix.log())
    signed(ground, "before", first)
    theirs = next(c for c in ground.cases if c.inbound() and "signed by its sender" in c.name)
    check("before: OpenDKIM verifies inbound mail", b"dkim=pass" in first.copies[theirs.token][0].data,
          repr(first.copies[theirs.token][0].data[:600]))
    ground.same("a second day", first, ground.day())


def signed(ground, when, day, mended=False):
    """What bakery.test sends bears a signature that holds. opendkim-testmsg reads no message without a Date or with
    two Subjects, so those count only when the gate has mended them."""
    found = [c for case in ground.cases if case.way == "clara" for c in day.copies[case.token]
             if c.place == "lily.test"]
    wrong = [reason for reason in (opendkim.verified(c.data) if b"d=bakery.test" in c.data else "not signed"
                                   for c in found) if reason and (mended or "Syntax error" not in reason)]
    ground.results.check(f"{when}: signatures of bakery.test hold", found and not wrong, repr(wrong[:3]))


def life(ground):
    check, site = ground.results.check, ground.site
    was = ground.before()
    files = snapshot.snapshot(*CONFIGURATION)
    with ground.units("life") as units:
        told = units.millrace("attach", "postfix", "--config-dir", "/etc/postfix", "--print")
        check("attach --print succeeds", told.returncode == 0, told.stderr)
        same = snapshot.changed(files, snapshot.snapshot(*CONFIGURATION))
        check("attach --print changes nothing", not same, same)
        step(ground, units, "attach", "postfix", "--config-dir", "/etc/postfix", "--yes")

        reported = ground.day(units)
        ground.same("report-only", was, reported)
        signed(ground, "report-only", reported)
        report = announced.read(units.messages())
        check("report-only: every message of ours is in the message log", len(report) > 100, str(len(report)))
        step(ground, units, "attach", "report", "--json")

        seen = len(units.messages())
        step(ground, units, "attach", "enforce", "--yes")
        enforced = ground.day(units)
        enforcing(ground, reported, report, enforced, announced.read(units.messages()[seen:]))

        tokens = fill(ground, units)
        step(ground, units, "detach", "--yes")
        same = snapshot.changed(files, snapshot.snapshot(*CONFIGURATION))
        check("detach restores every file", not same, same)
        drained(ground, units, tokens)
        step(ground, units, "detach", "--yes")
        traces = [str(p) for p in (units.folder / "attached", units.folder / "attached.conf",
                                   pathlib.Path("/var/spool/postfix/millrace")) if p.exists()]
        check("detach, with an empty queue, takes the last traces away", not traces, repr(traces))
    ground.same("after", was, ground.day())


def long_pause(seconds):
    """Only when somebody asked for it by MILLRACE_LONG=1."""
    if os.environ.get("MILLRACE_LONG"):
        time.sleep(seconds)


def step(ground, units, *command):
    """One command of the operator; its exit status is 0."""
    done = units.millrace(*command)
    name = " ".join(command)
    if done.returncode != 0:
        raise AssertionError(f"millrace {name}: exit {done.returncode}: {done.stderr}{done.stdout}")
    ground.results.check(f"millrace {name}", True)
    return done


def enforcing(ground, reported, report, enforced, log):
    check = ground.results.check
    inbound = [c for c in ground.cases if c.inbound()]
    judge = announced.Judge(reported, report, enforced, log)
    for case in ground.cases:
        found = judge.faults(case)
        check(f"enforce: {case.name}", not found, "\n  ".join(found))
    for case in inbound:  # what stays here must be the same whatever was announced
        here = [[c.key() for c in day.copies[case.token] if c.place.startswith("mailbox ")]
                for day in (reported, enforced)]
        check(f"enforce, inbound: {case.name}", here[0] == here[1], repr(here)[:2000])
    check("enforce: nothing else arrived", not enforced.stray, repr(enforced.stray[:3]))
    signed(ground, "enforce", enforced, mended=True)
    ways = {}
    for found in enforced.copies.values():
        for copy in found:
            ways.setdefault((copy.place, announced.by_relay(copy)), []).append(copy)
    for place in ("warehouse.test", "bank.test"):
        check(f"enforce: mail for {place} stays with Postfix", (place, True) not in ways and (place, False) in ways)
    for place in ("rose.test", "lily.test", "moss.test", "fern.test"):
        check(f"enforce: mail for {place} goes through the relay", (place, True) in ways and (place, False) not in ways,
              repr([k for k in ways if k[0] == place]))


def fill(ground, units):
    """500 messages wait in the relay because no receiver takes mail; their tokens."""
    site = ground.site
    site.world.clear()
    site.world.refusal = "451 4.7.1 come back later"
    tokens = [f"wait{n:03d}x" for n in range(WAITING)]
    with site.application() as client:
        for n, token in enumerate(tokens):
            domain = ("rose.test", "lily.test", "moss.test", "fern.test")[n % 4]
            reply = client.message("alice@garden.test", [f"{token}@{domain}"], letter(token, To=f"<{token}@{domain}>"))
            assert reply.ok(), reply
    wait_until(lambda: site.postfix.queue_length() == 0 and units.queued() == WAITING, 60,
               f"{WAITING} messages in the relay")
    return tokens


def drained(ground, units, tokens):
    """New mail no longer goes through Millrace; what waits there is delivered once the receivers want it."""
    check, site = ground.results.check, ground.site
    site.world.refusal = None
    with site.application() as client:
        reply = client.message("alice@garden.test", ["new000x@rose.test"], letter("new000x"))
    check("after detach mail is taken", reply.ok(), repr(reply))
    direct = site.world.sinks["rose.test"].wait_for_body("new000x")
    check("after detach new mail bypasses the relay", b"(Millrace)" not in direct.data, repr(direct.data[:500]))
    wait_until(lambda: units.queued() == 0, 90, "the drained queue")
    got = [m[0].decode() for s in site.world.sinks.values() for message in s.messages
           for m in re.finditer(rb"this is (wait\d{3}x)", message.data)]
    found = [re.sub(r"^this is ", "", g) for g in got]
    check("detach with a full queue: 0 lost", set(found) == set(tokens), f"{len(set(tokens) - set(found))} lost")
    check("detach with a full queue: 0 doubled", len(found) == len(set(found)), f"{len(found)} for {len(set(found))}")
