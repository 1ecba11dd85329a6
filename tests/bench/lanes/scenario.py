"""A scenario file: receiving sites with their hidden limits (limits.py) and the traffic for them.

  {"about": "one line", "sites": [{…, "messages": N}], "senders": ["bulk@sender.example"], "limit": seconds}

sends N messages to each site, all shuffled, from the senders in turn; this much the fleet in MILLRACE_SHARED knows too.
Ours can also say `"batches"`, each {"name", "site", "messages", "sender" or "senders", "headers": {name: value},
"after": [batch names], "scales": false, "wanted": false}: a batch with "after" is submitted when the relay has all of
those, one message after the other; --factor leaves alone what does not scale; the run does not wait for what is not
wanted. A site's own "messages" are a batch of the site's name. `"baseline"` names batches: the contender runs a second
time with those alone, and the table compares.
"""
import json
import pathlib
import random

from limits import FIELDS, exists

SENDERS = ["bulk@sender.example"]
STEP = 0.1  # seconds in which the ideal is counted
OURS = {"window", "from_reply", "wanted"}  # fields that only our receivers know


class Scenario:
    """sites by name, batches by name (each a dict with all its keys), what they add up to."""

    def __init__(self, path, factor=1.0):
        """factor: multiplies every count of messages (a short look, or the real size)."""
        path = pathlib.Path(path)
        self.path, self.name = path, path.stem
        read = json.loads(path.read_text())
        self.about, self.limit = read.get("about", ""), read.get("limit")
        self.baseline = read.get("baseline", [])
        self.only_ours = "batches" in read or any(
            OURS & set(site) or isinstance(site.get("penalty", {}).get("for"), list) for site in read["sites"])
        self.sites = {site["name"]: site for site in read["sites"]}
        senders = read.get("senders", SENDERS)
        batches = [{"name": site["name"], "site": site["name"], "messages": site["messages"],
                    "wanted": site.get("wanted", True)}
                   for site in read["sites"] if site.get("messages")] + read.get("batches", [])
        self.batches = {}
        for batch in batches:
            named = [batch["sender"]] if "sender" in batch else batch.get("senders", senders)
            messages = max(1, round(batch["messages"] * (factor if batch.get("scales", True) else 1)))
            self.batches[batch["name"]] = {
                "name": batch["name"], "site": batch["site"], "senders": named, "headers": batch.get("headers", {}),
                "after": batch.get("after", []), "wanted": batch.get("wanted", True), "messages": messages}
        self._check()

    def _check(self):
        for site in self.sites.values():
            if unknown := set(site) - FIELDS:
                raise SystemExit(f"{self.path}: site {site['name']}: unknown field {', '.join(sorted(unknown))}; "
                                 "limits.py lists them")
        for batch in self.batches.values():
            if batch["site"] not in self.sites:
                raise SystemExit(f"{self.path}: batch {batch['name']}: there is no site {batch['site']}")
        for name in self.baseline + [n for b in self.batches.values() for n in b["after"]]:
            if name not in self.batches:
                raise SystemExit(f"{self.path}: there is no batch {name}")

    def recipients(self, batch):
        """The address of each message of the batch, in order."""
        domains = self.sites[batch["site"]]["domains"]
        return [f"u{i}@{domains[i % len(domains)]}" for i in range(batch["messages"])]

    def sender(self, batch, number):
        return batch["senders"][number % len(batch["senders"])]

    def deliverable(self, batch):
        """How many messages of the batch the run waits for: those that a perfect sender gets through."""
        site = self.sites[batch["site"]]
        if site.get("dead") or not batch["wanted"]:
            return 0
        told = site.get("from_reply", {})
        return sum(exists(site, recipient) and self.sender(batch, i).rpartition("@")[2] not in told
                   for i, recipient in enumerate(self.recipients(batch)))

    def stages(self, names):
        """The named batches in stages: lists of (batch, number of the message) in the order of their submission. The
        first is shuffled, by a fixed seed; later stages keep their order. A baseline takes no notice of the batches it
        leaves out."""
        first, later = [], []
        for name in names:
            batch = self.batches[name]
            jobs = [(batch, i) for i in range(batch["messages"])]
            if any(other in names for other in batch["after"]):
                later.append(jobs)
            else:
                first += jobs
        random.Random(7).shuffle(first)
        return ([first] if first else []) + later

    def ideal(self, site, names):
        """Seconds that a sender needs who knows every limit, for the messages of the named batches to that site."""
        batches = [self.batches[n] for n in names if self.batches[n]["site"] == site["name"]]
        left = sum(self.deliverable(batch) for batch in batches)
        if "ideal" in site:
            return site["ideal"]
        domains = len({s.rpartition("@")[2] for batch in batches for s in batch["senders"]})
        force, changes = dict(site), sorted(site.get("change", []), key=lambda change: change["at"])
        now, first, window_left = 0.0, True, 0
        while left > 0 and now < 100_000:
            while changes and changes[0]["at"] <= now + 1e-9:
                force.update({k: v for k, v in changes.pop(0).items() if k != "at"})
            closed = any(start <= now < end for start, end in force.get("down", []))
            done = force.get("conns", 50) / force["latency"] * STEP if force.get("latency") else left
            if force.get("rate"):
                done = min(done, force["rate"] * STEP + (force.get("burst") or force["rate"] if first else 0))
            if force.get("from_rate"):
                done = min(done, domains * force["from_rate"] * (STEP + (1 if first else 0)))
            if window := force.get("window"):
                if round(now / STEP) % round(window["seconds"] / STEP) == 0:
                    window_left = window["messages"]
                done = min(done, window_left)
                window_left -= 0 if closed else done
            first = first and closed
            left -= 0 if closed else done
            now += STEP
        return max(now, 0.5) + site.get("greylist", 0)
