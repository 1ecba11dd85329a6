"""What Postfix, Sendmail and the relay do to a message beside the gate. Every rule here is a row of README.md."""
import re

# Refused before the gate sees it.
REFUSED = {
    "sendmail": {"header of 70 KB": r"552 5\.6\.0",      # MaxHeadersLength 32768
                 "SMTPUTF8, raw subject": r"555 5\.5\.4",  # Debian builds without USE_EAI
                 "SMTPUTF8, clean": r"555 5\.5\.4"},
    "relay": {"header of 70 KB": r"55[02] 5\.3\.4"},     # the door's own limit: 60,000 bytes a field
}

DROPPED = {b"received", b"return-path", b"delivered-to"}
ADDRESSES = {b"from", b"to", b"cc", b"sender", b"reply-to", b"resent-from", b"resent-to", b"resent-sender"}
ADDED = {b"date", b"message-id"}
ADDED_RESENT = {b"resent-date", b"resent-message-id"}


def refused_by_mta(mta, case):
    return REFUSED.get(mta, {}).get(case.name)


def seen_by_gate(mta, message):
    """The message as the MTA shows it to the milter."""
    if mta == "postfix":  # a header is cut at 60,000 bytes when a milter is there
        head, _, body = message.partition(b"\r\n\r\n")
        lines = []
        for field in re.split(rb"\r\n(?![ \t])", head):
            lines.append(field if len(field) < 60000 else cut_field(field))
        return b"\r\n".join(lines) + b"\r\n\r\n" + body
    if mta == "sendmail":  # an empty From is no From: Sendmail would write its own
        return message.replace(b"From: \r\n", b"", 1)
    return message


def cut_field(field):
    """Postfix counts LF line ends and keeps whole lines."""
    kept, size = [], 0
    for line in field.split(b"\r\n"):
        size += len(line) + 1
        if size > 60000:
            break
        kept.append(line)
    return b"\r\n".join(kept)


def normal(mta, fields, case):
    """A header list in the form in which they are compared: (lower-case name, value)."""
    out = []
    for name, value in fields:
        key = name.lower()
        if key in DROPPED:
            continue
        text = value.replace(b"\r\n", b"\n")
        if mta == "sendmail" and key in ADDED_RESENT and not in_message(case, key):
            continue
        if key in ADDED and not in_message(case, key):
            if mta == "sendmail":
                continue  # added by the MTA after the gate, at the top
            text = b"<added>"
        text = re.sub(rb"^[ \t]+", b"", text)
        if mta == "sendmail":
            text = text.rstrip(b" \t")
            if key in ADDRESSES:  # address fields are parsed and written anew
                text = re.sub(rb"\s+", b" ", text)
        if mta in ("postfix", "relay") and any(len(line) > 990 for line in text.split(b"\n")):
            text = re.sub(rb"\n[ \t]", b"", text)
        out.append((key, text))
    return out


def in_message(case, key):
    return re.search(rb"(?im)^" + re.escape(key) + rb"[ \t]*:", case.header) is not None


def explain(want, got):
    """The first fields that differ."""
    for i in range(max(len(want), len(got))):
        a = want[i] if i < len(want) else None
        b = got[i] if i < len(got) else None
        if a != b:
            return f"field {i + 1}: the model has {str(a)[:300]}, arrived {str(b)[:300]}"
    return ""
