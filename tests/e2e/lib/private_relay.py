"""millrace-relay in a private folder with one route for everything."""
import os
import pathlib
import shutil
import tempfile

import places
from child import Child
from wait import answers, free_port, wait_until


def available():
    """None, or why the relay cannot run here."""
    return None if (places.programs / "millrace-relay").exists() else "millrace-relay is not built"


class PrivateRelay:
    def __init__(self, relayhost, gate="", relay="", folder=None, name="mx.example.com"):
        """relayhost: (host, port) everything goes to. gate, relay: further libconfig text of the two groups."""
        self.port = free_port()
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="millrace-relay-"))
        self.config = self.folder / "millrace.conf"
        self.config.write_text(
            f'relay = {{ hostname = "{name}"; spool = {{ directory = "{self.folder}/spool"; }};\n'
            f'  listeners = ( {{ address = "127.0.0.1"; port = {self.port}; profile = "attached"; }} );\n'
            f'  routes = ( {{ domain = "*"; host = "{relayhost[0]}"; port = {relayhost[1]}; tls = "none"; }} );\n'
            f'  delivery = {{ private_addresses = "allow"; }}; {relay} }};\n'
            f'gate = {{ {gate} }};\n')
        os.makedirs(self.folder / "spool", mode=0o700, exist_ok=True)
        self.child = None

    def start(self):
        self.child = Child([places.program("millrace-relay"), "-c", self.config], self.folder / "relay.log")
        wait_until(lambda: answers(self.port) or not self.child.running(), 30, "the relay's port")
        if not self.child.running():
            raise AssertionError(f"the relay did not start: {self.log()}")
        return self

    def log(self):
        return self.child.output()

    def stop(self):
        if self.child and self.child.running():
            self.child.stop()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
