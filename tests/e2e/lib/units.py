"""Millrace's two daemons on a private machine, and the command. They open their sockets themselves, or, after hold(),
get them as from systemd's socket units: this process keeps them open and hands them over (LISTEN_FDS), so that a
restart or an upgrade refuses nobody."""
import json
import os
import pathlib
import re
import socket
import subprocess

import places
from child import Child
from wait import wait_until

CONFIG = """\
# What the operator wrote.
relay = {{
    hostname = "{hostname}";
    spool = {{ directory = "{folder}/spool"; }};
    control = {{ socket = "{folder}/control.sock"; }};
    dns = {{ servers = [ "127.0.0.1" ]; dnssec = false; }};
    delivery = {{ retry = [ "{retry}" ]; }};
    {relay}
}};
{more}
"""


class Units:
    """units = Units(folder, "mail.garden.test"); units.start(); units.millrace("attach", "postfix", …)"""

    def __init__(self, folder, hostname, retry="2s", relay="", more=""):
        """retry: time between attempts; relay, more: further libconfig text in the group relay, and outside."""
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "millrace.conf"
        self.programs = places.programs  # an upgrade puts others there
        (self.folder / "spool").mkdir(parents=True, mode=0o755)
        pathlib.Path("/run/millrace").mkdir(exist_ok=True)
        self.config.write_text(CONFIG.format(hostname=hostname, folder=self.folder, retry=retry, relay=relay,
                                             more=more))
        self._held, self._children, self._runs = {}, {}, 0

    # --- the sockets, when something else holds them --------------------------------------------
    def hold(self):
        """From the next start on. Only while the daemons are stopped."""
        path = pathlib.Path(self.setting("milter", "socket").removeprefix("unix:"))
        owner = path.stat() if path.exists() else path.parent.stat()
        path.unlink(missing_ok=True)
        gate = socket.socket(socket.AF_UNIX)
        gate.bind(str(path))
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o660)
        gate.listen(4096)
        self._held = {"milter": gate, "relay": socket.create_server(("127.0.0.1", 2525), backlog=4096)}

    def let_go(self):
        for one in self._held.values():
            one.close()
        self._held = {}

    # --- the services ---------------------------------------------------------------------------
    def start(self, *names):
        for name in names or ("milter", "relay"):
            self._start(name)

    def stop(self, *names):
        for name in names or ("milter", "relay"):
            child = self._children.get(name)
            if child and child.running():
                child.stop(deadline=40)

    def restart(self, *names):
        self.stop(*names)
        self.start(*names)

    def log(self, name):
        return "".join(p.read_text("utf-8", "replace") for p in sorted(self.folder.glob(f"{name}.*.log")))

    def _start(self, name):
        self._runs += 1
        log = self.folder / f"{name}.{self._runs:03d}.log"
        command, descriptors = [self.programs / f"millrace-{name}", "-c", self.config], ()
        if self._held:
            descriptors = (self._held[name].fileno(),)
            command = ["bash", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@" '
                       f"3<&{descriptors[0]} {descriptors[0]}<&-", *command]
        self._children[name] = Child(command, log, pass_fds=descriptors)
        ready = {"milter": "gate.listening", "relay": "relay.started"}[name]
        wait_until(lambda: ready in log.read_text("utf-8", "replace") or not self._children[name].running(), 60,
                   f"the {name}'s start")
        if not self._children[name].running():
            raise AssertionError(f"millrace-{name} did not start: {log.read_text('utf-8', 'replace')}")

    # --- the command ----------------------------------------------------------------------------
    def millrace(self, *arguments, user=None, env=None, timeout=120):
        """The finished process of `millrace -c FILE ARGUMENTS`."""
        return subprocess.run([self.programs / "millrace", "-c", self.config, *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, user=user,
                              env={**os.environ, **(env or {})})

    def queued(self):
        done = self.millrace("status", "--json")
        return json.loads(done.stdout)["queued"] if done.stdout else None

    def setting(self, group, name, program="millrace-milter"):
        """What is in force, as the program itself says: the text between the quotes."""
        shown = subprocess.run([self.programs / program, "-c", self.config, "--print-config"], capture_output=True,
                               text=True, check=True).stdout
        inside = re.search(rf"(?ms)^{group} = \{{\n(.*?)^\}};", shown)[1]
        return re.search(rf'(?m)^    {name} = "(.*)";', inside)[1]

    def messages(self):
        """What the gate's message log says: one object per message, in order."""
        name = self.setting("milter", "message_log")
        if not name or not os.path.exists(name):
            return []
        with open(name, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.let_go()
