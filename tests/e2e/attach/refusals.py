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
        Refusal("Postfix does not reload", POSTFIX, 75, "everything is as it was", _no_reload),
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
        linked(ground, units)
        cut_short(ground, units)


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


def linked(ground, units):
    """main.cf kept elsewhere (a repository), with a link to it: postconf -e makes a file of the link."""
    link, kept = pathlib.Path("/etc/postfix/main.cf"), pathlib.Path("/etc/kept-main.cf")
    shutil.move(link, kept)
    link.symlink_to("../kept-main.cf")
    theirs = kept.read_bytes()
    life.step(ground, units, *POSTFIX)
    life.step(ground, units, "detach", "--yes")
    check = ground.results.check
    check("detach, main.cf a link: it is one again", os.path.islink(link) and os.readlink(link) == "../kept-main.cf",
          str(link.lstat()))
    check("detach, main.cf a link: the file behind it is as it was", kept.read_bytes() == theirs)
    link.unlink()
    shutil.move(kept, link)


def cut_short(ground, units):
    """Killed after the record was written, before anything else: as if the record were all there is."""
    before = _state(units)
    life.step(ground, units, *POSTFIX)
    record = units.folder / "attached/record.json"
    kept = record.read_bytes()
    saved = {p.name: p.read_bytes() for p in record.parent.glob("*.before")}
    life.step(ground, units, "detach", "--yes")
    record.parent.mkdir()
    for name, data in {**saved, "record.json": kept}.items():
        (record.parent / name).write_bytes(data)
    refused = units.millrace("attach", "enforce", "--yes")
    ground.results.check("cut short: enforce refuses and says what to do",
                         refused.returncode == 1 and "millrace detach" in refused.stderr, refused.stderr)
    done = life.step(ground, units, "detach", "--yes")
    ground.results.check("cut short: detach restores", "byte for byte" in done.stdout, done.stdout)
    same = snapshot.changed(before, _state(units))
    ground.results.check("cut short: everything is as it was", not same, same)


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
    queue = [p for p in [pathlib.Path("/var/spool/postfix/millrace")] if p.exists()]
    return snapshot.snapshot("/etc/postfix", units.config, *ours, *queue)


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
def _no_reload(*_):
    """postfix(1) fails at the last moment: milter moved, files changed."""
    real = pathlib.Path("/usr/sbin/postfix")
    shutil.move(real, "/usr/sbin/postfix.real")
    real.write_text('#!/bin/sh\ncase "$*" in *reload*) echo "no reload today" >&2; exit 1;; esac\n'
                    'exec /usr/sbin/postfix.real "$@"\n')
    os.chmod(real, 0o755)
    yield
    shutil.move("/usr/sbin/postfix.real", real)


@contextlib.contextmanager
def _socket_outside(_, units):
    """The operator wrote a socket outside of Postfix's chroot, and his file wins over ours."""
    kept = units.config.read_bytes()
    with open(units.config, "ab") as out:
        out.write(b'milter = { socket = "unix:/run/millrace/milter.sock"; };\n')
    yield
    units.config.write_bytes(kept)
