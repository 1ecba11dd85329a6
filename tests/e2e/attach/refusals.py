"""What attach refuses: a clear message, its exit status, and not one file changed."""
import contextlib
import dataclasses
import os
import pathlib
import shutil
import subprocess
import typing

import life
import snapshot

POSTFIX = ("attach", "postfix", "--config-dir", "/etc/postfix", "--yes")


@dataclasses.dataclass
class Refusal:
    name: str
    command: tuple
    exit: int
    words: str  # one of them, divided by |, must be in the message
    trouble: typing.Callable = lambda *_: contextlib.nullcontext()  # a context in which the command is given; gets (ground, units)
    user: str = None


def before_attaching():
    return [
        Refusal("enforce before attach", ("attach", "enforce", "--yes"), 1, "not attached"),
        Refusal("report before attach", ("attach", "report"), 1, "millrace attach postfix"),
        Refusal("detach before attach", ("detach", "--yes"), 1, "not attached"),
        Refusal("no such folder", ("attach", "postfix", "--config-dir", "/nowhere", "--yes"), 78, "/nowhere"),
        Refusal("half-edited main.cf", POSTFIX, 78, "main.cf", _line("/etc/postfix/main.cf", "smtpd_milters\n")),
        Refusal("half-edited master.cf", POSTFIX, 78, "master.cf", _line("/etc/postfix/master.cf", "half an entry\n")),
        Refusal("no permission", POSTFIX, 1, "sudo", user="nobody"),
        Refusal("Postfix stopped", POSTFIX, 1, "is not running", _stopped_postfix),
        Refusal("unknown version", POSTFIX, 1, "9.9.9", _strange_version),
        Refusal("the milter does not run", POSTFIX, 69, "millrace-milter", _stopped("milter")),
        Refusal("a socket that a chrooted smtpd cannot reach", POSTFIX, 1, "chroot", _socket_outside),
        Refusal("no terminal and no --yes", POSTFIX[:-1], 64, "--yes"),
        Refusal("an unknown server", ("attach", "qmail"), 64, "qmail"),
    ]


def while_attached():
    return [
        Refusal("attach twice", POSTFIX, 1, "already"),
        Refusal("half-edited main.cf, enforce", ("attach", "enforce", "--yes"), 78, "main.cf",
                _line("/etc/postfix/main.cf", "half an entry\n")),
        Refusal("half-edited main.cf, detach", ("detach", "--yes"), 78, "main.cf",
                _line("/etc/postfix/main.cf", "half an entry\n")),
        Refusal("main.cf edited by hand since", ("attach", "enforce", "--yes"), 1, "edited by hand",
                _line("/etc/postfix/main.cf", "smtpd_milters = unix:elsewhere.sock\n")),
        Refusal("the relay does not run", ("attach", "enforce", "--yes"), 69, "relay", _stopped("relay")),
        Refusal("no permission to detach", ("detach", "--yes"), 1, "sudo", user="nobody"),
    ]


def refusals(ground):
    with ground.units("refusals") as units:
        for refusal in before_attaching():
            judge(ground, units, refusal)
        before = _settings()
        life.step(ground, units, *POSTFIX)
        for refusal in while_attached():
            judge(ground, units, refusal)
        by_hand(ground, units, before)


def by_hand(ground, units, before):
    """What the administrator changed meanwhile stays when only our settings are taken out."""
    subprocess.run(["postconf", "-e", "maximal_queue_lifetime=4d"], check=True)
    done = life.step(ground, units, "detach", "--yes")
    ground.results.check("detach, edited by hand: says so", "by hand" in done.stdout, done.stdout)
    after = _settings()
    ground.results.check("detach, edited by hand: the edit stays, ours are gone",
                         after - before == {"maximal_queue_lifetime = 4d"} and not before - after,
                         repr((after - before, before - after)))
    subprocess.run(["postconf", "-X", "maximal_queue_lifetime"], check=True)


def _settings():
    """What Postfix makes of its files: one string per parameter, service and option."""
    return {line for kind in ("-n", "-M", "-P")
            for line in subprocess.run(["postconf", kind], check=True, capture_output=True, text=True)
            .stdout.splitlines()}


def judge(ground, units, refusal):
    with refusal.trouble(ground, units):
        before = _state(units)
        done = units.millrace(*refusal.command, user=refusal.user)
        said = done.stderr
        same = snapshot.changed(before, _state(units))
    check = ground.results.check
    check(f"refused, {refusal.name}: exit {refusal.exit}", done.returncode == refusal.exit,
          f"exit {done.returncode}: {said}")
    check(f"refused, {refusal.name}: says why", any(w in said for w in refusal.words.split("|")), said)
    check(f"refused, {refusal.name}: nothing changed", not same, same)


def _state(units):
    ours = [p for p in (units.folder / "attached", units.folder / "attached.conf") if p.exists()]
    return snapshot.snapshot("/etc/postfix", units.config, *ours)


def _line(path, text):
    """The file ends in that line meanwhile."""
    @contextlib.contextmanager
    def trouble(*_):
        kept = pathlib.Path(path).read_bytes()
        with open(path, "a") as out:
            out.write(text)
        yield
        pathlib.Path(path).write_bytes(kept)
    return trouble


def _stopped(name):
    @contextlib.contextmanager
    def trouble(_, units):
        units.stop(name)
        yield
        units.start(name)
    return trouble


@contextlib.contextmanager
def _stopped_postfix(ground, _):
    ground.site.postfix.stop()
    yield
    ground.site.postfix.start()


@contextlib.contextmanager
def _strange_version(*_):
    """postconf(1) says 9.9.9, and the truth about all else."""
    real = pathlib.Path("/usr/sbin/postconf")
    shutil.move(real, "/usr/sbin/postconf.real")
    real.write_text('#!/bin/bash\nset -o pipefail\n/usr/sbin/postconf.real "$@" | '
                    'sed -E "/mail_version|^[0-9.]+$/s/3\\.7\\.[0-9]+/9.9.9/"\n')
    os.chmod(real, 0o755)
    yield
    shutil.move("/usr/sbin/postconf.real", real)


@contextlib.contextmanager
def _socket_outside(_, units):
    """The operator wrote a socket outside of Postfix's chroot, and his file wins over ours."""
    kept = units.config.read_bytes()
    with open(units.config, "ab") as out:
        out.write(b'milter = { socket = "unix:/run/millrace/milter.sock"; };\n')
    yield
    units.config.write_bytes(kept)
