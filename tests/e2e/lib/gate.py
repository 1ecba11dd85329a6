"""millrace-milter in a private folder, started and stopped by a test."""
import os
import pathlib
import re
import signal
import tempfile

import places
from child import Child
from wait import wait_until


class Gate:
    """with Gate(gate={"mode": "enforce"}) as gate: … gate.socket (for Postfix), gate.lines(). `gate` and `milter`
    are libconfig texts of the two groups."""

    def __init__(self, gate="", milter="", relay='hostname = "mx.example.com";', folder=None, unix=True, port=0):
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="millrace-gate-"))
        os.chmod(self.folder, 0o755)
        self.path = self.folder / "milter.sock"
        self.name = f"unix:{self.path}" if unix else f"inet:{port}@127.0.0.1"
        self.socket = f"unix:{self.path}" if unix else f"inet:127.0.0.1:{port}"
        self.config = self.folder / "millrace.conf"
        self.relay = relay
        self.configure(gate, milter)
        self.child = None

    def configure(self, gate="", milter=""):
        self.write(f'relay = {{ {self.relay} }};\n'
                   f'milter = {{ socket = "{self.name}"; {milter} }};\n'
                   f'gate = {{ {gate} }};\n')

    def write(self, text):
        fresh = self.config.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self.config)

    def start(self):
        before = len(self.lines("gate.listening"))
        self.child = Child([places.program("millrace-milter"), "-c", self.config], self.folder / "milter.log")
        wait_until(lambda: len(self.lines("gate.listening")) > before or not self.child.running(), 20, "the milter's start")
        if not self.child.running():
            raise AssertionError(f"the milter did not start: {self.output()}")
        if self.path.exists():
            os.chmod(self.path, 0o666)  # the private Postfix runs as another user
        return self

    def output(self):
        return self.child.output() if self.child else ""

    def lines(self, event="gate.message"):
        """The log lines of that event, each as a dict of its fields."""
        found = []
        for line in self.output().splitlines():
            words = re.sub(r"^(error|warning): ", "", line)
            if words.split(" ", 1)[0] == event:
                found.append({m[1]: m[2][1:-1] if m[2].startswith('"') else m[2]
                              for m in re.finditer(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', words)})
        return found

    def wait_for(self, event, count=1, deadline=20):
        return wait_until(lambda: len(self.lines(event)) >= count and self.lines(event), deadline, f"{count} × {event}")

    def worker(self):
        """The pid of the process that libmilter runs in."""
        children = pathlib.Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text().split()
        return int(children[-1]) if children else None

    def reload(self):
        self.child.tell(signal.SIGHUP)

    def stop(self):
        return self.child.stop() if self.child else None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.child and self.child.running():
            self.child.stop()
