"""A Sendmail with a past, on a private machine where an OldSite was and its Postfix is stopped: Debian's Sendmail 8.17 at
its place, /etc/mail, ports 25 and 587; it receives for garden.test, is backup MX of lily.test, a mailertable entry sends
fern.test by hand, everything else leaves by MX. sendmail(1) goes by submit.cf, as on every Sendmail.

    with SendmailSite(old_site) as site: site.mta, site.world, site.application(), site.stranger()
"""
import pathlib
import shutil
import subprocess

import private_machine
from child import Child
from private_sendmail import PrivateSendmail
from wait import answers, wait_until

ETC = pathlib.Path("/etc/mail")

MC = """\
divert(-1)
# What the administrator wrote, years ago.
divert(0)dnl
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
VERSIONID(`garden.test')
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `{name}')dnl
define(`confPID_FILE', `/run/sendmail.pid')dnl
define(`STATUS_FILE', `/var/lib/sendmail.st')dnl
define(`HELP_FILE', `')dnl
define(`QUEUE_DIR', `/var/spool/mqueue')dnl
define(`ALIAS_FILE', `/etc/mail/aliases')dnl
define(`confPRIVACY_FLAGS', `')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDELAY_LA', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confTO_IDENT', `0')dnl
define(`LOCAL_MAILER_PATH', `/etc/mail/deliver')dnl
define(`LOCAL_MAILER_ARGS', `deliver $u')dnl
define(`LOCAL_MAILER_FLAGS', `PSn9')dnl
FEATURE(`mailertable')dnl
FEATURE(`access_db')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
LOCAL_DOMAIN(`garden.test')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""

SUBMIT = """\
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confPID_FILE', `/run/sendmail-msp.pid')dnl
define(`MSP_QUEUE_DIR', `/var/spool/mqueue-client')dnl
define(`confTO_IDENT', `0')dnl
FEATURE(`msp', `[127.0.0.1]')dnl
"""


# mail.local wants a mail spool of its own making.
DELIVER = """\
#!/bin/sh
exec 9>>"/var/mail/$1"
flock 9
{ echo "From sender"; cat; echo; } >&9
"""


class DebianSendmail(PrivateSendmail):
    """Unpacked at its place instead of in a folder."""

    def __init__(self, name):
        super().__init__(None, folder=ETC, name=name)
        self.own_folder, self.port = False, 25
        self.binary, self.environment = pathlib.Path("/usr/libexec/sendmail/sendmail"), {}

    def start(self):
        if not (ETC / "sendmail.cf").exists():
            self._lay_out()
        self.run()
        return self

    def run(self):
        self.daemon = Child([self.binary, "-bD", "-q2s"], "/var/log/sendmail.out")
        wait_until(lambda: answers(25) or not self.daemon.running(), 60, "Sendmail's port")
        if not self.daemon.running():
            raise AssertionError(f"Sendmail did not start: {self.daemon.output()}")

    def restart(self):
        self.daemon.stop()
        self.run()

    def sendmail(self, message, *arguments, user=None):
        return subprocess.run([str(self.binary), *arguments], input=message, capture_output=True, user=user)

    def queue_length(self):
        return sum(1 for queue in ("mqueue", "mqueue-client") for f in pathlib.Path("/var/spool", queue).iterdir()
                   if f.name.startswith("qf"))

    def _lay_out(self):
        shutil.rmtree(ETC, ignore_errors=True)
        private_machine.lay_over([self.root])
        private_machine.user("smmsp", 126)
        for folder, owner, mode in (("/etc/mail", "root", 0o755), ("/var/spool/mqueue", "root", 0o700),
                                    ("/var/spool/mqueue-client", "smmsp", 0o770)):
            path = pathlib.Path(folder)
            path.mkdir(exist_ok=True)
            shutil.chown(path, owner, owner)
            path.chmod(mode)
        pathlib.Path("/var/lib/sendmail.st").touch()
        (ETC / "aliases").write_text("postmaster: root\nroot: alice\nwebmaster: carol\noutside: far@moss.test\n")
        (ETC / "deliver").write_text(DELIVER)
        (ETC / "deliver").chmod(0o755)
        (ETC / "relay-domains").write_text("lily.test\n")
        self._make("sendmail", MC.format(name=self.name))
        self._make("submit", SUBMIT)
        self._map("mailertable", "fern.test esmtp:[mx1.fern.test]\n")
        self._map("access", "Connect:192.0.2 RELAY\n")
        # Set-group-id, as Debian has it: sendmail(1) writes its own queue when the daemon is away.
        shutil.chown(self.binary, "root", "smmsp")
        self.binary.chmod(0o2755)
        subprocess.run([str(self.binary), "-bi"], check=True, capture_output=True)

    @staticmethod
    def _map(name, text):
        (ETC / name).write_text(text)
        subprocess.run(["/usr/sbin/makemap", "hash", f"/etc/mail/{name}"], input=text.encode(), check=True,
                       capture_output=True)


class SendmailSite:
    def __init__(self, old_site):
        self.old, self.world, self.name = old_site, old_site.world, old_site.postfix.name
        self.mta = DebianSendmail(self.name)
        self.stranger, self.application = old_site.stranger, old_site.application

    def __enter__(self):
        self.old.postfix.stop()
        try:
            self.mta.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.mta.stop()
        self.old.postfix.start()
