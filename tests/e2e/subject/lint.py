"""Runs `millrace lint --apply` on messages."""
import pathlib
import signal
import subprocess

DEADLINE = 10  # seconds: a run that takes longer hangs

# Everything that would refuse a message is only noted: also broken messages are to come through.
NOTE_ALL = "H01 H02 H03 H10 H11 H13 H20 H21 H22 H23 H31 H32 H34 H36 H40".split()


class Lint:
    def __init__(self, program, folder):
        self.program = program
        self.folder = pathlib.Path(folder)

    def config(self, fallback_charset=None, note_all=False):
        """Writes a configuration file and gives its path."""
        lines = ['mode = "enforce";']
        if fallback_charset:
            lines.append(f'fallback_charset = "{fallback_charset}";')
        if note_all:
            lines.append("checks = { " + " ".join(f'{code} = "note";' for code in NOTE_ALL) + " };")
        name = (fallback_charset or "default") + ("-note" if note_all else "") + ".conf"
        path = self.folder / name
        path.write_text("gate = { " + "\n         ".join(lines) + " };\n")
        return path

    def apply(self, message, config):
        """(status, mended message, what it said); status is `ok`, `refused`, `crash …` or `hang`."""
        try:
            done = subprocess.run([self.program, "lint", "--apply", "-c", str(config)], input=message,
                                  capture_output=True, timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            return "hang", b"", ""
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode < 0:
            return f"crash {signal.Signals(-done.returncode).name}", done.stdout, said
        status = {0: "ok", 1: "refused"}.get(done.returncode, f"crash exit {done.returncode}")
        return status, done.stdout, said


def message_with(subject):
    """A message that is right but for its Subject value (bytes behind the colon)."""
    return (b"From: sender@example.com\r\nTo: receiver@example.net\r\nDate: Tue, 24 Nov 2026 08:15:30 +0000\r\n"
            b"Message-ID: <1@example.com>\r\nSubject:" + subject + b"\r\n\r\nbody\r\n")


def subject_of(message):
    """The bytes behind `Subject:`, folds kept; None when there is no such field."""
    head = message.split(b"\r\n\r\n", 1)[0] + b"\r\n"
    value, inside = None, False
    for line in head.splitlines(keepends=True):
        if line[:1] in b" \t" and inside:
            value += line
        else:
            inside = line.lower().startswith(b"subject:")
            if inside:
                value = line[8:]
    return None if value is None else value.removesuffix(b"\r\n")
