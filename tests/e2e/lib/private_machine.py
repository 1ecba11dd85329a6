"""A machine of its own for a test: mount, network, process and name spaces in which /etc, /usr and parts of /var are
overlays. Packages that were unpacked lie at their true places, /etc/passwd and /etc/resolv.conf are its own, port 25
is free. A second network stands for the world outside; nothing leads further. The real machine is not touched, and
all processes end with the one that entered.

    enter("/tmp/x", "mail.garden.test")     # this process is process 1 of the machine from here on
    lay_over([tree]); world("192.0.2.25", ["203.0.113.10"]); resolver("127.0.0.1"); user("alice", 1001)
    with outside():                         # sockets made here belong to the world
        Sink(host="203.0.113.10", port=25)
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys

NEW_MOUNTS, NEW_NAMES, NEW_PROCESSES, NEW_NETWORK = 0x00020000, 0x04000000, 0x20000000, 0x40000000
PARENT_DEATH_SIGNAL = 1
OVERLAID = ("/etc", "/usr", "/var/lib", "/var/log", "/var/mail", "/var/spool", "/home")


def available():
    """None, or why there can be no such machine here."""
    if os.geteuid() != 0:
        return "a private machine needs root"
    if "overlay" not in pathlib.Path("/proc/filesystems").read_text() and subprocess.run(
            ["modprobe", "overlay"], capture_output=True).returncode != 0:
        return "the kernel has no overlay file system"
    done = subprocess.run(["unshare", "-m", "-n", "-u", "-p", "-f", "true"], capture_output=True, text=True)
    return None if done.returncode == 0 else f"no name spaces: {done.stderr.strip()}"


def enter(folder, name, done=lambda: None):
    """Returns in a child process that is process 1 of the new machine. The calling process only waits for it,
    hands SIGTERM and SIGINT on, calls done() and ends with its status; call it before any thread is started. The file `pid`
    in the folder names the child for nsenter(1)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_MOUNTS | NEW_NAMES | NEW_PROCESSES | NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    sys.stdout.flush()
    child = os.fork()
    if child:
        pathlib.Path(folder, "pid").write_text(f"{child}\n")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda n, _: os.kill(child, n))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done()
        os._exit(status if status >= 0 else 128 - status)
    libc.prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # process 1 ignores signals it has no handler for
    _run("mount", "--make-rprivate", "/")
    _run("mount", "-t", "proc", "proc", "/proc")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    _run("ip", "link", "set", "lo", "up")
    _run("hostname", name)
    for path in OVERLAID:
        _overlay(path, pathlib.Path(folder))


def lay_over(trees):
    """Unpacked packages at their places, over what the machine has."""
    for tree in map(pathlib.Path, trees):
        for top in ("bin", "sbin", "lib", "usr", "etc", "var/lib", "var/log", "var/spool"):
            if (tree / top).is_dir():
                _run("cp", "-a", f"{tree / top}/.", f"/{top}/")


def world(own, others):
    """This machine gets the IPv4 address `own`; `others` are those of the world, reached through its .1."""
    gateway = own.rsplit(".", 1)[0] + ".1"
    _run("ip", "netns", "add", "outside")
    _run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", "outside")
    for where, address in (([], own), (["-n", "outside"], gateway)):
        _run("ip", *where, "address", "add", f"{address}/24", "dev", "eth0")
        _run("ip", *where, "link", "set", "eth0", "up")
    _run("ip", "-n", "outside", "link", "set", "lo", "up")
    for address in others:
        _run("ip", "-n", "outside", "address", "add", f"{address}/32", "dev", "lo")
    _run("ip", "route", "add", "default", "via", gateway)


@contextlib.contextmanager
def outside():
    """In here this thread, and the threads it starts, make their sockets in the world outside."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open("/run/netns/outside") as there:
        if libc.setns(there.fileno(), NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(home.fileno(), NEW_NETWORK)


def resolver(address, options=""):
    _replace("/etc/resolv.conf", f"nameserver {address}\n{options}")


def hosts(lines):
    _replace("/etc/hosts", lines)


def user(name, number, home="/nonexistent", group=None, shell="/usr/sbin/nologin", of=()):
    """A user with a group of the same name, unless they are there; `of`: further groups."""
    people = pathlib.Path("/etc/passwd").read_text()
    own = group or name
    add_group(own, number)
    if f"\n{name}:" not in people:
        gid = next(line.split(":")[2] for line in pathlib.Path("/etc/group").read_text().splitlines()
                   if line.startswith(f"{own}:"))
        _replace("/etc/passwd", people + f"{name}:x:{number}:{gid}::{home}:{shell}\n")
    for other in of:
        lines = pathlib.Path("/etc/group").read_text().splitlines()
        _replace("/etc/group", "".join(
            (f"{line}{'' if line.endswith(':') else ','}{name}" if line.startswith(f"{other}:") else line) + "\n"
            for line in lines))


def add_group(name, number):
    groups = pathlib.Path("/etc/group").read_text()
    if f"\n{name}:" not in groups:
        _replace("/etc/group", groups + f"{name}:x:{number}:\n")


def _overlay(path, folder):
    if not os.path.isdir(path):
        return
    layers = folder / "machine" / path.strip("/").replace("/", "-")
    shutil.rmtree(layers, ignore_errors=True)
    for name in ("upper", "work"):
        (layers / name).mkdir(parents=True)
    shutil.copystat(path, layers / "upper")
    owner = os.stat(path)
    os.chown(layers / "upper", owner.st_uid, owner.st_gid)
    _run("mount", "-t", "overlay", "overlay", "-o",
         f"lowerdir={path},upperdir={layers}/upper,workdir={layers}/work", path)


def _replace(path, text):
    """The file with that text; a link in its place (resolv.conf) is replaced, not followed."""
    path = pathlib.Path(path)
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
