#!/usr/bin/python3
"""The stage of contrib/quickstart: private Postfix → millrace-milter → millrace-relay → two receiving servers."""
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests/e2e/lib"))
import private_postfix  # noqa: E402
from dns_server import DnsServer  # noqa: E402
from gate import Gate  # noqa: E402
from relay import Relay  # noqa: E402
from sink import Sink  # noqa: E402
from smtp import Smtp  # noqa: E402
from wait import free_port, wait_until  # noqa: E402

COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
GARDEN, MEADOW = "127.0.0.21", "127.0.0.22"  # two receiving servers, each with an address of its own


def paint(text, code):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def say(who, what, good=None):
    mark = "" if good is None else (paint("  ok", "32") if good else paint("  NOT AS EXPECTED", "31"))
    lines = str(what).splitlines() or [""]
    print(f"   {who:<22} {lines[0]}{mark}")
    for line in lines[1:]:
        print(f"   {'':<22} {line}")


class Stubborn:
    """Answers the first delivery to slow@… with 451, as a greylisting server does."""

    def __init__(self):
        self.asked = 0

    def __call__(self, verb, argument):
        if verb == "RCPT" and "slow@" in argument:
            self.asked += 1
            if self.asked == 1:
                return "451 4.7.1 Greylisted, please try again later"
        return None


MESSAGES = [
    dict(title="a clean message", sender="news@shop.example", to="rose@garden.test", expect="delivered",
         lines=["From: Shop <news@shop.example>", "To: Rose <rose@garden.test>", "Subject: Your order",
                "Date: Mon, 02 Nov 2026 10:00:00 +0000", "Message-ID: <clean@shop.example>"]),
    dict(title="a raw 8-bit Subject, an unknown From domain and an X-tag", sender="app@shop.example",
         to="tulip@garden.test", expect="delivered",
         lines=["From: Crème <info@elsewhere.example>", "To: tulip@garden.test", "Subject: Crème brûlée à 5 €",
                "X-tag: summer-2026", "Date: Mon, 02 Nov 2026 10:00:00 +0000", "Message-ID: <raw@elsewhere.example>"]),
    dict(title="one without From", sender="app@shop.example", to="rose@garden.test", expect="refused",
         lines=["To: rose@garden.test", "Subject: who wrote this?"]),
    dict(title="one for a receiver that answers 451 first", sender="app@shop.example", to="slow@meadow.test",
         expect="delivered",
         lines=["From: app@shop.example", "To: slow@meadow.test", "Subject: Password reset",
                "Date: Mon, 02 Nov 2026 10:00:00 +0000", "Message-ID: <slow@shop.example>"]),
]


