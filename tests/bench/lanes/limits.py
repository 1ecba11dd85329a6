"""The hidden limits of one receiving site, as a decision: what it says to a connection, a MAIL, a recipient.

Pure: times are seconds since the traffic began and come in as arguments. Below are the fields of a site in a
scenario file; all but name, domains and addr may be left out.

  name, domains, addr   addr: one address, or a list: several MX hosts before one back end that shares the limits
  messages, ideal       how many are sent to it, and (rarely) what the perfect sender needs, in seconds
  wanted                false: the run does not wait for its messages
  conns                 connections open at once from one address; above: conn_reply
  rate, burst           messages a second from one address (token bucket); above: rate_reply
  window                {"messages": N, "seconds": S}: at most N in each fixed window of S seconds; above: rate_reply
  per_conn              messages on one connection; above: 421 and close
  latency               seconds before the reply to the end of data
  greylist              seconds that a new (address, sender, recipient) has to wait
  penalty               {"after": N, "window": s, "for": s or [s, s…]}: N refusals within the window, then every
                        connection and message is refused for so long (the next time for the next of the list)
  change                [{"at": s, field: value…}]: limits that change while it runs
  down                  [[from, to]]: seconds in which every connection is refused with 421
  reject                share of the recipients that do not exist (550 5.1.1), by a hash of the address
  mx_per_domain         every domain has an MX name of its own; all lead to the same addresses
  from_rate             messages a second of one sender domain, from whatever address (421 4.7.28)
  from_reply            {sender domain: reply}: what that company's mail is told at MAIL (a block, a hold)
  tarpit                seconds before every reply, one command after the other
  dead                  nothing listens
  one_domain            a recipient of a second domain in one transaction gets 451 4.3.0
  rate_reply, conn_reply  replies of its own; an empty one closes the connection without a word
"""
import hashlib

NEVER = 10 ** 9
FIELDS = {
    "name", "domains", "addr", "messages", "ideal", "wanted", "conns", "rate", "burst", "window", "per_conn",
    "latency", "greylist", "penalty", "change", "down", "reject", "mx_per_domain", "from_rate", "from_reply", "tarpit",
    "dead", "one_domain", "rate_reply", "conn_reply"}
RATE_REPLY = "421 4.7.28 Our system has detected an unusual rate of mail from you, try again later"
CONN_REPLY = "421 4.7.0 Too many concurrent connections from your address"
# Kinds of refusal that a polite sender avoids. The others (greylisted, unknown, down, …) no sender can.
AVOIDABLE = ("rate", "connections", "per_connection", "sender_domain", "blocked")


def exists(site, recipient):
    """Whether the site knows that (lower-case) address; the same answer in every run."""
    return int(hashlib.md5(recipient.encode()).hexdigest()[:6], 16) / 0xffffff >= site.get("reject", 0)


class Bucket:
    """Tokens that come back at `rate` a second, up to `most`; full at first."""

    def __init__(self):
        self.tokens, self.at = None, 0.0

    def take(self, rate, most, now):
        had = most if self.tokens is None else min(most, self.tokens + (now - self.at) * rate)
        self.at = now
        self.tokens = had - 1 if had >= 1 else had
        return had >= 1


class Limits:
    """What a site says. connect(), mail() and recipient() return None, or (kind, reply): the refusal."""

    def __init__(self, site):
        self.now_in_force = dict(site)
        self.changes = sorted(site.get("change", []), key=lambda change: change["at"])
        self.open = {}       # connections by address
        self.buckets = {}    # by address, and by @domain of the sender
        self.windows = {}    # address -> (window, messages in it)
        self.greylisted = {}  # (address, sender, recipient) -> first seen
        self.refusals = []   # times of those that count towards the penalty
        self.blocks = 0
        self.blocked_until = 0.0

    def get(self, field, default=None):
        value = self.now_in_force.get(field)
        return default if value is None else value

    def pass_time(self, now):
        while self.changes and self.changes[0]["at"] <= now:
            change = self.changes.pop(0)
            self.now_in_force.update({field: value for field, value in change.items() if field != "at"})

    # --- what is asked ------------------------------------------------------------------------
    def connect(self, address, now):
        self.pass_time(now)
        if closed := self._closed(now):
            return closed
        if self.open.get(address, 0) >= self.get("conns", NEVER):
            return self._refuse("connections", self.get("conn_reply", CONN_REPLY), now)
        self.open[address] = self.open.get(address, 0) + 1
        return None

    def leave(self, address):
        self.open[address] -= 1

    def mail(self, address, domain, messages_before, now):
        """domain: the sender's; messages_before: accepted on this connection."""
        self.pass_time(now)
        if closed := self._closed(now):
            return closed
        if messages_before >= self.get("per_conn", NEVER):
            return self._refuse("per_connection", "421 4.7.0 Too many messages for this session", now)
        if reply := self.get("from_reply", {}).get(domain):
            return "company", reply
        if not self._within_rate(address, now):
            return self._refuse("rate", self.get("rate_reply", RATE_REPLY), now)
        rate = self.get("from_rate")
        if rate and not self.buckets.setdefault("@" + domain, Bucket()).take(rate, max(1, rate), now):
            return self._refuse("sender_domain", "421 4.7.28 Unusual rate of mail originating from your SPF domain "
                                f"[{domain}], rate limited", now)
        return None

    def recipient(self, address, sender, recipient, others, now):
        """others: the recipients this transaction has already."""
        if not exists(self.now_in_force, recipient):
            return "unknown", "550 5.1.1 The email account that you tried to reach does not exist"
        domain = recipient.rpartition("@")[2]
        if self.get("one_domain") and others and others[0].rpartition("@")[2] != domain:
            return "second_domain", "451 4.3.0 Multiple destination domains per transaction is unsupported"
        if wait := self.get("greylist"):
            if now - self.greylisted.setdefault((address, sender, recipient), now) < wait:
                return "greylisted", "451 4.7.1 Greylisted, please try again later"
        return None

    # --- how it is answered ---------------------------------------------------------------------
    def _closed(self, now):
        if any(start <= now < end for start, end in self.get("down", [])):
            return "down", "421 4.3.2 Service shutting down"
        if now < self.blocked_until:
            return "blocked", "421 4.7.0 Try again later, your address is temporarily blocked"
        return None

    def _within_rate(self, address, now):
        if window := self.get("window"):
            number = int(now // window["seconds"])
            last, count = self.windows.get(address, (number, 0))
            count = count if last == number else 0
            if count >= window["messages"]:
                return False
            self.windows[address] = (number, count + 1)
        rate = self.get("rate")
        return not rate or self.buckets.setdefault(address, Bucket()).take(rate, self.get("burst") or max(1, rate), now)

    def _refuse(self, kind, reply, now):
        if penalty := self.get("penalty"):
            self.refusals = [at for at in self.refusals if at > now - penalty["window"]] + [now]
            if len(self.refusals) >= penalty["after"]:
                lengths = penalty["for"] if isinstance(penalty["for"], list) else [penalty["for"]]
                self.blocked_until = now + lengths[min(self.blocks, len(lengths) - 1)]
                self.blocks, self.refusals = self.blocks + 1, []
        return kind, reply
