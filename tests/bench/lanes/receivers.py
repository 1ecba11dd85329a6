#!/usr/bin/python3
"""The receiving servers of a scenario with their hidden limits, and the DNS that points at them.

usage: receivers.py SCENARIO LEDGER --expect N

Prints `ready` when it listens; the clock of the limits starts with the first line on standard input. Ends when N
different messages have come of the batches that are wanted, or on SIGTERM, and writes the ledger: per site what came,
what was refused by kind and second, the connections, and per batch each message's wait (from the header X-Bench-Sent,
seconds of the monotonic clock). Ports 25 and 53 on loopback: to be run in a network namespace (see `run`).
"""
import argparse
import asyncio
import collections
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "e2e/lib"))
from dns_server import DnsServer  # noqa: E402
from limits import Limits  # noqa: E402
from scenario import Scenario  # noqa: E402

LINE_MAX = 4096
MESSAGE_MAX = 1 << 22


class Fleet:
    """The clock all sites share, and the count of what is still to come."""

    def __init__(self, expect, wanted):
        self.began, self.expect, self.wanted, self.done = None, expect, wanted, asyncio.Event()

    def now(self):
        return 0.0 if self.began is None else time.monotonic() - self.began

    def came(self, batch):
        self.expect -= batch in self.wanted
        if self.expect <= 0:
            self.done.set()


class Ledger:
    """What happened at one site."""

    def __init__(self):
        self.seen, self.duplicates, self.connections, self.open, self.most_open = set(), 0, 0, 0, 0
        self.accepted = collections.Counter()                             # by second
        self.refused = collections.defaultdict(collections.Counter)      # kind -> by second
        self.open_by_second = {}
        self.batches = collections.defaultdict(lambda: {"times": [], "waits": []})

    def opened(self, now):
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        second = int(now)
        self.open_by_second[second] = max(self.open_by_second.get(second, 0), self.open)

    def as_json(self, limits):
        return {"unique": len(self.seen), "duplicates": self.duplicates, "connections": self.connections,
                "most_open": self.most_open, "blocks": limits.blocks, "accepted": self.accepted,
                "refused": self.refused, "open": self.open_by_second, "batches": self.batches}


