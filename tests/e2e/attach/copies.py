"""One delivered copy of a message, and what two copies of the same message may differ in.

The whole list of what `normal` hides, each because it is new for every delivery: queue ids and times in Received
fields, Date and Message-ID that a mail server made (their year is not 2020, as that of every letter of ours), the
time in an mbox's `From ` line, times and the signature itself of a DKIM signature that the site adds, and queue ids
in the boundary and the report of a bounce."""
import dataclasses
import re

RULES = [(re.compile(pattern), new) for pattern, new in (
    (rb"(?<=\bid )[0-9A-F]{9,12}\b", b"QUEUEID"),
    (rb"(?<=\bid )[0-9A-Za-z]{8}\d{6}\b", b"QUEUEID"),  # Sendmail's
    (rb"<\d{12}\.[0-9A-Za-z]{8}\d{6}@", b"<TIME.QUEUEID@"),
    (rb"\b[0-9A-Za-z]{8}\d{6}\.\d{10}/", b"QUEUEID.TIME/"),
    (rb"(?<=X-Postfix-Queue-ID: )[0-9A-F]+", b"QUEUEID"),
    (rb"\b[0-9A-F]{9,12}\.\d{10}/", b"QUEUEID.TIME/"),
    (rb"<\d{14}\.[0-9A-F]{9,12}@", b"<TIME.QUEUEID@"),
    (rb"[A-Z][a-z]{2}, [ \d]?\d [A-Z][a-z]{2} (?!2020)\d{4} \d\d:\d\d:\d\d ([+-]\d{4}( \([A-Z]+\))?|GMT)", b"TIME"),
    (rb"\A(From \S+) {1,2}[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\n", rb"\1  TIME\n"),
)]
OUR_SIGNATURE = re.compile(rb"(?m)^DKIM-Signature:[^\n]*d=bakery\.test;[^\n]*\r?\n(?:[ \t][^\n]*\n)*")


@dataclasses.dataclass
class Copy:
    place: str  # a receiver's domain or "mailbox OWNER"
    sender: str  # of the envelope; "" in a mailbox, where Return-Path says it
    recipient: str
    data: bytes

    def queue_ids(self):
        """Those that our Postfix gave it, newest first."""
        head = re.split(rb"\r?\n\r?\n", self.data, maxsplit=1)[0]
        return [m.decode() for m in re.findall(rb"by mail\.garden\.test \(Postfix[^)]*\)[^;]*?\bid ([0-9A-F]+)", head)]

    def key(self):
        return (self.place, self.sender, self.recipient, normal(self.data))


def normal(data):
    for pattern, new in RULES:
        data = pattern.sub(new, data)
    return OUR_SIGNATURE.sub(lambda m: re.sub(rb"\b(b|t|x)=[^;]*", rb"\1=", m[0]).replace(b"\r\n", b"\n"), data)


def difference(before, after):
    """What is not the same in two lists of copies, for people; "" when nothing."""
    left, right = [c.key() for c in before], [c.key() for c in after]
    if left == right:
        return ""
    lines = [f"{len(left)} copies before, {len(right)} after"]
    for name, one, other in (("only before", left, right), ("only after", right, left)):
        for place, sender, recipient, data in one:
            if (place, sender, recipient, data) not in other:
                lines.append(f"  {name}: <{sender}> to <{recipient}> at {place}: {data[:1500]!r}")
    return "\n".join(lines)
