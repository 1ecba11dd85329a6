#!/usr/bin/python3
"""A Postfix of its own: own configuration, queue, data, users' mail untouched, everything on loopback. Uses the
Postfix that is installed, or Debian's package unpacked beside it (packages.py); never installs or starts the
machine's. Needs root, and makes the system users postfix and postdrop when they are missing.

  as a library:   with PrivatePostfix(relayhost=("127.0.0.1", 2526), milter="unix:/tmp/x.sock") as p: p.port
  as a program:   private_postfix.py --folder DIR --port 2500 --relay-port 2526 [--milter unix:/…/milter.sock]
                  runs until SIGTERM or Ctrl-C; prints `ready PORT` when it answers.
"""
import argparse
import os
import pathlib
import pwd
import grp
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import packages  # noqa: E402
from child import Child  # noqa: E402
from wait import answers, free_port, wait_until  # noqa: E402

QUEUE_FOLDERS = ("active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved "
                 "trace").split()

MASTER = """\
{port}     inet  n - n - {processes} smtpd
pickup     unix  n - n 1 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 1 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
smtp       unix  - - n - - smtp
relay      unix  - - n - - smtp
showq      unix  n - n - - showq
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
local      unix  - n n - - local
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""


def available():
    """None, or why a private Postfix cannot run here."""
    if os.geteuid() != 0:
        return "a private Postfix needs root"
    try:
        _root()
    except RuntimeError as e:
        return f"Postfix is not installed and cannot be downloaded: {e}"
    return None


def _root():
    """The folder that /usr/lib/postfix hangs under."""
    if os.path.exists("/usr/lib/postfix/sbin/master"):
        return pathlib.Path("/")
    return packages.unpacked("postfix", ["postfix"])


def _ensure_users():
    try:
        grp.getgrnam("postdrop")
    except KeyError:
        subprocess.run(["groupadd", "--system", "postdrop"], check=True)
    try:
        pwd.getpwnam("postfix")
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--home-dir", "/var/spool/postfix",
                        "--shell", "/usr/sbin/nologin", "--user-group", "postfix"], check=True)


class PrivatePostfix:
    def __init__(self, relayhost, milter=None, port=0, folder=None, settings=None, name="mx.example.com",
                 processes=100, wrapper=(), transport=None):
        """relayhost: (host, port) everything goes to. milter: Postfix's name of its socket, or a list of them.
        settings: further main.cf parameters, which win. wrapper: put before the command of the master.
        transport: name of a service of its own through which everything leaves, with XFORWARD, as attach sets up."""
        self.port = port or free_port()
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="millrace-postfix-"))
        self.relayhost, self.name, self.processes = relayhost, name, processes
        self.milters = [milter] if isinstance(milter, str) else list(milter or [])
        self.settings, self.wrapper, self.transport = settings or {}, list(wrapper), transport
        self.root = _root()
        self.sbin = self.root / "usr/lib/postfix/sbin"
        self.environment = {"MAIL_CONFIG": str(self.folder / "etc"),
                            "LD_LIBRARY_PATH": str(self.root / "usr/lib/postfix")}
        self.master = None

    # --- what tests and people use ------------------------------------------------------------
    def sendmail(self, message, *arguments, sender=None):
        """sendmail(1): mail without SMTP, through the maildrop queue and pickup. The finished process."""
        command = [self.root / "usr/sbin/sendmail", "-C", self.folder / "etc", "-i"]
        command += ["-f", sender] if sender is not None else []
        return subprocess.run([str(c) for c in command + list(arguments)], input=message, capture_output=True,
                              env={**os.environ, **self.environment})

    def log(self):
        path = self.folder / "log/postfix.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def queue_length(self):
        return sum(len(files) for folder in ("maildrop", "incoming", "active", "deferred", "hold")
                   for _, _, files in os.walk(self.folder / "queue" / folder))

    def wait_empty(self, deadline=30):
        return wait_until(lambda: self.queue_length() == 0, deadline, "Postfix's empty queue")

    def flush(self):
        self._run("postqueue", "-c", self.folder / "etc", "-f")

    # --- life -----------------------------------------------------------------------------------
    def start(self):
        _ensure_users()
        self._lay_out()
        self.master = Child([*self.wrapper, self.sbin / "master", "-d", "-c", self.folder / "etc"],
                            self.folder / "log/master.log", env=self.environment, cwd=self.folder / "queue")
        wait_until(lambda: answers(self.port) or not self.master.running(), 30, "Postfix's port")
        if not self.master.running():
            raise AssertionError(f"Postfix did not start: {self.master.output()}{self.log()}")
        return self

    def stop(self):
        if self.master and self.master.running():
            self.master.stop()
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

    def _run(self, name, *arguments):
        return subprocess.run([str(self.root / "usr/sbin" / name), *map(str, arguments)], capture_output=True,
                              env={**os.environ, **self.environment})

    def _lay_out(self):
        owner = pwd.getpwnam("postfix").pw_uid
        drop = grp.getgrnam("postdrop").gr_gid
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chmod(self.folder, 0o755)
        for name in ("etc", "queue", "data", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        os.chown(self.folder / "data", owner, -1)
        for name in QUEUE_FOLDERS:
            folder = self.folder / "queue" / name
            folder.mkdir(exist_ok=True)
            folder.chmod(0o700)
            os.chown(folder, owner if name != "pid" else 0, 0)
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            os.chown(self.folder / "queue" / name, owner, drop)
            (self.folder / "queue" / name).chmod(mode)
        (self.folder / "queue/pid").chmod(0o755)
        (self.folder / "etc/master.cf").write_text(MASTER.format(port=f"127.0.0.1:{self.port}",
                                                                 processes=self.processes) + self._service())
        (self.folder / "etc/main.cf").write_text("".join(f"{k} = {v}\n" for k, v in self._main().items()))
        (self.folder / "etc/dynamicmaps.cf").touch()

    def _service(self):
        return f"{self.transport} unix - - n - - smtp -o smtp_send_xforward_command=yes\n" if self.transport else ""

    def _main(self):
        host, port = self.relayhost
        folder, lib = self.folder, self.root / "usr/lib/postfix"
        milters = ", ".join(
            m if m.startswith("{") else
            f"{{ {m}, connect_timeout=5s, command_timeout=10s, content_timeout=30s, default_action=tempfail }}"
            for m in self.milters)
        return {
            "compatibility_level": "3.6",
            "daemon_directory": self.sbin, "shlib_directory": lib,
            "command_directory": self.root / "usr/sbin", "sendmail_path": self.root / "usr/sbin/sendmail",
            "meta_directory": folder / "etc", "queue_directory": folder / "queue", "data_directory": folder / "data",
            "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH",
            "export_environment": "TZ MAIL_CONFIG LANG LD_LIBRARY_PATH",
            "mail_owner": "postfix", "setgid_group": "postdrop", "default_privs": "nobody",
            "maillog_file": folder / "log/postfix.log", "maillog_file_prefixes": folder,
            "myhostname": self.name, "mydestination": "", "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "biff": "no",
            "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "relayhost": f"[{host}]:{port}", "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no", "smtpd_recipient_restrictions": "permit_mynetworks, reject",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
            "smtpd_client_connection_count_limit": "0", "smtpd_client_connection_rate_limit": "0",
            "smtpd_tls_security_level": "none", "smtp_tls_security_level": "none",
            "smtpd_forbid_bare_newline": "normalize", "smtpd_forbid_unauth_pipelining": "yes",
            "local_header_rewrite_clients": "", "message_size_limit": "52428800",
            "milter_protocol": "6", "smtpd_milters": milters, "non_smtpd_milters": milters,
            "minimal_backoff_time": "1s", "maximal_backoff_time": "5s", "queue_run_delay": "1s",
            "smtp_connect_timeout": "5s", "notify_classes": "",
            **({"default_transport": self.transport} if self.transport else {}),
            **self.settings,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", required=True, help="for configuration, queue and log; kept at the end")
    parser.add_argument("--port", type=int, default=0, help="to listen on (default: a free one)")
    parser.add_argument("--relay-host", default="127.0.0.1")
    parser.add_argument("--relay-port", type=int, required=True, help="where all mail goes")
    parser.add_argument("--milter", action="append", default=[], help="Postfix's name of a milter socket")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a main.cf parameter")
    options = parser.parse_args()
    reason = available()
    if reason:
        sys.exit(reason)
    settings = dict(s.split("=", 1) for s in options.set)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with PrivatePostfix((options.relay_host, options.relay_port), options.milter, options.port, options.folder,
                        settings) as postfix:
        print(f"ready {postfix.port}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
