"""The units: how exposed a service is, and whether its sandbox lets through what the service does."""
import grp
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import places
import private_postfix
from private_postfix import PrivatePostfix
from relay import Relay
from sink import Sink
from smtp import Smtp
from wait import wait_until

SYSTEMD = places.repository / "contrib/systemd"
SERVICES = ("millrace-relay.service", "millrace-milter.service")
LIMIT = 2.0
STRACE = ["strace", "-D", "-f", "-q", "-s", "0", "-e", "signal=none", "-o"]


def settings(service, name):
    """The values of all lines `name=` of the unit."""
    return re.findall(rf"^{name}=(.*)$", (SYSTEMD / service).read_text(), re.M)


def exposure(path):
    """The score that systemd-analyze gives a unit file: 0 (nothing to gain) to 10."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(path)],
                          capture_output=True, text=True, env={**os.environ, "LANG": "C.UTF-8"})
    score = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    if not score:
        raise AssertionError(f"systemd-analyze said: {done.stdout}{done.stderr}")
    return float(score[1])


def exposures(results):
    for service in SERVICES:
        score = exposure(SYSTEMD / service)
        print(f"{service}: exposure {score}", flush=True)
        results.check(f"{service}: exposure at most {LIMIT}", score <= LIMIT, score)
    with tempfile.TemporaryDirectory() as folder:  # the measure itself: the same service without its walls
        bare = pathlib.Path(folder) / SERVICES[0]
        bare.write_text("[Service]\nExecStart=/usr/sbin/millrace-relay\n")
        results.check("a unit without walls is above the limit", exposure(bare) > LIMIT)


def known_calls(service):
    """The system calls that SystemCallFilter= lets through, from systemd's own lists."""
    allowed = set()
    for line in settings(service, "SystemCallFilter"):
        names = set().union(*(_members(word) for word in line.lstrip("~").split()))
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed


def _members(name):
    """A call, or the calls of a @group. @default is in every allow list."""
    if not name.startswith("@"):
        return {name}
    done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True,
                          check=True)
    words = [line.strip() for line in done.stdout.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(_members(word) for word in words)) if words else set()


def used(trace, program):
    """(system calls, socket families) of a trace from the point where `program` was executed."""
    calls, families, begun = set(), set(), False
    for line in pathlib.Path(trace).read_text("utf-8", "replace").splitlines():
        call = re.match(r"\d+ +(?:<\.\.\. )?(\w+)[( ]", line)
        if not call:
            continue
        begun = begun or (call[1] == "execve" and program in line)
        if begun:
            calls.add(call[1])
            if call[1] == "socket":
                families.update(re.findall(r"socket\((AF_\w+)", line))
    return calls, families


def within(results, what, service, trace, program):
    """Counts one check: everything in the trace is allowed by the unit."""
    wait_until(lambda: "+++ exited" in pathlib.Path(trace).read_text("utf-8", "replace")[-200:], 30, "the trace's end")
    calls, families = used(trace, program)
    allowed = known_calls(service) | _members("@default")
    forbidden = calls - allowed
    outside = families - set(settings(service, "RestrictAddressFamilies")[0].split())
    results.check(f"{service} allows {what}", len(calls) > 10 and not forbidden and not outside,
                  f"{len(calls)} calls; not allowed: {sorted(forbidden)} {sorted(outside)}")


def allows(results):
    if not shutil.which("strace"):
        results.skip("what the units allow", "strace is missing", 3)
        return
    with tempfile.TemporaryDirectory() as folder, Sink() as sink:
        trace = pathlib.Path(folder) / "relay"
        route = f'{{ domain = "*"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }}'
        with Relay(routes=route, wrapper=[*STRACE, str(trace)]) as relay:
            with Smtp(relay.port) as client:
                client.message("a@site.example", ["b@garden.example"], b"From: a@site.example\r\nTo: b@garden.example\r\n"
                            b"Subject: traced\r\n\r\nhello\r\n")
            sink.wait_for_body("traced")
            relay.ask("status")
            relay.reload()
            relay.stop()
        within(results, "a message, a question, a reload and the end", SERVICES[0], trace, "millrace-relay")
    wake(results)


def wake(results):
    """relay.wake runs `postqueue -f` with the unit's rights: no set-gid, the group postdrop by SupplementaryGroups=."""
    reason = private_postfix.available()
    if reason:
        results.skip("postqueue -f within the unit", reason, 2)
        return
    with tempfile.TemporaryDirectory() as folder, PrivatePostfix(("127.0.0.1", 1)) as postfix:
        trace = pathlib.Path(folder) / "postqueue"
        for group, works in (("postdrop", True), ("nogroup", False)):
            done = subprocess.run(
                [*STRACE, str(trace), "setpriv", "--reuid=65534", "--regid=65534",
                 f"--groups={grp.getgrnam(group).gr_gid}", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all",
                 str(postfix.root / "usr/sbin/postqueue"), "-c", str(postfix.folder / "etc"), "-f"],
                env={**os.environ, **postfix.environment}, capture_output=True, text=True, timeout=60)
            results.check(f"postqueue -f without set-gid, in group {group}: {'done' if works else 'refused'}",
                          (done.returncode == 0) == works, done.stderr)
            if works:
                within(results, "postqueue -f", SERVICES[0], trace, "postqueue")
    results.check("the relay's unit maps the group postdrop", settings(SERVICES[0], "PrivateUsers") in ([], ["no"]))


def run(results):
    if not shutil.which("systemd-analyze"):
        results.skip("units", "systemd-analyze is missing: apt-get install systemd", 7)
        return
    exposures(results)
    allows(results)
