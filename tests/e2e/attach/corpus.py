"""The mail of one day at the old site: every way in, every kind of destination, every kind of letter."""
import dataclasses

import opendkim
from letters import ALL, BAD, GOOD, letter


@dataclasses.dataclass
class Case:
    """`way`: stranger (a foreign server), application (127.0.0.1:25), a login (alice, bob, clara; "alice 465" for
    TLS from the start), or "sendmail USER". `parameters` go behind MAIL FROM, `rcpt` behind each RCPT TO; `options`
    are sendmail(1)'s before the recipients."""
    name: str
    way: str
    sender: str
    recipients: list
    message: bytes
    token: str
    parameters: str = ""
    rcpt: str = ""
    options: tuple = ()

    def inbound(self):
        return self.way == "stranger"


class Table:
    def __init__(self):
        self.cases = []

    def add(self, way, sender, recipients, kind, make=None, **more):
        """`%` in a recipient stands for the token."""
        token = f"case{len(self.cases):03d}x"
        recipients = [r.replace("%", token) for r in ([recipients] if isinstance(recipients, str) else recipients)]
        shown = recipients[0] if len(recipients) == 1 else f"{len(recipients)} recipients"
        message = (make or ALL[kind])(token)
        self.cases.append(Case(f"{token} {way} to {shown}: {kind}", way, sender, recipients, message, token, **more))


def corpus():
    """All cases. The site must be there: some letters are signed with its keys."""
    table = Table()
    _inbound(table)
    _outbound(table)
    _programs(table)
    return table.cases


def _inbound(table):
    def add(recipients, kind, make=None, sender="friend@elsewhere.test", **more):
        table.add("stranger", sender, recipients, kind, make, **more)

    for kind in ALL:
        add("alice@garden.test", kind)
    for recipient in ("carol+roses@garden.test", "dave@garden.test", "team@garden.test", "webmaster@garden.test",
                      "archive@garden.test", "outside@garden.test", "bob@meadow.test", "sales@meadow.test",
                      "old@meadow.test", "postmaster@meadow.test", "news@garden.test", "announce@garden.test"):
        add(recipient, "plain")
        add(recipient, "8-bit subject")
    for recipient in ("bob@meadow.test", "news@garden.test", "outside@garden.test"):
        for kind in ("no Date, no Message-ID", "no From", "two From", "long header line", "mixed parts"):
            add(recipient, kind)
    add(["alice@garden.test", "bob@meadow.test", "carol@garden.test"], "8-bit subject")
    add(["alice@garden.test", "news@garden.test", "outside@garden.test"], "no Subject")
    add("alice@garden.test", "signed by its sender", lambda t: _signed(t, "elsewhere.test"))
    add("outside@garden.test", "signed by its sender", lambda t: _signed(t, "elsewhere.test"))
    add("alice@garden.test", "bounce from outside", sender="", make=_bounce)
    add("news-bounces@garden.test", "bounce from outside", sender="", make=_bounce)
    add("bob@meadow.test", "UTF-8 addresses", sender="jürgen@elsewhere.test", parameters="SMTPUTF8",
        make=lambda t: letter(t, From="Jürgen <jürgen@elsewhere.test>", Subject="Grüße"))
    add("alice@garden.test", "asks for a success notice", ALL["plain"], rcpt="NOTIFY=SUCCESS ORCPT=rfc822;alice@x.test")
    add("unknown@garden.test", "unknown user", ALL["plain"])
    add("unknown@meadow.test", "unknown user", ALL["plain"])
    add("someone@rose.test", "a stranger may not relay", ALL["plain"])


