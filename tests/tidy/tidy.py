#!/usr/bin/python3
"""A test over the source text: what would otherwise be argued about in review.

Usage: tests/tidy/tidy.py [FILE…]     default: every tracked and new source file
Each rule counts as one test and prints file:line for every place that breaks it.
"""
import re
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

# Who may include whom: folder -> folders whose headers it may use (itself always). One way through the house.
BASE = {"common/base"}
MAIL = BASE | {"common/mail"}
POLICY = MAIL | {"common/policy"}
SMTP = MAIL | {"common/smtp"}
NET = BASE | {"common/net"}
HANDOVER = POLICY | {"common/handover"}
CONFIG = HANDOVER | NET | {"common/config"}
SPOOL = NET | {"relay/spool"}
SHAPING = CONFIG | {"relay/shaping"}
SCHEDULE = SPOOL | SHAPING | {"relay/schedule"}
REHEARSE = SCHEDULE | {"relay/rehearse"}
PREPARE = SPOOL | POLICY | {"relay/prepare"}
ARROWS = {
    "common/base": BASE,
    "common/mail": MAIL,
    "common/policy": POLICY,
    "common/handover": HANDOVER,
    "common/smtp": SMTP,
    "common/net": NET,
    "common/virtual": NET | SMTP,
    "common/config": CONFIG,
    "milter": CONFIG | POLICY | {"milter"},
    "relay/spool": SPOOL,
    "relay/prepare": PREPARE,
    "relay/shaping": SHAPING,
    "relay/schedule": SCHEDULE,
    "relay/rehearse": REHEARSE,
    "relay/intake": PREPARE | SMTP | CONFIG | {"relay/intake"},
    "relay/deliver": SCHEDULE | SMTP | CONFIG | {"relay/deliver"},
    "relay/feedback": SPOOL | SMTP | {"relay/feedback"},
    "relay/api": REHEARSE | {"relay/deliver", "relay/feedback", "relay/api"},
    "relay/attach": CONFIG | {"relay/attach"},
    "relay/cli": CONFIG | {"relay/cli"} | {"relay/prepare", "relay/attach"} | REHEARSE,
}

# What only certain files may mention, and what to use instead.
BANNED = [
    (r"#include <rocksdb/", r"^(relay/spool/rocks_|tests/)", "RocksDB stays behind Spool"),
    (r"#include <libconfig", r"^common/config/", "libconfig stays in common/config"),
    (r"#include <libmilter/mfapi\.h>", r"^(milter/libmilter_adapter|tests/bench/noop_milter)\.cpp$", "libmilter stays in its adapter"),
    (r"#include <unbound\.h>", r"^common/net/", "libunbound stays behind Resolver"),
    (r"#include <boost/beast", r"^(relay/api/|tests/)", "Beast stays in one file of relay/api"),
    (r"\b(steady_clock|system_clock|high_resolution_clock)::now|\bgettimeofday\(|(?<![\w.:>])time\((nullptr|NULL|0)\)|\bclock_gettime\(",
     r"^(common/net/asio_clock\.cpp|milter/|relay/cli/|tests/)", "ask the Clock"),
    (r"\b(s?rand|random|drand48)\(\)|std::(mt19937|random_device|uniform_\w+_distribution)", r"^tests/", "use Random"),
    (r"\bstd::j?thread\b", r"^(common/net/thread_work_pool|relay/spool/|milter/|tests/)", "use a WorkPool"),
    (r"\b(system|popen|execlp?|execvp?e?|execve)\(", r"^(milter/|tests/)", "the daemons execute nothing"),
    (r"\bFIXME\b", r"^$", "mend it, or write TODO(kind) with the reason"),
    (r"\bTODO(?!\()", r"^$", "write TODO(kind): perf, security, someday, test"),
    (r"using namespace (?!std::\w*literals|boost::asio::experimental::awaitable_operators|asio::experimental::awaitable_operators|std::chrono_literals|std::string_literals|std::string_view_literals)",
     r"^tests/", "name what is used"),
]

