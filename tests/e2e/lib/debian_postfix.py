"""Debian's Postfix on a private machine, set up as its postinst does for "Internet Site" and started as its unit does:
/etc/postfix, /var/spool/postfix with chroot, everything else Debian's default. One setting is not Debian's:
maillog_file, because no syslog daemon runs there.

    postfix = DebianPostfix("mail.garden.test", ["garden.test", …]); postfix.set_up(); postfix.start()
"""
import os
import pathlib
import re
import shutil
import subprocess

import packages
import private_machine
from wait import answers, wait_until

NEEDED = ["postfix", "libnsl2", "cpio", "libbsd0"]
ETC, QUEUE, LOG = pathlib.Path("/etc/postfix"), pathlib.Path("/var/spool/postfix"), pathlib.Path("/var/log/mail.log")
SUBMISSION = ("submission", "submissions")


def available():
    """None, or why Debian's Postfix cannot be unpacked here."""
    try:
        packages.unpacked("debian-postfix", NEEDED)
    except RuntimeError as e:
        return f"Postfix cannot be downloaded: {e}"
    return private_machine.available()


class DebianPostfix:
    def __init__(self, name, destinations):
        """name: the machine's full name; destinations: what Debian's question "destinations" is answered with."""
        self.name, self.destinations = name, destinations

    # --- set-up, in the order of postfix.postinst ---------------------------------------------
    def set_up(self, settings=None):
        """settings: main.cf parameters of this site, set with postconf -e after Debian's own."""
        for old in (ETC, QUEUE):  # a Postfix of the real machine would show through
            shutil.rmtree(old, ignore_errors=True)
        private_machine.lay_over([packages.unpacked("debian-postfix", NEEDED)])
        private_machine.user("postfix", 115, home=str(QUEUE))
        private_machine.add_group("postdrop", 116)
        self._folders()
        self._configuration()
        self.set(settings or {})

    def set(self, settings):
        if settings:
            _run("postconf", "-e", *(f"{name}={value}" for name, value in settings.items()))

    def open_submission(self):
        """The services submission and submissions, by taking out Debian's comment signs in master.cf."""
        inside, out = False, []
        for line in (ETC / "master.cf").read_text().splitlines():
            service = re.match(r"#(\S+)\s+inet ", line)
            inside = service[1] in SUBMISSION if service else inside and line.startswith("#  -o ")  \
                or inside and line.startswith("#     ")
            out.append(line[1:] if inside and (service or line.startswith("#  -o ")) else line)
        (ETC / "master.cf").write_text("\n".join(out) + "\n")

    def table(self, name, rows):
        """A hash: table in /etc/postfix."""
        (ETC / name).write_text("".join(f"{key}\t{value}\n" for key, value in rows.items()))
        _run("postmap", f"hash:{ETC / name}")

    def aliases(self, text):
        pathlib.Path("/etc/aliases").write_text(text)
        _run("newaliases")

    # --- life -----------------------------------------------------------------------------------
    def start(self):
        _run("/usr/lib/postfix/configure-instance.sh", "-")
        _run("postfix", "start")
        wait_until(lambda: answers(25), 30, f"Postfix's port 25; its log: {self.log()}")

    def stop(self):
        if self.running():
            _run("postfix", "stop")

    def reload(self):
        _run("postfix", "reload")

    def running(self):
        return subprocess.run(["postfix", "status"], capture_output=True).returncode == 0

    # --- what tests ask -------------------------------------------------------------------------
    def sendmail(self, message, *arguments, user=None):
        """sendmail(1) as that user (default root); the finished process. Lines end in LF as programs write them."""
        return subprocess.run(["/usr/sbin/sendmail", *arguments], input=message, capture_output=True, user=user,
                              cwd="/", timeout=60)

    def log(self):
        return LOG.read_text("utf-8", "replace") if LOG.exists() else ""

    def queue_length(self, *queues):
        """Messages in these queues (default: in all)."""
        return sum(len(files) for folder in queues or ("maildrop", "incoming", "active", "deferred", "hold")
                   for _, _, files in os.walk(QUEUE / folder))

    def flush(self):
        _run("postqueue", "-f")

    def _folders(self):
        for name, owner, group, mode in (
                ("private", "postfix", "root", 0o700), ("pid", "root", "root", 0o755),
                ("public", "postfix", "postdrop", 0o2710), ("maildrop", "postfix", "postdrop", 0o1730),
                *((n, "postfix", "root", 0o700) for n in
                  "incoming active bounce defer deferred flush saved corrupt hold trace".split())):
            (QUEUE / name).mkdir(parents=True, exist_ok=True)
            shutil.chown(QUEUE / name, owner, group)
            (QUEUE / name).chmod(mode)
        pathlib.Path("/var/lib/postfix").mkdir(exist_ok=True)
        shutil.chown("/var/lib/postfix", "postfix", "postfix")
        for program in ("postdrop", "postqueue"):
            shutil.chown(f"/usr/sbin/{program}", "root", "postdrop")
            os.chmod(f"/usr/sbin/{program}", 0o2555)

    def _configuration(self):
        share = pathlib.Path("/usr/share/postfix")
        shutil.copy(share / "dynamicmaps.cf", ETC / "dynamicmaps.cf")
        (ETC / "dynamicmaps.cf").write_text("".join(
            line for line in (share / "dynamicmaps.cf").read_text().splitlines(True)
            if line.startswith("#") or os.path.exists(f"/usr/lib/postfix/postfix-{line.split()[0]}.so")))
        shutil.copy(share / "master.cf.dist", ETC / "master.cf")
        (ETC / "main.cf").write_text((share / "main.cf.debian").read_text() + (share / "main.cf.tls").read_text())
        self._certificate()
        pathlib.Path("/etc/mailname").write_text(f"{self.name}\n")
        pathlib.Path("/etc/aliases").write_text("# See man 5 aliases for format\npostmaster:    root\n")
        self.set({
            "smtpd_relay_restrictions": "permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
            "myhostname": self.name, "alias_maps": "hash:/etc/aliases", "alias_database": "hash:/etc/aliases",
            "myorigin": "/etc/mailname", "mydestination": ", ".join(self.destinations), "relayhost": "",
            "mynetworks": "127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128", "mailbox_size_limit": "0",
            "recipient_delimiter": "+", "inet_interfaces": "all", "inet_protocols": "all",
            "maillog_file": str(LOG)})
        _run("newaliases")

    def _certificate(self):
        """What the package ssl-cert makes."""
        os.makedirs("/etc/ssl/private", exist_ok=True)
        _run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={self.name}",
             "-keyout", "/etc/ssl/private/ssl-cert-snakeoil.key", "-out", "/etc/ssl/certs/ssl-cert-snakeoil.pem")
        os.chmod("/etc/ssl/private/ssl-cert-snakeoil.key", 0o640)


def _run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
