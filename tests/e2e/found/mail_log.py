"""Readers of mail logs as operators have them: pflogsumm, logwatch's Postfix script, fail2ban-regex. Downloaded and
unpacked beside, never installed."""
import os
import re
import subprocess

import packages


def _root(name, wanted):
    try:
        return packages.unpacked(name, wanted)
    except RuntimeError:
        return None


class Pflogsumm:
    def __init__(self):
        self.root = _root("pflogsumm", ["pflogsumm"])

    def totals(self, text, *options):
        """Its grand totals: {"received": 3, "delivered": 2, "deferred": 1, "deferrals": 2, …}; `text` is the report."""
        done = subprocess.run(["perl", self.root / "usr/sbin/pflogsumm", *options], input=text, text=True,
                              capture_output=True, env={**os.environ, "TZ": "UTC"})
        if done.returncode != 0 or done.stderr.strip():
            raise AssertionError(f"pflogsumm: exit {done.returncode}: {done.stderr}")
        totals = {"text": done.stdout}
        for line in done.stdout.splitlines():
            row = re.match(r"\s+(\d+)(k|m|g)?\s+([a-z][a-z/ ]+?)(?:\s+\((?:(\d+) +deferrals|\d+%)\))?$", line)
            if row and row[3].strip() not in totals:
                totals[row[3].strip()] = int(row[1])
                if row[4]:
                    totals["deferrals"] = int(row[4])
        return totals


class Logwatch:
    def __init__(self):
        self.root = _root("logwatch", ["logwatch"])

    def report(self, text, *options):
        script = self.root / "usr/share/logwatch/scripts/services/postfix"
        done = subprocess.run(["perl", script, "--detail", "10", *options], input=text, text=True,
                              capture_output=True)
        if done.returncode != 0:
            raise AssertionError(f"logwatch: exit {done.returncode}: {done.stderr}")
        return done.stdout


class Fail2ban:
    def __init__(self):
        self.root = _root("fail2ban", ["fail2ban", "python3-systemd"])

    def matched(self, log, prefix=""):
        """How many lines the filter `postfix` would ban for."""
        etc = self.root / "etc/fail2ban"
        done = subprocess.run(["/usr/bin/python3", self.root / "usr/bin/fail2ban-regex", "-c", etc, log,
                               str(etc / "filter.d/postfix.conf") + "[mode=aggressive]"],
                              capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": str(self.root / "usr/lib/python3/dist-packages")})
        found = re.search(r"Failregex: (\d+) total", done.stdout)
        if not found:
            raise AssertionError(f"fail2ban-regex: {done.stdout}{done.stderr}")
        return int(found[1])
