#!/usr/bin/python3
"""The mail server that Millrace gets attached to: years old, Debian 12, Postfix with everything around it, on a
private machine with a world outside. Inbound mail for garden.test (local users, aliases, lists) and meadow.test
(virtual mailboxes), cron and web applications, submission for three companies, OpenDKIM for one of them, a transport
map for warehouse.test, a `dane` line in the TLS policy for bank.test, everything else by MX.

  as a library:   with OldSite(folder) as site: site.postfix, site.world.sinks["rose.test"], site.submission("alice")
  as a program:   old_site.py --folder DIR    starts it, prints what is where and runs until SIGTERM
"""
import argparse
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debian_postfix  # noqa: E402
import mailboxes  # noqa: E402
import mailing_lists  # noqa: E402
import opendkim  # noqa: E402
import packages  # noqa: E402
import private_machine  # noqa: E402
from receivers import Receivers  # noqa: E402
from smtp import Smtp  # noqa: E402
from submission import Submission  # noqa: E402

NAME, ADDRESS = "mail.garden.test", "192.0.2.25"
STRANGER, LAPTOP = "198.51.100.7", "198.51.100.20"  # a foreign mail server, and where our companies' people sit
COMPANIES = {"alice": "garden.test", "bob": "meadow.test", "clara": "bakery.test"}
LOCAL_USERS = ("alice", "carol", "dave")
SIGNED = "bakery.test"
PASSWORD = "correct horse"

ALIASES = """\
# See man 5 aliases for format
postmaster:    root
root:          alice
webmaster:     carol
team:          alice, carol, far@rose.test
outside:       far@lily.test
archive:       /var/mail/archive
news-bounces:  carol
"""

LISTS = {
    "news": ("news@garden.test", "news-bounces@garden.test",
             ["alice@garden.test", "bob@meadow.test", "reader@rose.test", "reader@lily.test"]),
    "announce": ("announce@garden.test", "", ["carol@garden.test", "reader@rose.test"]),
}

SASL_NEEDED = ["sasl2-bin", "libsasl2-modules"]


def available():
    """None, or why there can be no such site here."""
    reason = debian_postfix.available()
    try:
        packages.unpacked("sasl", SASL_NEEDED)
        packages.unpacked("opendkim", opendkim.NEEDED)
    except RuntimeError as e:
        reason = reason or str(e)
    return reason


