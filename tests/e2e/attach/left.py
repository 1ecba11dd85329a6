"""What is still in the relay when Millrace is detached: handed back to Postfix, or written into files."""
import json
import pathlib
import re
import shutil

import life
from letters import letter
from wait import wait_until

WAITING = 40
DOMAINS = ("rose.test", "lily.test", "moss.test", "fern.test")


def fill(site, units, prefix):
    site.world.clear()
    site.world.refusal = "451 4.7.1 come back later"
    tokens = [f"{prefix}{n:03d}x" for n in range(WAITING)]
    with site.application() as client:
        for n, token in enumerate(tokens):
            to = f"{token}@{DOMAINS[n % len(DOMAINS)]}"
            assert client.message("alice@garden.test", [to], letter(token, To=f"<{to}>")).ok()
    wait_until(lambda: site.postfix.queue_length() == 0 and units.queued() == WAITING, 60,
               f"{WAITING} messages in the relay")
    return tokens


def arrived(site):
    return [m.decode() for s in site.world.sinks.values() for message in s.messages
            for m in re.findall(rb"this is ((?:back|file)\d{3}x)", message.data)]


def left(ground):
    hand_back(ground)
    export(ground)


def hand_back(ground):
    check, site = ground.results.check, ground.site
    with ground.units("back") as units:
        life.step(ground, units, "attach", "postfix", "--config-dir", "/etc/postfix", "--yes")
        life.step(ground, units, "attach", "enforce", "--yes")
        tokens = fill(site, units, "back")
        life.step(ground, units, "detach", "--hand-back", "--yes")
        check("hand-back: the relay's queue is empty", units.queued() == 0, str(units.queued()))
        check("hand-back: nothing was delivered meanwhile", not arrived(site))
        check("hand-back: Postfix has it all", site.postfix.queue_length() == WAITING, str(site.postfix.queue_length()))
        check("hand-back: no trace is left", units.millrace("attach", "status").returncode == 1)
        site.world.refusal = None
        site.postfix.flush()
        wait_until(lambda: len(arrived(site)) >= WAITING and site.postfix.queue_length() == 0, 60,
                   "the mail that was handed back")
        check("hand-back: 0 lost, 0 doubled", sorted(arrived(site)) == tokens, repr(arrived(site))[:500])


def export(ground):
    check, site = ground.results.check, ground.site
    folder = f"{ground.folder}/exported"
    with ground.units("files") as units:
        life.step(ground, units, "attach", "postfix", "--config-dir", "/etc/postfix", "--yes")
        life.step(ground, units, "attach", "enforce", "--yes")
        tokens = fill(site, units, "file")
        life.step(ground, units, "detach", "--export", folder, "--yes")
        check("export: the relay's queue is empty", units.queued() == 0, str(units.queued()))
        site.world.refusal = None
        found = {}
        for envelope in sorted(pathlib.Path(folder).glob("*.json")):
            told = json.loads(envelope.read_text())
            data = envelope.with_suffix(".eml").read_bytes()
            token = re.search(rb"this is (file\d{3}x)", data)[1].decode()
            found[token] = [r["address"] for r in told["recipients"]]
        wanted = {t: [f"{t}@{DOMAINS[n % len(DOMAINS)]}"] for n, t in enumerate(tokens)}
        check("export: each message and its recipient is in a file", found == wanted, repr(found)[:600])
        check("export: nothing was delivered", not arrived(site), repr(arrived(site))[:300])
        check("export: no trace is left", units.millrace("attach", "status").returncode == 1)
    shutil.rmtree(folder)
