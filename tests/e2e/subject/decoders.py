"""Foreign decoders of a Subject: Python's email, Perl's Encode, a JavaScript one. Each takes a list of raw field
values (bytes, folds and all) and gives a list of texts; None where it failed."""
import email
import email.policy
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, __import__("pathlib").Path(__file__).resolve().parents[1].joinpath("lib").as_posix())
import places  # noqa: E402

LIBMIME = "libmime@5.3.7"

PERL = r"""
use strict; use warnings; use Encode;
binmode STDOUT, ':raw'; $| = 1;
while (my $line = <STDIN>) {
    chomp $line;
    my $value = pack 'H*', $line;
    my $text = eval { Encode::decode('MIME-Header', $value) };
    print defined $text ? 'x' . unpack('H*', Encode::encode('UTF-8', $text)) : '-', "\n";
}
"""

JAVASCRIPT = r"""
const libmime = require('libmime');
const values = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const texts = values.map(v => {
    try { return libmime.decodeWords(Buffer.from(v, 'hex').toString('latin1').replace(/\r?\n(?=[ \t])/g, '')); }
    catch (e) { return null; }
});
process.stdout.write(JSON.stringify(texts));
"""


def _python(values):
    texts = []
    for value in values:
        try:
            message = email.message_from_bytes(b"Subject:" + value + b"\r\n\r\n", policy=email.policy.default)
            texts.append(str(message["Subject"]))
        except Exception:  # noqa: BLE001 - a decoder may fail in any way
            texts.append(None)
    return texts


def _perl(values):
    lines = "".join(v.hex() + "\n" for v in values)
    out = subprocess.run(["perl", "-e", PERL], input=lines, capture_output=True, text=True, timeout=120, check=True)
    return [bytes.fromhex(line[1:]).decode() if line != "-" else None for line in out.stdout.splitlines()]


def _javascript(values):
    folder = places.cache / LIBMIME
    out = subprocess.run(["node", "-e", JAVASCRIPT], input=json.dumps([v.hex() for v in values]), capture_output=True,
                         text=True, timeout=120, check=True, cwd=folder)
    return json.loads(out.stdout)


def _install_libmime():
    """None when it is there, else why not."""
    folder = places.cache / LIBMIME
    if (folder / "node_modules" / "libmime").is_dir():
        return None
    if not shutil.which("npm") or not shutil.which("node"):
        return "node and npm are not installed"
    folder.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    if os.path.exists(bundle):
        environment.setdefault("NODE_EXTRA_CA_CERTS", bundle)
    try:
        done = subprocess.run(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", LIBMIME],
                              capture_output=True, text=True, timeout=180, env=environment, cwd=folder)
    except subprocess.TimeoutExpired:
        return "npm did not answer within 180 s"
    if done.returncode != 0:
        return f"npm cannot install {LIBMIME}: {(done.stderr or done.stdout).strip()[:200]}"
    return None


def available():
    """Name -> decoder, and name -> reason for those that are not here."""
    found, missing = {"Python email": _python}, {}
    if shutil.which("perl"):
        found["Perl Encode"] = _perl
    else:
        missing["Perl Encode"] = "perl is not installed"
    why = _install_libmime()
    if why is None:
        found["JavaScript libmime"] = _javascript
    else:
        missing["JavaScript libmime"] = why
    return found, missing
