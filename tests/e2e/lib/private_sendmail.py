"""A Sendmail 8.17 of its own, unpacked from Debian's packages beside whatever MTA the machine has (they conflict as
packages). Own configuration, queue and ports; everything is relayed to one host. Needs root, m4 comes along.

    with PrivateSendmail(relayhost=("127.0.0.1", 2526), milter="local:/tmp/x.sock") as s: s.port
"""
import os
import pathlib
import shutil
import subprocess
import tempfile

import packages
from child import Child
from wait import answers, free_port, wait_until

NEEDED = "sendmail-bin sendmail-cf libwrap0 libnsl2 liblockfile1 m4 libsigsegv2 libldap-2.5-0 libsasl2-2 libtirpc3".split()

MC = """\
divert(-1)
divert(0)dnl
include(`{cf}/m4/cf.m4')dnl
VERSIONID(`millrace test')
OSTYPE(`linux')dnl
define(`confPRIVACY_FLAGS', `')dnl
define(`SMART_HOST', `relay:[{relay_host}]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {relay_port}')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h {relay_port}')dnl
define(`QUEUE_DIR', `{folder}/queue')dnl
define(`confPID_FILE', `{folder}/sendmail.pid')dnl
define(`STATUS_FILE', `{folder}/statistics')dnl
define(`ALIAS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`confDELIVERY_MODE', `interactive')dnl
define(`confDOMAIN_NAME', `{name}')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDELAY_LA', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confTO_IDENT', `0')dnl
define(`confTO_RESOLVER_RETRANS', `1s')dnl
define(`confTO_RESOLVER_RETRY', `1')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe,TrustStickyBit')dnl
define(`confRUN_AS_USER', `root')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
define(`confMILTER_MACROS_CONNECT', `')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
FEATURE(`nocanonify')dnl
DAEMON_OPTIONS(`Name=MTA, Family=inet, Addr=127.0.0.1, Port={port}')dnl
{filter}
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


def available():
    """None, or why a private Sendmail cannot run here."""
    if os.geteuid() != 0:
        return "a private Sendmail needs root"
    try:
        packages.unpacked("sendmail", NEEDED)
    except RuntimeError as e:
        return f"Sendmail cannot be downloaded: {e}"
    return None


class PrivateSendmail:
    def __init__(self, relayhost, milter=None, folder=None, name="mx.example.com"):
        """relayhost: (host, port) everything goes to. milter: Sendmail's name of its socket."""
        self.port = free_port()
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="millrace-sendmail-"))
        self.relayhost, self.milter, self.name = relayhost, milter, name
        self.root = packages.unpacked("sendmail", NEEDED)
        self.binary = next(self.root.glob("usr/libexec/sendmail/sendmail"), self.root / "usr/lib/sm.bin/sendmail")
        libraries = self.root / "usr/lib/x86_64-linux-gnu"
        self.environment = {"LD_LIBRARY_PATH": f"{libraries}:{self.root / 'lib/x86_64-linux-gnu'}"}
        self.daemon = None

    def start(self):
        self._lay_out()
        # Without a dotted host name Sendmail sleeps a minute, so it gets one, in a name space of its own.
        command = f'hostname {self.name}; exec "$0" -bD -C "$1" -q1s'
        self.daemon = Child(["unshare", "-u", "sh", "-c", command, self.binary, self.folder / "sendmail.cf"],
                            self.folder / "sendmail.log", env=self.environment)
        wait_until(lambda: answers(self.port) or not self.daemon.running(), 60, "Sendmail's port")
        if not self.daemon.running():
            raise AssertionError(f"Sendmail did not start: {self.daemon.output()}")
        return self

    def sendmail(self, message, *arguments, sender=None):
        """sendmail(1), delivering by itself: mail without SMTP. The finished process."""
        command = ["unshare", "-u", "sh", "-c", f'hostname {self.name}; exec "$@"', "sh", self.binary, "-C",
                   self.folder / "sendmail.cf", "-Am", "-i"]
        command += ["-f", sender] if sender is not None else []
        return subprocess.run([str(c) for c in command + list(arguments)], input=message, capture_output=True,
                              env={**os.environ, **self.environment})

    def queue_length(self):
        return sum(1 for f in (self.folder / "queue").iterdir() if f.name.startswith("qf"))

    def wait_empty(self, deadline=30):
        return wait_until(lambda: self.queue_length() == 0, deadline, "Sendmail's empty queue")

    def log(self):
        return self.daemon.output()

    def stop(self):
        if self.daemon and self.daemon.running():
            self.daemon.stop()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def _lay_out(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        (self.folder / "queue").mkdir(exist_ok=True)
        (self.folder / "queue").chmod(0o700)
        cf = next(self.root.glob("usr/share/sendmail/cf"))
        milter = (f"INPUT_MAIL_FILTER(`millrace', `S={self.milter}, F=T, T=C:10s;S:10s;R:10s;E:30s')dnl"
                  if self.milter else "dnl")
        self._make("sendmail", self._source(cf, milter))

    def _source(self, cf, milter):
        """The text of sendmail.mc. cf: the folder of the m4 files."""
        return MC.format(cf=cf, relay_host=self.relayhost[0], relay_port=self.relayhost[1], folder=self.folder,
                         name=self.name, port=self.port, filter=milter)

    def _make(self, name, source):
        """NAME.mc, and of it NAME.cf, as `make -C /etc/mail` does."""
        mc = self.folder / f"{name}.mc"
        mc.write_text(source)
        done = subprocess.run([str(self.root / "usr/bin/m4"), str(mc)], text=True, capture_output=True,
                              env={**os.environ, **self.environment})
        if done.returncode != 0:
            raise AssertionError(f"m4: {done.stderr}")
        (self.folder / f"{name}.cf").write_text(done.stdout)