RFC_ANY = re.compile(r"\brfc[\s_-]?\d{3,4}\b", re.I)
RFC_GOOD = re.compile(r"\bRFC \d{3,4}(?: §[\dA-Z](?:[\d.]*\d)?(?:(?:, |, and | and |–|-)§?\d(?:[\d.]*\d)?)*)?")
RFC_BAD_SECTION = re.compile(r"\bRFC \d{3,4},? (?:section|sec\.?|s\.|chapter)\b|\bRFC \d{3,4} \d+\.\d", re.I)

LINES_MAX = 600  # past that, a noun is hiding
LARGE = {}       # exceptions, to shrink: file -> lines

MACHINE = re.compile(r"/work/|/tmp/b/|\b(?:deb|security)\.debian\.org|registry\.npmjs")


def files():
    if len(sys.argv) > 1:
        return [Path(a).resolve() for a in sys.argv[1:]]
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [TOP / name for name in listed.stdout.splitlines()]
    return [p for p in TOP.rglob("*") if p.is_file() and "build" not in p.relative_to(TOP).parts[0]]


def folder(name):
    parts = Path(name).parent.parts
    return "/".join(parts[:2]) if parts and parts[0] in ("common", "relay") else (parts[0] if parts else "")


def main():
    broken = {}

    def report(rule, place, text):
        broken.setdefault(rule, []).append(f"{place}: {text}")

    rules = ["includes go one way"] + [reason for _, _, reason in BANNED] + [
        "RFC 5321 §4.2.5 is the one spelling", f"no file past {LINES_MAX} lines", "no machine's paths or hosts",
        "a header starts with #pragma once"]
    seen = 0
    for path in files():
        name = str(path.relative_to(TOP))
        if name.startswith(("tests/data/", "tests/fuzz/corpus/")) or not path.exists() or path.is_symlink():
            continue
        source = path.suffix in (".cpp", ".hpp", ".h")
        text_like = source or path.suffix in (".py", ".md", ".cmake", ".sh", ".txt", ".conf", "") and path.stat().st_size < 1 << 20
        if not text_like:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        seen += 1
        if name != "tests/tidy/tidy.py":
            for number, line in enumerate(lines, 1):
                if MACHINE.search(line):
                    report("no machine's paths or hosts", f"{name}:{number}", line.strip()[:90])
        if not source:
            continue
        if path.suffix == ".hpp" and not any(l.startswith("#pragma once") for l in lines[:3]):
            report("a header starts with #pragma once", f"{name}:1", "missing")
        if len(lines) > LARGE.get(name, LINES_MAX):
            report(f"no file past {LINES_MAX} lines", f"{name}:{len(lines)}", "which noun is hiding in there?")
        allowed = ARROWS.get(folder(name))
        for number, line in enumerate(lines, 1):
            place = f"{name}:{number}"
            include = re.match(r'#include "((?:common|relay|milter|tests)/[^"]*)"', line)
            if include and allowed is not None:
                target = folder(include.group(1))
                if target != folder(name) and target not in allowed:
                    report("includes go one way", place, f"{folder(name)} may not use {target}")
            code = re.sub(r"//.*", "", line)
            for pattern, where, reason in BANNED:
                subject = line if "TODO" in pattern or "FIXME" in pattern else code
                if re.search(pattern, subject) and not re.search(where, name):
                    report(reason, place, line.strip()[:90])
            if not line.lstrip().startswith("#include"):
                for match in RFC_ANY.finditer(line):
                    before = line[max(0, match.start() - 1):match.start()]
                    if before in ("_", "-", "/", ".", '"') or re.match(r"rfc\d+_|rfc\d+\b", line[match.start():]) and match.group().islower():
                        continue  # part of a name, such as to_rfc3339
                    if not RFC_GOOD.match(line, match.start()):
                        report("RFC 5321 §4.2.5 is the one spelling", place, line.strip()[:90])
                if RFC_BAD_SECTION.search(line):
                    report("RFC 5321 §4.2.5 is the one spelling", place, line.strip()[:90])
    for rule, places in broken.items():
        print(f"broken: {rule}")
        for place in places[:40]:
            print(f"  {place}")
    if seen == 0:
        print("no file was read")
        print("0 passed, 1 failed")
        return 1
    print(f"{seen} files read")
    print(f"{len(rules) - len(broken)} passed, {len(broken)} failed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