class Session(asyncio.Protocol):
    """One connection. Commands are answered one after the other: a reply that waits holds up the next command."""

    def __init__(self, name, limits, ledger, fleet):
        self.name, self.limits, self.ledger, self.fleet = name, limits, ledger, fleet
        self.buffer, self.in_data, self.waiting, self.messages = b"", False, True, 0
        self.sender, self.recipients, self.admitted, self.address = None, [], False, ""

    def connection_made(self, transport):
        self.transport, self.address = transport, transport.get_extra_info("peername")[0]
        self.ledger.opened(self.fleet.now())
        refusal = self.limits.connect(self.address, self.fleet.now())
        self.admitted = refusal is None
        if refusal:
            self._refuse(refusal, close=True)
        else:
            self._say(f"220 {self.name} ESMTP")

    def connection_lost(self, _):
        self.ledger.open -= 1
        if self.admitted:
            self.limits.leave(self.address)
        self.transport = None

    def data_received(self, data):
        self.buffer += data
        if len(self.buffer) > MESSAGE_MAX:
            self.transport.abort()
        self._go_on()

    def _go_on(self):
        while not self.waiting and self.transport and not self.transport.is_closing():
            if self.in_data:
                end = 0 if self.buffer.startswith(b".\r\n") else self.buffer.find(b"\r\n.\r\n") + 2
                if end == 1:
                    return
                message, self.buffer, self.in_data = self.buffer[:end], self.buffer[end + 3:], False
                self.waiting = True
                delay = self.limits.get("latency", 0) + self.limits.get("tarpit", 0)
                asyncio.get_running_loop().call_later(delay, self._accept, message)
                return
            end = self.buffer.find(b"\r\n")
            if end < 0:
                if len(self.buffer) > LINE_MAX:
                    self.transport.abort()
                return
            line, self.buffer = self.buffer[:end].decode("latin-1"), self.buffer[end + 2:]
            self._command(line)

    def _command(self, line):
        verb, now = line[:4].upper(), self.fleet.now()
        if verb == "EHLO":
            self._say(f"250-{self.name}\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n"
                      "250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8")
        elif verb == "HELO":
            self._say(f"250 {self.name}")
        elif verb == "MAIL":
            sender = line[line.find("<") + 1:line.rfind(">")].lower()
            if refusal := self.limits.mail(self.address, sender.rpartition("@")[2], self.messages, now):
                self._refuse(refusal, close=refusal[1][:3] in ("", "421"))
            else:
                self.sender, self.recipients = sender, []
                self._say("250 2.1.0 Ok")
        elif verb == "RCPT":
            recipient = line[line.find("<") + 1:line.rfind(">")].lower()
            if self.sender is None:
                self._say("503 5.5.1 MAIL first")
            elif refusal := self.limits.recipient(self.address, self.sender, recipient, self.recipients, now):
                self._refuse(refusal)
            else:
                self.recipients.append(recipient)
                self._say("250 2.1.5 Ok")
        elif verb == "DATA":
            self.in_data = bool(self.recipients)
            self._say("354 go" if self.in_data else "554 5.5.1 no valid recipients")
        elif verb == "RSET":
            self.sender, self.recipients = None, []
            self._say("250 2.0.0 Ok")
        elif verb == "NOOP":
            self._say("250 2.0.0 Ok")
        elif verb == "QUIT":
            self._say("221 2.0.0 Bye", close=True)
        else:
            self._say("502 5.5.2 what?")

    def _accept(self, message):
        now, ledger = self.fleet.now(), self.ledger
        self.messages += 1
        ledger.accepted[int(now)] += 1
        head = {}
        for line in message.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
            name, _, value = line.partition(b":")
            head[name.lower()] = value.strip().decode("latin-1")
        ident = head.get(b"message-id", str(time.monotonic()))
        name = ident.strip("<>").partition("@")[0].rpartition("-")[0]
        batch = ledger.batches[name]
        for recipient in self.recipients:
            if (ident, recipient) in ledger.seen:
                ledger.duplicates += 1
                continue
            ledger.seen.add((ident, recipient))
            batch["times"].append(round(now, 3))
            if b"x-bench-sent" in head:
                batch["waits"].append(round(time.monotonic() - float(head[b"x-bench-sent"]), 4))
            self.fleet.came(name)
        self.sender, self.recipients = None, []
        self._write("250 2.0.0 Ok: queued", False)

    def _refuse(self, refusal, close=False):
        kind, reply = refusal
        self.ledger.refused[kind][int(self.fleet.now())] += 1
        self._say(reply, close)

    def _say(self, text, close=False):
        self.waiting = True
        if delay := self.limits.get("tarpit", 0):
            asyncio.get_running_loop().call_later(delay, self._write, text, close)
        else:
            self._write(text, close)

    def _write(self, text, close):
        if self.transport is None or self.transport.is_closing():
            return
        if text:
            self.transport.write(text.encode() + b"\r\n")
        if close:
            self.transport.close()
            return
        self.waiting = False
        if self.buffer:
            asyncio.get_running_loop().call_soon(self._go_on)


def addresses(site):
    return site["addr"] if isinstance(site["addr"], list) else [site["addr"]]


def zone_of(sites):
    zone = {}
    for site in sites:
        hosts = [f"mx{i + 1}.{site['name']}.test" for i in range(len(addresses(site)))]
        zone.update({host: {"A": [address]} for host, address in zip(hosts, addresses(site))})
        for domain in site["domains"]:
            if site.get("mx_per_domain"):
                own = f"{domain.replace('.', '-')}.mail.{site['name']}.test"
                zone[own] = {"A": addresses(site)}
                zone[domain] = {"MX": [(10, own)]}
            else:
                zone[domain] = {"MX": [(10, host) for host in hosts]}
    return zone


async def serve(options):
    scenario = Scenario(options.scenario)
    fleet = Fleet(options.expect, {name for name, batch in scenario.batches.items() if batch["wanted"]})
    loop, sites = asyncio.get_running_loop(), {}
    for name, site in scenario.sites.items():
        limits, ledger = Limits(site), Ledger()
        sites[name] = (limits, ledger)
        for address in addresses(site):
            if not site.get("dead"):
                await loop.create_server(lambda n=name, m=limits, g=ledger: Session(n, m, g, fleet), address, 25,
                                         backlog=1024)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, fleet.done.set)

    def begin():
        loop.remove_reader(sys.stdin)
        fleet.began = time.monotonic()
    loop.add_reader(sys.stdin, begin)
    with DnsServer(zone_of(scenario.sites.values()), port=53, ttl=3600):
        print("ready", flush=True)
        await fleet.done.wait()
        told = {name: ledger.as_json(limits) for name, (limits, ledger) in sites.items()}
        pathlib.Path(options.ledger).write_text(json.dumps({"seconds": fleet.now(), "sites": told}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("ledger")
    parser.add_argument("--expect", type=int, required=True)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
