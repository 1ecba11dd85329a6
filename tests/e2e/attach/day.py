"""One day of mail through the site: hands in every case, waits until all is quiet, and collects every copy."""
import dataclasses
import re

import mailboxes
from copies import Copy, normal
from smtp import Closed
from wait import wait_until


@dataclasses.dataclass
class Answer:
    code: int
    text: str

    def queue_id(self):
        found = re.search(r"queued as (\S+)|(\S+) Message accepted", self.text)
        return found and (found[1] or found[2])


class Day:
    """answers: token -> Answer to the submission; copies: token -> its Copies, sorted."""

    def __init__(self, site, cases, relay_is_empty=lambda: True):
        """relay_is_empty: whether a relay behind the site has nothing left."""
        self.site, self.cases, self.relay_is_empty = site, cases, relay_is_empty
        self.answers, self.copies, self.stray = {}, {}, []
        self._clients = {}

    def live(self, deadline=120):
        mailboxes.empty()
        self.site.world.clear()
        for case in self.cases:
            self.answers[case.token] = self._hand_in(case)
        for client in self._clients.values():
            client.quit()
        self.wait_quiet(deadline)
        self._collect()
        return self

    def wait_quiet(self, deadline):
        """Mail server and relay hold nothing, seen twice in turn: a message may be on its way from one to the other."""
        wait_until(lambda: all(self.site.mta.queue_length() == 0 and self.relay_is_empty() for _ in range(2))
                   and self.site.mta.queue_length() == 0, deadline, "empty queues")

    # --- handing in -----------------------------------------------------------------------------
    def _hand_in(self, case):
        if case.way.startswith("sendmail"):
            options = case.options or ("-i", "-f", case.sender)
            done = self.site.mta.sendmail(case.message.replace(b"\r\n", b"\n"), *options,
                                              *(() if "-t" in options else ("--", *case.recipients)),
                                              user=case.way.split()[1])
            return Answer(250 if done.returncode == 0 else 500 + done.returncode, done.stderr.decode())
        try:
            reply = self._transaction(case)
        except Closed as e:
            self._clients.pop(case.way).close()
            return Answer(0, str(e))
        if not reply.ok():  # a server slows down and drops clients that make errors
            self._clients.pop(case.way).quit()
        return Answer(reply.code, reply.text)

    def _transaction(self, case):
        client = self._clients.get(case.way) or self._clients.setdefault(case.way, self._connect(case.way))
        reply = client.command(f"MAIL FROM:<{case.sender}> {case.parameters}".rstrip())
        if not reply.ok():
            return reply
        for recipient in case.recipients:
            reply = client.command(f"RCPT TO:<{recipient}> {case.rcpt}".rstrip())
            if not reply.ok():
                return reply
        reply = client.command("DATA")
        return client.data(case.message) if reply.code == 354 else reply

    def _connect(self, way):
        if way == "stranger":
            return self.site.stranger()
        if way == "application":
            return self.site.application()
        user, _, port = way.partition(" ")
        return self.site.submission(user, int(port or 587))

    # --- collecting -----------------------------------------------------------------------------
    def _collect(self):
        self.copies = {case.token: [] for case in self.cases}
        for place, sender, recipient, data in self._everything():
            tokens = sorted(set(re.findall(rb"case\d{3}x", data + recipient.encode())))
            if len(tokens) != 1 or tokens[0].decode() not in self.copies:
                self.stray.append((place, tokens, data[:2000]))
            else:
                self.copies[tokens[0].decode()].append(Copy(place, sender, recipient, data))
        for found in self.copies.values():
            found.sort(key=lambda copy: (copy.place, copy.recipient, normal(copy.data)))

    def _everything(self):
        for domain, sink in self.site.world.sinks.items():
            for message in sink.messages:
                for recipient in message.recipients:
                    yield domain.removesuffix(" backup"), message.sender, recipient, message.data
        for one in mailboxes.letters():
            yield f"mailbox {one.owner}", "", one.owner, one.data
