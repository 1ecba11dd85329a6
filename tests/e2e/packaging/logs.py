"""The logrotate file, with the real logrotate and both daemons writing: no line is lost, none doubled."""
import json
import os
import pathlib
import re
import subprocess
import tempfile

import packages
import places
from gate import Gate
from milter_client import MilterClient
from relay import Relay
from sink import Sink
from smtp import Smtp
from wait import wait_until

SHIPPED = places.repository / "contrib/packaging/millrace.logrotate"
# Stands for the one program that a machine without a running systemd has not: the units' ExecReload=.
SYSTEMCTL = """#!/bin/sh
case "$1 $2" in
"--quiet is-active") test -s {folder}/$3.pid ;;
"reload "*) kill -HUP "$(cat {folder}/$2.pid)" ;;
*) exit 64 ;;
esac
"""


def logrotate():
    """The real one, unpacked."""
    tree = packages.unpacked("logrotate", ["logrotate", "libpopt0"])
    libraries = tree / "usr/lib/x86_64-linux-gnu"
    return tree / "usr/sbin/logrotate", f"{libraries}:{tree / 'lib/x86_64-linux-gnu'}"


def lines(folder, name):
    """(lines of the turned over file, lines of the new one), each parsed."""
    return [[json.loads(line) for line in (folder / n).read_bytes().split(b"\n")[:-1]] if (folder / n).exists() else []
            for n in (f"{name}.1", name)]


def turned_over(results, what, folder, name, write, rotate, counts):
    """write(n) causes one counted line; counts(parsed line) -> its n, or None."""
    write(1)
    wait_until(lambda: any(counts(l) == 1 for l in lines(folder, name)[1]), 30, f"the first line of {name}")
    rotate()
    n = 1
    while not lines(folder, name)[1]:  # the reload is under way; what comes before it still goes to the old file
        n += 1
        write(n)
        wait_until(lambda: any(counts(l) == n for half in lines(folder, name) for l in half), 30, f"line {n} of {name}")
    old, new = lines(folder, name)
    seen = [counts(l) for l in old + new if counts(l) is not None]
    results.check(f"{what}: every line once, in order", seen == list(range(1, n + 1)), seen)
    results.check(f"{what}: the first line is in the old file", any(counts(l) == 1 for l in old))
    results.check(f"{what}: the new file is 0640", (folder / name).stat().st_mode & 0o777 == 0o640)


def run(results):
    try:
        program, libraries = logrotate()
    except RuntimeError as e:
        results.skip("logrotate", f"it cannot be downloaded: {e}", 6)
        return
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        folder, bin_ = place / "log", place / "bin"
        for f in (folder, bin_):
            f.mkdir(mode=0o755)
        (bin_ / "systemctl").write_text(SYSTEMCTL.format(folder=place))
        (bin_ / "systemctl").chmod(0o755)
        owner = "root root" if os.geteuid() == 0 else f"{os.getuid()} {os.getgid()}"
        text = SHIPPED.read_text().replace("/var/log/millrace", str(folder)).replace("millrace millrace", owner)
        (place / "logrotate.conf").write_text(text)
        (place / "logrotate.conf").chmod(0o644)

        def rotate():
            done = subprocess.run([program, "--force", "--state", place / "state", place / "logrotate.conf"],
                                  env={"PATH": f"{bin_}:/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": libraries},
                                  capture_output=True, text=True, timeout=60)
            if done.returncode != 0 or done.stderr:
                raise AssertionError(f"logrotate: exit {done.returncode}: {done.stderr}")

        with Sink() as sink:
            relay = Relay(routes=f'{{ domain = "*"; host = "127.0.0.1"; port = {sink.port}; tls = "none"; }}')
            relay.write(folder=folder)  # its event log lies there
            with relay:
                (place / "millrace-relay.service.pid").write_text(str(relay.child.pid))
                with Smtp(relay.port) as client:
                    def send(n):
                        client.message("a@site.example", [f"n{n}@garden.example"],
                                       b"From: a@site.example\r\nTo: b@garden.example\r\nSubject: x\r\n\r\nhello\r\n")
                    turned_over(results, "relay.event_log", folder, "events.jsonl", send, rotate, delivered_number)
            (place / "millrace-relay.service.pid").unlink()  # it does not run any more: none of logrotate's business
        for file in folder.iterdir():
            file.unlink()
        with Gate(milter=f'message_log = "{folder}/milter.jsonl";') as gate:
            (place / "millrace-milter.service.pid").write_text(str(gate.child.pid))

            def judge(n):
                with MilterClient(str(gate.path)) as mta:
                    mta.connect()
                    mta.message([(b"From", b"a@example.com"), (b"To", b"b@example.net"), (b"Subject", b"x")],
                                queue_id=f"Q{n}")
            turned_over(results, "milter.message_log", folder, "milter.jsonl", judge, rotate, judged_number)


def delivered_number(event):
    found = re.match(r"n(\d+)@", event["recipient"]) if event["event"] == "delivered" else None
    return int(found[1]) if found else None


def judged_number(message):
    return int(message["mta_queue_id"].removeprefix("Q"))