class OldSite:
    """Must be made on a private machine of the name NAME (private_machine.enter)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.postfix = debian_postfix.DebianPostfix(
            NAME, [NAME, "garden.test", "localhost.garden.test", "localhost"])
        self.mta = self.postfix
        self.dkim = opendkim.OpenDkim(SIGNED, others=("elsewhere.test", "garden.test"))
        self.world = Receivers({
            NAME: {"A": [ADDRESS]},
            "garden.test": {"MX": [(10, NAME)]},
            "meadow.test": {"MX": [(10, NAME)]},
            "": {"NS": ["ns.test"]},  # Postfix looks here whether answers are authentic
        }, self.folder)

    # --- ways to hand mail in -------------------------------------------------------------------
    def submission(self, user, port=587):
        """A logged-in client of one of the three companies, connected from outside."""
        with private_machine.outside():
            return Submission(ADDRESS, f"{user}@{COMPANIES[user]}", PASSWORD, port, source=LAPTOP)

    def stranger(self):
        """A foreign mail server, connected to port 25."""
        with private_machine.outside():
            return Smtp(25, ADDRESS, helo="mx.elsewhere.test", source=STRANGER)

    def application(self):
        """A program on the server, connected to 127.0.0.1:25."""
        return Smtp(25, helo="localhost")

    # --- life -----------------------------------------------------------------------------------
    def start(self):
        private_machine.world(ADDRESS, [*self.world.addresses(), STRANGER, LAPTOP])
        private_machine.resolver("127.0.0.1", "options edns0 trust-ad\n")
        private_machine.hosts(f"127.0.0.1 localhost\n{ADDRESS} {NAME} mail\n::1 localhost ip6-localhost\n")
        self.world.start()
        self._postfix()
        self._people()
        self._logins()
        self.dkim.set_up(self.world.zone)
        self.dkim.start(self.folder / "opendkim.log")
        self.postfix.start()
        return self

    def stop(self):
        self.postfix.stop()
        self.dkim.stop()
        self.world.stop()

    def _postfix(self):
        self.postfix.set_up({
            "virtual_mailbox_domains": "meadow.test", "virtual_mailbox_base": "/var/mail/vhosts",
            "virtual_mailbox_maps": "hash:/etc/postfix/vmailbox", "virtual_uid_maps": "static:5000",
            "virtual_gid_maps": "static:5000", "virtual_alias_maps": "hash:/etc/postfix/virtual",
            "transport_maps": "hash:/etc/postfix/transport", "smtp_tls_policy_maps": "hash:/etc/postfix/tls_policy",
            "smtp_dns_support_level": "dnssec", "smtp_tls_loglevel": "1", "smtpd_milters": opendkim.POSTFIX_NAME,
            "non_smtpd_milters": "$smtpd_milters", "milter_default_action": "accept",
        })
        self.postfix.open_submission()
        self.postfix.table("vmailbox", {"bob@meadow.test": "meadow.test/bob/", "info@meadow.test": "meadow.test/info/"})
        self.postfix.table("virtual", {"postmaster@meadow.test": "root", "sales@meadow.test":
                                       "bob@meadow.test, far@lily.test", "old@meadow.test": "alice@garden.test"})
        self.postfix.table("transport", {"warehouse.test": "smtp:[203.0.113.40]:2525"})
        self.postfix.table("tls_policy", {"bank.test": "dane"})

    def _people(self):
        for number, name in enumerate(LOCAL_USERS, 2001):
            home = pathlib.Path("/home") / name
            home.mkdir(exist_ok=True)
            private_machine.user(name, number, str(home), shell="/bin/bash")
            shutil.chown(home, name, name)
        (pathlib.Path("/home/dave") / ".forward").write_text("\\dave, far@fern.test\n")
        private_machine.user("vmail", 5000, "/var/mail/vhosts")
        os.makedirs("/var/mail/vhosts/meadow.test")
        for path in ("/var/mail/vhosts", "/var/mail/vhosts/meadow.test"):
            shutil.chown(path, "vmail", "vmail")
        archive = mailboxes.BOXES / "archive"  # local(8) writes there as nobody
        archive.touch()
        shutil.chown(archive, "nobody")
        self.postfix.aliases(ALIASES + mailing_lists.set_up(LISTS))

    def _logins(self):
        """Cyrus SASL with its own password file, which must lie in the chroot."""
        private_machine.lay_over([packages.unpacked("sasl", SASL_NEEDED)])
        (debian_postfix.ETC / "sasl").mkdir(exist_ok=True)
        (debian_postfix.ETC / "sasl/smtpd.conf").write_text(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n")
        base = debian_postfix.QUEUE / "etc/sasldb2"
        base.parent.mkdir(exist_ok=True)
        for user, domain in COMPANIES.items():
            subprocess.run(["saslpasswd2", "-p", "-c", "-f", base, "-u", domain, user], input=PASSWORD.encode(),
                           check=True, capture_output=True)
        shutil.chown(base, "root", "postfix")
        base.chmod(0o640)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


def describe(folder):
    return f"""\
ready
{NAME} is a machine of its own; a shell in it:  nsenter -t $(cat {folder}/pid) -a bash
  Postfix       /etc/postfix, /var/spool/postfix, log /var/log/mail.log; ports 25, 587, 465 on {ADDRESS} and 127.0.0.1
  mailboxes     /var/mail/{{{','.join(LOCAL_USERS)}}}, /var/mail/vhosts/meadow.test/{{bob,info}}/new
  logins        {', '.join(f'{u}@{d}' for u, d in COMPANIES.items())}; password {PASSWORD!r}
  receivers     what they got lies in {folder}/received/DOMAIN/NUMBER.eml, first line the envelope
  refuse        while the file {folder}/refuse exists, they answer 451 to every recipient"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--folder", required=True, help="for its files; kept at the end")
    folder = pathlib.Path(parser.parse_args().folder).resolve()
    reason = available()
    if reason:
        sys.exit(reason)
    folder.mkdir(parents=True, exist_ok=True)
    private_machine.enter(folder, NAME)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with OldSite(folder) as site:
        print(describe(folder), flush=True)
        written = {}
        while not ended.wait(0.2):
            site.world.refusal = "451 4.7.1 come back later" if (folder / "refuse").exists() else None
            for domain, sink in site.world.sinks.items():
                for message in sink.messages[written.get(domain, 0):]:
                    written[domain] = written.get(domain, 0) + 1
                    path = folder / "received" / re.sub(r"\W+", "-", domain) / f"{written[domain]}.eml"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(f"X-Envelope: {message.sender} -> {message.recipients}\r\n".encode()
                                     + message.data)


if __name__ == "__main__":
    main()
