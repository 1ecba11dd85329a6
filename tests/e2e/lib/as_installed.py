"""This machine as it would be with some Debian packages installed: an overlay over / in which they are unpacked. What
programs write in there is gone with the namespaces that own_namespaces() makes, which also have a network of their own:
an MTA listens on its usual port 25 with the files in their usual places, and the machine's own MTA never knows."""
import os
import pathlib
import shutil
import subprocess
import sys

import packages
from child import Child

HOST = "mx.site.example"
INSIDE = "MILLRACE_OWN_NAMESPACES"


def own_namespaces():
    """Starts the script again with mounts, network and host name of its own; returns there. Root only."""
    if INSIDE not in os.environ:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "--net", "--uts", sys.executable,
                              *sys.argv])
    del os.environ[INSIDE]
    _run(["hostname", HOST])
    _run(["ip", "link", "set", "lo", "up"])


class AsInstalled:
    def __init__(self, name, wanted, users=()):
        """name, wanted: as packages.unpacked(). users: {name: home} that the packages would have made."""
        tree = packages.unpacked(name, wanted)
        base = pathlib.Path("/tmp/millrace-as-installed")
        base.mkdir(exist_ok=True)
        _run(["mount", "-t", "tmpfs", "tmpfs", base])
        for folder in ("upper", "work", "root"):
            (base / folder).mkdir()
        shutil.copytree(tree, base / "tree", symlinks=True)
        _merge_usr(base / "tree")
        self.root = base / "root"
        _run(["mount", "-t", "overlay", "overlay", "-o",
              f"lowerdir={base}/tree:/,upperdir={base}/upper,workdir={base}/work", self.root])
        for folder in ("proc", "dev"):
            _run(["mount", "--rbind", f"/{folder}", self.root / folder])
        self.write("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {HOST} mx\n")
        self.write("etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.write("etc/mailname", f"{HOST}\n")
        self.write("etc/aliases", "root: alice\n")
        for user, home in {**dict(users), "alice": "/home/alice"}.items():
            self.run("sh", "-c", f"id {user} || useradd --system --user-group --no-create-home --home-dir {home} {user}; "
                     f"install -d -o {user} -g {user} {home}")
        self.run("install", "-d", "-m", "2775", "-g", "mail", "/var/mail")

    def write(self, path, text):
        """A file of the overlay, in place of whatever stands there."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)

    def read(self, path):
        file = self.root / path
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def run(self, *command, text=None):
        """A command in there; what it printed. RuntimeError when it fails."""
        return _run(["chroot", self.root, *command], text)

    def start(self, *command):
        """A program in the foreground."""
        return Child(["chroot", self.root, *command], self.root / "var/log/started.log")


def _merge_usr(tree):
    """Packages still carry /lib and /sbin, which are links in a Debian of today."""
    for name in ("bin", "sbin", "lib", "lib64"):
        if (tree / name).is_dir() and not (tree / name).is_symlink():
            shutil.copytree(tree / name, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(tree / name)


def _run(command, text=None):
    done = subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True, timeout=120,
                          env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout
