"""Restart and upgrade while the site is busy. Postfix must see nothing of it: no deferral, no refused connection, no
temporary error to a client, and every message arrives once. The sockets are held as the systemd units hold them."""
import re
import shutil
import threading

import life
from ledger import Ledger
from letters import letter
from smtp import Closed
from wait import wait_until

CLIENTS = 4
BETWEEN = 40  # messages taken between one disturbance and the next
PER_CONNECTION = 5


class Load:
    """Clients that hand mail in without a pause, as applications do: a few messages, then a new connection."""

    def __init__(self, site):
        self.site, self.ledger, self.errors = site, Ledger(), []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(n,)) for n in range(CLIENTS)]

    def taken(self):
        return len(self.ledger.accepted())

    def wait_for_more(self, count):
        goal = self.taken() + count
        wait_until(lambda: self.taken() >= goal or self.errors, 90, f"{count} more messages taken")

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(90)

    def _work(self, number):
        count = 0
        while not self._stop.is_set():
            try:
                client = self.site.application() if number % 2 else self.site.submission("alice")
                for _ in range(PER_CONNECTION):
                    token, count = f"load{number}n{count:05d}x", count + 1
                    domain = ("rose.test", "lily.test", "moss.test")[count % 3]
                    reply = client.message("alice@garden.test", [f"{token}@{domain}"], letter(token, Subject="Grüße"))
                    self.ledger.answered(token, reply.code)
                    if not reply.ok():
                        self.errors.append(reply.text)
                client.quit()
            except (Closed, OSError, AssertionError) as e:
                self.errors.append(repr(e))


def load(ground):
    check, site = ground.results.check, ground.site
    with ground.attached("load") as units:
        units.programs = shutil.copytree(units.programs, units.folder / "sbin")
        units.stop()
        units.hold()
        units.start()
        site.world.clear()
        seen = len(site.postfix.log())
        with Load(site) as busy:
            for what in ("restart milter", "restart relay", "upgrade milter", "upgrade relay", "restart both"):
                busy.wait_for_more(BETWEEN)
                disturb(units, what)
            busy.wait_for_more(BETWEEN)
        wait_until(lambda: site.postfix.queue_length() == 0 and units.queued() == 0, 90, "empty queues")
        log = site.postfix.log()[seen:]
        check("load: no client saw an error", not busy.errors, repr(busy.errors[:5]))
        bad = [line for line in log.splitlines() if re.search(
            r"status=deferred|refused|milter-reject|lost connection with|warning: milter|timed out", line)]
        check("load: no deferral, no refused connection in Postfix's log", not bad, "\n".join(bad[:5]))
        arrived = [t.decode() for sink in site.world.sinks.values() for message in sink.messages
                   for t in re.findall(rb"this is (load\dn\d{5}x)", message.data)]
        check("load: 0 lost", not busy.ledger.lost(arrived), repr(sorted(busy.ledger.lost(arrived))[:5]))
        check("load: 0 doubled", len(arrived) == len(set(arrived)), f"{len(arrived)} for {len(set(arrived))}")
        unmended = [m.data[:300] for sink in site.world.sinks.values() for m in sink.messages
                    if "Subject: Grüße".encode() in m.data]
        check("load: no message passed the gate unseen", not unmended, repr(unmended[:2]))
        print(f"load: {len(arrived)} messages, 3 restarts, 2 upgrades")


def disturb(units, what):
    verb, name = what.split()
    names = ("milter", "relay") if name == "both" else (name,)
    if verb == "upgrade":  # as dpkg does: the new file takes the old one's name
        for one in names:
            shutil.copy2(units.programs / f"millrace-{one}", units.programs / "fresh")
            (units.programs / "fresh").rename(units.programs / f"millrace-{one}")
    units.restart(*names)


def away(ground):
    """The relay is away, its port refuses, Postfix defers with its default timers: 300 s to the next try. When the
    relay is back it wakes Postfix, and everything flows within 10 s. How long it was away makes no difference to
    Postfix; with MILLRACE_LONG=1 it is the 10 minutes of the promise."""
    check, site = ground.results.check, ground.site
    with ground.attached("away") as units:
        units.stop("relay")
        site.world.clear()
        tokens = [f"away{n:03d}x" for n in range(60)]
        with site.application() as client:
            for token in tokens:
                reply = client.message("alice@garden.test", [f"{token}@rose.test"], letter(token))
                check(f"away: Postfix takes {token}", reply.ok(), repr(reply))
        wait_until(lambda: site.postfix.queue_length("deferred") == len(tokens), 60, "60 deferred messages")
        life.long_pause(600)
        check("away: Postfix has them all", site.postfix.queue_length() == len(tokens))
        units.start("relay")
        wait_until(lambda: len(site.world.sinks["rose.test"]) == len(tokens), 10, "all mail, within 10 s of the return")
        arrived = sorted(re.search(rb"away\d{3}x", m.data)[0].decode() for m in site.world.sinks["rose.test"].messages)
        check("away: every message once", arrived == tokens, repr(arrived))