class Stage:
    def __init__(self, folder):
        self.folder = folder
        self.parts = []
        for name in ("gate", "relay", "postfix"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        port = free_port()
        self.receivers = {
            "garden.test": Sink(host=GARDEN, port=port),
            "meadow.test": Sink(host=MEADOW, port=port, answer=Stubborn()),
        }
        zone = {
            "garden.test": {"MX": [(10, "mx.garden.test")]}, "mx.garden.test": {"A": [GARDEN]},
            "meadow.test": {"MX": [(10, "mx1.meadow.test"), (20, "mx2.meadow.test")]},
            "mx1.meadow.test": {"A": [MEADOW]}, "mx2.meadow.test": {"A": [MEADOW]},
        }
        self.dns = DnsServer(zone)
        self.gate = self.enter(Gate(gate='mode = "enforce"; known_domains = [ "shop.example" ]; '
                                         'sender = "postmaster@shop.example";', folder=folder / "gate"))
        self.relay = self.enter(Relay(
            dns_port=self.dns.port, folder=folder / "relay", hostname="relay.shop.example",
            delivery=f'port = {port}; retry = [ "2s", "5s", "30s" ];',
            gate='mode = "enforce"; known_domains = [ "shop.example" ]; sender = "postmaster@shop.example";'))
        self.postfix = self.enter(private_postfix.PrivatePostfix(
            ("127.0.0.1", self.relay.port), milter=self.gate.socket, folder=folder / "postfix",
            name="mail.shop.example"))

    def enter(self, part):
        part.__enter__()
        self.parts.append(part)
        return part

    def close(self):
        for part in reversed(self.parts):
            part.__exit__(KeyboardInterrupt, None, None)
        self.dns.stop()
        for receiver in self.receivers.values():
            receiver.close()


def journey(stage, number, message):
    """Sends one message and tells what became of it; True when it ended as it should."""
    print('\n' + paint(f'{number}  ' + message['title'], '1'))
    text = "\r\n".join(message["lines"]) + "\r\n\r\nHello.\r\n"
    judged = len(stage.gate.lines())
    with_smtp = Smtp(stage.postfix.port, helo="application.shop.example")
    reply = with_smtp.message(message["sender"], [message["to"]], text.encode())
    with_smtp.quit()
    say("application → Postfix", reply.text, reply.ok() == (message["expect"] != "refused"))
    verdict = stage.gate.wait_for("gate.message", judged + 1)[-1]
    changes = verdict.get("edits", "0")
    what = "refused" if verdict.get("verdict") == "reject" else (
        "nothing to change" if changes in ("0", "-", "") else f"changed {changes} header fields")
    say("gate", f"{what}; defects {verdict.get('defects', '-')}, tag {verdict.get('tag', '-')}, "
                f"{verdict.get('us', '?')} microseconds")
    if message["expect"] == "refused":
        return not reply.ok()

    def of_this(event):
        return event["recipient"] == message["to"] and event["message_id"] == identity
    identity = next(line.split(": ", 1)[1] for line in message["lines"] if line.startswith("Message-ID"))
    end = stage.relay.wait_event(lambda e: of_this(e) and e["event"] in ("delivered", "bounced", "expired"), 60,
                                 f"the end of {identity}")
    for event in [e for e in stage.relay.events() if of_this(e)]:
        if event["event"] == "received":
            say("relay took it over", f"as {event['queue_id']} (Postfix: {event.get('mta_queue_id') or '-'})")
        else:
            say(f"attempt {event['attempt']}", f"{event['event']} by {event['remote_mta']}, lane {event['site']}")
            say("the receiver said", f"{event.get('smtp_code', '')} {event.get('enhanced_status', '')} "
                                     f"{event.get('reason', '')}".strip())
    arrived = stage.receivers[message["to"].split("@")[1]].wait_for(lambda m: m.recipients == [message["to"]] and
                                                                   identity.encode() in m.data)
    sent = {line.split(":", 1)[0].lower() for line in message["lines"]}
    for name, value in arrived.header_lines():
        shown = f"{name.decode()}:{value.decode('utf-8', 'replace')}"
        before = next((l for l in message["lines"] if l.split(":", 1)[0].lower() == name.decode().lower()), None)
        if name.lower() != b"received" and (name.decode().lower() not in sent or before != shown):
            say("changed on the way", shown)
    good = end["event"] == message["expect"]
    say("journey", end["event"], good)
    return good


def main():
    once = "--once" in sys.argv[1:]
    reason = private_postfix.available()
    if reason:
        print(f"contrib/quickstart: {reason}", file=sys.stderr)
        return 75
    folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-quickstart-"))
    folder.chmod(0o755)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    print("starting a name server, two receiving servers, the relay, the milter and a private Postfix …", flush=True)
    stage = Stage(folder)
    good = False
    try:
        results = [journey(stage, i, m) for i, m in enumerate(MESSAGES, 1)]
        good = all(results)
        wait_until(lambda: stage.postfix.queue_length() == 0, 20, "Postfix's empty queue")
        print(f"\n{sum(results)} of {len(results)} journeys ended as they should.")
        if not once and not ended.is_set():
            print(f"""
It runs on. Send mail of your own, and ask the relay:
   submit by SMTP      127.0.0.1:{stage.postfix.port} (Postfix), anyone at garden.test or meadow.test receives
   build/bin/millrace -c {stage.relay.config}
   build/bin/millrace -c {stage.relay.config} queue
   build/bin/millrace -c {stage.relay.config} events -f
Logs, queue and spool: {folder}
Ctrl-C ends it.""", flush=True)
            ended.wait()
    finally:
        stage.close()
        if good:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"everything it left behind: {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
