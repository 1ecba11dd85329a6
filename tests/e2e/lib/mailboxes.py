"""Users' mail on a machine: /var/mail in mbox form as local(8) writes it, and Maildirs as virtual(8) does. Bytes are
what stands on the disk, lines end in LF."""
import dataclasses
import os
import pathlib
import re

BOXES, MAILDIRS = pathlib.Path("/var/mail"), pathlib.Path("/var/mail/vhosts")


@dataclasses.dataclass
class Letter:
    owner: str  # the mbox's name, or DOMAIN/USER for a Maildir
    data: bytes


def letters():
    """Every message in every mailbox; an mbox message begins with its `From ` line."""
    found = []
    for box in sorted(p for p in BOXES.iterdir() if p.is_file()):
        # local(8) quotes `From ` in bodies and ends each message with an empty line.
        parts = re.split(rb"(?:\A|(?<=\n\n))(?=From )", box.read_bytes())
        found += [Letter(box.name, part) for part in parts if part]
    for path in sorted(MAILDIRS.glob("*/*/new/*")):
        found.append(Letter("/".join(path.relative_to(MAILDIRS).parts[:2]), path.read_bytes()))
    return found


def empty():
    for path in MAILDIRS.glob("*/*/new/*"):
        path.unlink()
    for box in BOXES.iterdir():
        if box.is_file():
            os.truncate(box, 0)  # its owner stays
