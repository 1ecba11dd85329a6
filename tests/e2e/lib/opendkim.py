"""Debian's OpenDKIM on a private machine, set up by /etc/opendkim.conf for one signing domain and reached through a
socket in Postfix's chroot, as that file's comments say. Its own checks of signatures come from opendkim-testmsg."""
import os
import pathlib
import re
import shutil
import subprocess

import packages
import private_machine
from child import Child
from wait import wait_until

NEEDED = ("opendkim opendkim-tools libopendkim11 libvbr2 librbl1 libopendbx1 libmemcached11 libhashkit2 liblua5.3-0 "
          "libmilter1.0.1 dns-root-data").split()
FOLDER = pathlib.Path("/var/spool/postfix/opendkim")
KEYS = pathlib.Path("/etc/dkimkeys")
POSTFIX_NAME = "unix:opendkim/opendkim.sock"


class OpenDkim:
    def __init__(self, domain, selector="2020", others=()):
        """domain: whose mail is signed. others: domains that sign by themselves, with the selector `own`."""
        self.domain, self.selector, self.others = domain, selector, others
        self.child = None

    def set_up(self, zone):
        """Keys for the domains, whose records go into `zone`. Postfix's users must be there."""
        private_machine.lay_over([packages.unpacked("opendkim", NEEDED)])
        private_machine.user("opendkim", 117)
        make_key(self.domain, self.selector, zone)
        for domain in self.others:
            make_key(domain, "own", zone)
        shutil.chown(KEYS / f"{self.domain}.private", "opendkim", "opendkim")
        FOLDER.mkdir(parents=True, exist_ok=True)
        shutil.chown(FOLDER, "opendkim", "postfix")
        FOLDER.chmod(0o750)
        config = pathlib.Path("/etc/opendkim.conf")
        text = re.sub(r"(?m)^(Socket|TrustAnchorFile)\s", r"#\g<0>", config.read_text())
        # libunbound answers NXDOMAIN for .test unless told otherwise, and OpenDKIM crashes when it is told (it reads
        # ResolverConfiguration in several threads at once, which libunbound's parser does not bear).
        pathlib.Path("/etc/opendkim-records").write_text("".join(
            f"{name} {record['TXT'][0]}\n" for name, record in zone.items() if "._domainkey." in name))
        config.write_text(text + f"Domain {self.domain}\nSelector {self.selector}\n"
                          f"KeyFile {KEYS}/{self.domain}.private\nSocket local:{FOLDER}/opendkim.sock\n"
                          "TestDNSData file:/etc/opendkim-records\n")

    def start(self, log):
        pathlib.Path("/run/opendkim").mkdir(exist_ok=True)
        shutil.chown("/run/opendkim", "opendkim", "opendkim")
        self.child = Child(["/usr/sbin/opendkim", "-f"], log)
        socket = FOLDER / "opendkim.sock"
        wait_until(lambda: socket.exists() or not self.child.running(), 20, "OpenDKIM's socket")
        if not self.child.running():
            raise AssertionError(f"OpenDKIM did not start: {self.child.output()}")
        # Its UMask 007 leaves the socket to its group; Postfix gets in as the wiki's `adduser postfix opendkim` has it.
        shutil.chown(socket, "opendkim", "postfix")

    def stop(self):
        if self.child and self.child.running():
            self.child.stop()


def make_key(domain, selector, zone):
    """A key pair in /etc/dkimkeys; the public half as a TXT record in the zone."""
    KEYS.mkdir(exist_ok=True)
    path = KEYS / f"{domain}.private"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "1024"], check=True, capture_output=True)
    path.chmod(0o600)
    public = subprocess.run(["openssl", "rsa", "-in", path, "-pubout", "-outform", "PEM"], check=True,
                            capture_output=True, text=True).stdout
    body = "".join(line for line in public.splitlines() if not line.startswith("-"))
    zone[f"{selector}._domainkey.{domain}"] = {"TXT": [f"v=DKIM1; k=rsa; p={body}"]}


def signed(message, domain, selector):
    """The message (CRLF) with a signature of that domain, whose key make_key made."""
    done = subprocess.run(["opendkim-testmsg", "-d", domain, "-s", selector, "-k", KEYS / f"{domain}.private"],
                          input=message, capture_output=True)
    if done.returncode != 0 or b"DKIM-Signature" not in done.stdout:
        raise AssertionError(f"opendkim-testmsg: {done.stderr.decode()}")
    return re.sub(rb"\r?\n", b"\r\n", done.stdout)


def verified(message):
    """None when every signature is right, else what opendkim-testmsg says."""
    done = subprocess.run(["opendkim-testmsg"], input=message, capture_output=True, text=False)
    return None if done.returncode == 0 else (done.stderr + done.stdout).decode("utf-8", "replace").strip()
