"""millrace-relay in a private folder, started and stopped by a test."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import places
from child import Child
from wait import answers, free_port, wait_until

CONFIG = """\
relay = {{
    hostname = "{hostname}";
    event_log = "{folder}/events.jsonl";
    spool = {{ directory = "{spool}"; free_min = "{free_min}"; results_reserve = "{reserve}"; }};
    control = {{ socket = "{folder}/control.sock"; }};
    listeners = ( {{ address = "127.0.0.1"; port = {port}; {listener} }} );
    dns = {{ servers = [ {dns} ]; dnssec = false; }};
    routes = ( {routes} );
    delivery = {{ private_addresses = "allow"; {delivery} }};
    {relay}
}};
gate = {{ {gate} }};
{more}
"""


def available():
    """None, or why the relay cannot run here."""
    return None if (places.programs / "millrace-relay").exists() else "millrace-relay is not built"


def everything_to(host, port):
    """The route that takes all mail to one server, in clear."""
    return f'{{ domain = "*"; host = "{host}"; port = {port}; tls = "none"; }}'


class Relay:
    """with Relay(dns_port=…, delivery='port = 2600;') as relay: … relay.port, relay.events(), relay.ask("queue").

    The arguments are libconfig texts of the groups they are named after. `wrapper` is put before the command
    (strace, setpriv, …). kill() and start() again keep folder and spool."""

    def __init__(self, dns_port=None, routes="", delivery="", gate="", relay="", listener="", more="", port=0,
                 folder=None, spool=None, hostname="relay.example.com", free_min="16M", reserve="4M", wrapper=(),
                 env=None):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="millrace-relay-"))
        self.own_folder = folder is None
        self.folder.mkdir(exist_ok=True)
        self.spool = pathlib.Path(spool or self.folder / "spool")
        if spool is None:
            self.spool.mkdir(mode=0o700, exist_ok=True)
        self.port = port or free_port()
        self.config = self.folder / "millrace.conf"
        self.settings = dict(hostname=hostname, folder=self.folder, spool=self.spool, free_min=free_min,
                             reserve=reserve, port=self.port, listener=listener,
                             dns=f'"127.0.0.1:{dns_port}"' if dns_port else "", routes=routes, delivery=delivery,
                             relay=relay, gate=gate, more=more)
        self.wrapper, self.env = list(wrapper), env or {}
        self.write()
        self.child = None

    def write(self, **changes):
        self.settings.update(changes)
        fresh = self.config.with_suffix(".new")
        fresh.write_text(CONFIG.format(**self.settings))
        fresh.rename(self.config)

    def start(self, wait=True):
        self.child = Child([*self.wrapper, places.program("millrace-relay"), "-c", self.config],
                           self.folder / "relay.log", env=self.env)
        if wait:
            wait_until(lambda: answers(self.port) or not self.child.running(), 60, "the relay's port")
            if not self.child.running():
                raise AssertionError(f"the relay did not start: {self.output()[-2000:]}")
        return self

    def output(self):
        return self.child.output() if self.child else ""

    def log(self):
        """What it said, by the name that the other servers have for it."""
        return self.output()

    def lines(self, event):
        """The log lines of that event, each as a dict of its fields."""
        found = []
        for line in self.output().splitlines():
            words = re.sub(r"^(error|warning): ", "", line)
            if words.split(" ", 1)[0] == event:
                found.append({m[1]: m[2][1:-1] if m[2].startswith('"') else m[2]
                              for m in re.finditer(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', words)})
        return found

    def events(self):
        """The journal's file so far; a line that is still being written is left out."""
        path = self.folder / "events.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]

    def wait_event(self, match, deadline=30, what="an event"):
        return wait_until(lambda: next((e for e in self.events() if match(e)), None), deadline, what)

    def ask(self, *arguments, check=True):
        """millrace ARGUMENTS --json, parsed: one value, or a list when there are several lines."""
        done = self.command(*arguments, "--json")
        if check and done.returncode not in (0, 1):
            raise AssertionError(f"millrace {' '.join(arguments)}: exit {done.returncode}: {done.stderr}")
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
        return lines[0] if len(lines) == 1 else lines

    def command(self, *arguments, **options):
        return subprocess.run([places.program("millrace"), "-c", str(self.config), *map(str, arguments)],
                              capture_output=True, text=True, timeout=60, **options)

    def reload(self):
        self.child.tell(signal.SIGHUP)

    def stop(self, deadline=35):
        return self.child.stop(deadline=deadline)

    def kill(self):
        self.child.kill()

    def remove(self):
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if self.child and self.child.running():
                self.child.stop(deadline=40)
        finally:
            if kind is None and not os.environ.get("MILLRACE_KEEP"):
                self.remove()