def _outbound(table):
    def add(user, recipients, kind, make=None, **more):
        sender = {"alice": "alice@garden.test", "bob": "bob@meadow.test", "clara": "clara@bakery.test"}[user.split()[0]]
        whole = make or ALL[kind]
        table.add(user, more.pop("sender", sender), recipients, kind,
                  lambda t: whole(t).replace(b"alice@garden.test", sender.encode()), **more)

    for kind in ALL:
        add("alice", "%@rose.test", kind)
    for kind in ("plain", "8-bit subject", "no Date, no Message-ID", "mixed parts", "two Subjects", "newsletter"):
        add("clara", "%@lily.test", kind)
    for kind in ("plain", "long 8-bit subject", "no From", "X-tag"):
        add("bob", "%@moss.test", kind)
        add("bob 465", "%@fern.test", kind)
    for domain in ("warehouse.test", "bank.test"):
        for kind in ("plain", "8-bit subject", "no Message-ID", "no Subject"):
            add("alice", f"%@{domain}", kind)
    for recipient in ("carol@garden.test", "bob@meadow.test", "news@garden.test", "outside@garden.test"):
        add("alice", recipient, "plain")
        add("bob", recipient, "8-bit subject")
    for kind in ("plain", "8-bit subject", "no Subject"):
        add("alice", ["carol@garden.test", "bob@meadow.test", "%@rose.test", "%@lily.test", "a%@lily.test",
                      "%@warehouse.test"], kind)
    add("clara", ["%@rose.test", "carol@garden.test"], "8-bit subject")
    for domain in ("closed.test", "void.test", "nowhere.test"):
        for user in ("alice", "bob", "clara"):
            add(user, f"%@{domain}", "plain")
    add("alice", ["%@closed.test", "%@rose.test", "carol@garden.test"], "plain")
    add("alice", "%@closed.test", "nobody wants to know", ALL["plain"], sender="")
    add("alice", "%@rose.test", "read receipt", sender="", make=lambda t: letter(
        t, _bounce(t).split(b"\r\n\r\n", 1)[1], MIME_Version="1.0",
        Content_Type="multipart/report; report-type=disposition-notification; boundary=\"b2\""))
    add("alice", "%@rose.test", "signed by the application", lambda t: _signed(t, "garden.test"))
    add("bob", "%@rose.test", "UTF-8 addresses", parameters="SMTPUTF8",
        make=lambda t: letter(t, To="<jürgen@rose.test>", Subject="Grüße"))
    add("alice", "%@rose.test", "asks for all notices", ALL["plain"], parameters="RET=HDRS ENVID=QQ314159",
        rcpt="NOTIFY=SUCCESS,FAILURE,DELAY")
    add("alice", "%@closed.test", "asks for no notice", ALL["plain"], rcpt="NOTIFY=NEVER")


def _programs(table):
    for kind in ("plain", "8-bit subject", "no From", "no Date, no Message-ID", "no Subject", "two From", "newsletter"):
        table.add("application", "webmaster@garden.test", "%@rose.test", kind)
    for recipient in ("carol@garden.test", "%@warehouse.test", "news@garden.test", "%@closed.test"):
        table.add("application", "webmaster@garden.test", recipient, "plain")
    for kind in ("plain", "8-bit subject", "no From", "no Subject", "no To", "mixed parts"):
        table.add("sendmail www-data", "www-data@garden.test", "%@rose.test", kind)
    table.add("sendmail www-data", "www-data@garden.test", "%@closed.test", "plain")
    table.add("sendmail root", "root", "root", "cron", _cron, options=("-FCronDaemon", "-odi", "-oem", "-oi", "-t"))
    table.add("sendmail root", "root", "ops@rose.test", "cron", _cron_out,
              options=("-FCronDaemon", "-odi", "-oem", "-oi", "-t"))


def _signed(token, domain):
    return opendkim.signed(letter(token, From=f"<alice@{domain}>"), domain, "own")


def _bounce(token):
    return letter(token, f"--b2\r\n\r\nNot delivered: {token}\r\n--b2\r\nContent-Type: message/delivery-status\r\n\r\n"
                  "Reporting-MTA: dns; mx.elsewhere.test\r\n\r\nFinal-Recipient: rfc822; gone@elsewhere.test\r\n"
                  "Action: failed\r\nStatus: 5.1.1\r\n\r\n--b2--\r\n".encode(),
                  From="MAILER-DAEMON@mx.elsewhere.test", To="<alice@garden.test>", Subject="Undelivered",
                  MIME_Version="1.0", Auto_Submitted="auto-replied",
                  Content_Type='multipart/report; report-type=delivery-status;\r\n boundary="b2"')


def _cron(token, to="root"):
    """As Debian's cron writes it."""
    return (f"From: root (Cron Daemon)\r\nTo: {to}\r\nSubject: Cron <root@mail> /usr/local/bin/backup {token}\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            "X-Cron-Env: <SHELL=/bin/sh>\r\nX-Cron-Env: <HOME=/root>\r\nX-Cron-Env: <LOGNAME=root>\r\n\r\n"
            f"{token}: 3 Dateien übersprungen\r\n").encode()


def _cron_out(token):
    return _cron(token, "ops@rose.test")
