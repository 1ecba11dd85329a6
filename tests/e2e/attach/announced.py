"""Judges a day in enforce mode by what the gate had announced. Before it, one day in report-only mode has told for
each message of ours (by Postfix's queue id) what would happen to it; now exactly that must have happened, and nothing
to anything else."""
import collections
import dataclasses
import re

from copies import Copy, normal

RELAY_TRACE = re.compile(rb"\AReceived: from [^\n]*\n(?:[ \t][^\n]*\n)*")
SIGNATURE = b"dkim-signature"


@dataclasses.dataclass
class Announced:
    """What is known of one pass through the gate."""
    refused: tuple  # the checks for which it may be refused, () when the message goes on
    changes: collections.Counter  # (field in lower case, "replace" | "remove" | "add") -> how often


def read(entries):
    """The message log's objects, as queue id -> Announced."""
    found = {}
    for entry in entries:
        refused = (tuple(d["code"] for d in entry["defects"]) if entry["verdict"] in ("reject", "would-reject")
                   else ())
        changes = collections.Counter((c["field"].lower(), c["change"]) for c in entry["changes"])
        found[entry["mta_queue_id"]] = Announced(refused, changes if not refused else collections.Counter())
    return found


def by_relay(copy):
    """Whether the topmost Received field is the relay's."""
    found = RELAY_TRACE.match(copy.data)
    return bool(found) and b"(Millrace)" in found[0]


def without_trace(copy):
    return Copy(copy.place, copy.sender, copy.recipient,
                RELAY_TRACE.sub(b"", copy.data, count=1) if by_relay(copy) else copy.data)


def is_notice(copy):
    return b"multipart/report" in copy.data and re.search(rb"Action: failed", copy.data) is not None


def fields(data):
    """The header as [(name in lower case, bytes)], and the body. LF and CRLF alike."""
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    found = []
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t") and found:
            found[-1][1] += b"\n" + line
        else:
            found.append([line.partition(b":")[0].lower(), line])
    return [tuple(f) for f in found], body


def faults(before, after, changes):
    """How `after` differs from `before` other than by these changes (a Counter as in Announced); [] when as said."""
    (old, old_body), (new, new_body) = fields(normal(before.data)), fields(normal(after.data))
    found = [] if old_body == new_body else [f"the body differs: {old_body[:300]!r} and {new_body[:300]!r}"]
    touched = {name.encode() for name, _ in changes}
    for name in sorted({n for n, _ in old} | {n for n, _ in new} | touched):
        ours, theirs = ([line for n, line in side if n == name] for side in (old, new))
        if name == SIGNATURE and [_signature(s) for s in ours] == [_signature(s) for s in theirs]:
            continue  # made after the gate, over what the gate has mended
        if name not in touched:
            if ours != theirs:
                found.append(f"{name.decode()} was not announced: {ours!r} became {theirs!r}")
            continue
        shown = name.decode()
        more = changes[(shown, "add")] - changes[(shown, "remove")]
        if len(theirs) - len(ours) != more or ours == theirs:
            found.append(f"{shown} is not as announced ({dict(changes)}): {ours!r} became {theirs!r}")
    rest = [[line for name, line in side if name not in touched | {SIGNATURE}] for side in (old, new)]
    if not found and rest[0] != rest[1]:
        found.append("fields that were not touched changed places")
    return found


def _signature(line):
    """A signature of the site without what depends on the other fields: b=, and the list of what is signed."""
    return re.sub(rb"\b(b|h)=[^;]*", rb"\1=", re.sub(rb"\s+", b" ", line)) if b"d=bakery.test" in line else line


class Judge:
    """reported, enforced: the two Days; announcements: read() of the message log of each."""

    def __init__(self, reported, report, enforced, log):
        self.reported, self.report, self.enforced, self.log = reported, report, enforced, log

    def faults(self, case):
        was, now = self.reported.copies[case.token], self.enforced.copies[case.token]
        answer = self.reported.answers[case.token]
        refusal = self._refusal(answer, was)
        found = self._answer_faults(case, refusal)
        wanted = [c for c in was if not is_notice(c) and not self._stopped(c)]
        got = [c for c in now if not is_notice(c)]
        places = [[(c.place, c.sender, c.recipient) for c in side] for side in (wanted, got)]
        if sorted(places[0]) != sorted(places[1]):
            return found + [f"copies should be {places[0]}, are {places[1]}"]
        for old, new in zip(wanted, got):
            told = self._changes(self.report, old)
            if told != self._changes(self.log, new):
                found.append(f"announced was {dict(told)}, done {dict(self._changes(self.log, new))}")
            found += faults(old, without_trace(new), told)
        return found + self._notice_faults(case, was, now, refusal)

    def _refusal(self, answer, copies):
        first = answer.queue_id() or (copies[0].queue_ids()[-1] if copies and copies[0].queue_ids() else None)
        told = self.report.get(first)
        return told.refused if told else ()

    def _stopped(self, copy):
        return any(self.report[i].refused for i in copy.queue_ids() if i in self.report)

    @staticmethod
    def _changes(announced, copy):
        total = collections.Counter()
        for i in copy.queue_ids():
            total += announced[i].changes if i in announced else collections.Counter()
        return total

    def _answer_faults(self, case, refusal):
        before, now = self.reported.answers[case.token], self.enforced.answers[case.token]
        if refusal and not case.way.startswith("sendmail"):
            return [] if _refuses(now.text, refusal) else [f"should be refused for {refusal}, answer {now.text!r}"]
        return [] if now.code == before.code else [f"the answer was {before.text!r}, is {now.text!r}"]

    def _notice_faults(self, case, was, now, refusal):
        """One notice for one notice, to the same place and about the same recipients; one more for what only a bounce
        can refuse."""
        old, new = [c for c in was if is_notice(c)], [c for c in now if is_notice(c)]
        if refusal and case.way.startswith("sendmail"):
            flat = [re.sub(rb"\s+", b" ", c.data).decode("utf-8", "replace") for c in new]
            return [] if len(new) == 1 and _refuses(flat[0], refusal) else [f"no bounce for {refusal}: {flat!r}"]
        if refusal or any(self._stopped(c) for c in was if not is_notice(c)):
            return []
        about = [sorted((c.place, c.sender, tuple(_failed(c))) for c in side) for side in (old, new)]
        return [] if about[0] == about[1] else [f"notices should be {about[0]}, are {about[1]}"]


def _refuses(text, checks):
    """Whether a reply, or a notice that quotes it, names one of these checks."""
    return any(f"[MR-{code}]" in text for code in checks) and "5.6.0" in text


def _failed(copy):
    """The failed recipients with the class of their status."""
    flat = copy.data.replace(b"\r\n", b"\n")
    return sorted((m[1].lower().decode(), m[2].decode()) for m in re.finditer(
        rb"Final-Recipient: rfc822; ?(\S+)\n(?:[^\n]+\n)*?Status: (\d)", flat))
