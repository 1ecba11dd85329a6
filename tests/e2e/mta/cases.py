"""The messages that go through every MTA. Each is bytes with CRLF; `%TOKEN%` in the body finds it at the sink."""
import dataclasses

BODY = b"\r\n\r\nBody of %TOKEN%\r\nsecond line\r\n"


@dataclasses.dataclass
class Case:
    name: str
    header: bytes  # without the empty line
    sender: str = "app@example.com"
    parameters: str = ""
    local: bool = False  # by sendmail(1)
    recipients: tuple = ("someone@dest.example",)
    body: bytes = BODY

    def message(self, token):
        return self.header + self.body.replace(b"%TOKEN%", token.encode())


def fields(*lines, **replaced):
    """A complete header; keyword arguments replace (or with None leave out) one of its fields, lines come behind."""
    base = {"From": "App <app@example.com>", "To": "someone@dest.example", "Subject": "Invoice 4711",
            "Date": "Tue, 24 Nov 2026 08:15:30 +0000", "Message-ID": "<4711@example.com>"}
    for name, value in replaced.items():
        base[name.replace("_", "-")] = value
    out = [name.encode() + b": " + (value if isinstance(value, bytes) else value.encode())
           for name, value in base.items() if value is not None]
    out += [line if isinstance(line, bytes) else line.encode() for line in lines]
    return b"\r\n".join(out)


def subject(name, value):
    return Case(f"subject: {name}", fields(Subject=value))


def all_cases():
    utf8 = "Grüße aus Köln".encode()
    cases = [
        Case("clean", fields()),
        Case("clean with MIME", fields("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8")),
        Case("clean, folded headers", fields("X-Long: one\r\n two\r\n\tthree")),
        subject("raw UTF-8", utf8),
        subject("raw Latin-1", "Grüße".encode("latin-1")),
        subject("raw windows-1252 quotes", b"\x93quoted\x94"),
        subject("emoji", "Sale \U0001F389 today".encode()),
        subject("Japanese, long", ("日本語の件名" * 12).encode()),
        subject("raw UTF-8, folded", b"first\r\n " + utf8),
        subject("ISO-2022-JP escapes", b"\x1b$B%F%9%H\x1b(B"),
        subject("good encoded-word", "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?="),
        subject("two encoded-words", "=?UTF-8?B?R3LDvA==?= =?UTF-8?B?w59l?="),
        subject("character split over two words", "=?UTF-8?B?w6k=?=\r\n =?UTF-8?B?4oKs?="),
        subject("encoded-word glued to text", "Re:=?UTF-8?Q?=C3=A9?=x"),
        subject("encoded-word too long", "=?UTF-8?Q?" + "=C3=A9" * 20 + "?="),
        subject("bad base64", "=?UTF-8?B?R3L!?="),
        subject("unknown charset", "=?x-nowhere?Q?abc?="),
        subject("us-ascii label, UTF-8 bytes", "=?us-ascii?Q?caf=C3=A9?="),
        subject("blanks in a Q word", "=?UTF-8?Q?a b?="),
        subject("control character", b"bell\x07here"),
        subject("tab", b"tab\there"),
        subject("empty", ""),
        subject("only blanks", "   "),
        subject("line over 998", "word " * 300),
        subject("one word over 998", "x" * 1500),
        subject("percent signs", "50% off %s %n"),
        Case("subject missing", fields(Subject=None)),
        Case("subject repeated", fields("Subject: second")),
        Case("subject repeated, the same", fields("Subject: Invoice 4711")),
        Case("from missing", fields(From=None)),
        Case("from repeated", fields("From: other@example.com")),
        Case("from empty", fields(From="")),
        Case("from without domain", fields(From="<>")),
        Case("from of two", fields(From="a@example.com, b@example.com")),
        Case("from ambiguous", fields(From="a@example.com <b@evil.example>")),
        Case("from with raw display name", fields(From="Jörg <app@example.com>".encode())),
        Case("from with encoded display name", fields(From="=?UTF-8?Q?J=C3=B6rg?= <app@example.com>")),
        Case("from of an unknown domain", fields(From="x@customer.example")),
        Case("from of a subdomain", fields(From="x@news.example.com")),
        Case("sender of ours, from unknown", fields("Sender: app@example.com", From="x@customer.example")),
        Case("sender unknown, from unknown", fields("Sender: y@else.example", From="x@customer.example")),
        Case("sender unknown, from known", fields("Sender: y@else.example")),
        Case("sender repeated", fields("Sender: a@example.com", "Sender: b@example.com")),
        Case("to missing", fields(To=None)),
        Case("to missing, cc there", fields("Cc: c@dest.example", To=None)),
        Case("to twice", fields("To: second@dest.example")),
        Case("to thrice, cc twice", fields("Cc: c1@dest.example", "To: t2@dest.example", "Cc: c2@dest.example",
                                           "To: t3@dest.example")),
        Case("to unparsable", fields(To="a@b@c")),
        Case("to undisclosed", fields(To="undisclosed-recipients:;")),
        Case("date missing", fields(Date=None)),
        Case("date unparsable", fields(Date="yesterday")),
        Case("date repeated", fields("Date: Tue, 24 Nov 2026 09:00:00 +0000")),
        Case("message-id missing", fields(Message_ID=None)),
        Case("message-id malformed", fields(Message_ID="4711")),
        Case("date and message-id missing", fields(Date=None, Message_ID=None)),
        Case("reply-to repeated", fields("Reply-To: a@example.com", "Reply-To: b@example.com")),
        Case("mime-version missing", fields("Content-Type: text/plain")),
        Case("content-type repeated", fields("MIME-Version: 1.0", "Content-Type: text/plain",
                                             "Content-Type: text/html")),
        Case("x-tag", fields("X-tag: newsletter-2026")),
        Case("x-tag in capitals", fields("X-TAG: ABC-1")),
        Case("x-tag invalid", fields("X-tag: two words")),
        Case("x-tag empty", fields("X-tag:")),
        Case("x-tag twice", fields("X-tag: a", "X-tag: b")),
        Case("comments raw 8-bit", fields(b"Comments: caf\xc3\xa9")),
        Case("eight-bit in an unknown field", fields(b"X-Note: caf\xe9")),
        Case("header of 70 KB", fields("X-Big: " + "\r\n ".join(["y" * 70] * 1000))),
        Case("header block of 20 KB", fields(*[f"X-Field-{i}: {'z' * 80}" for i in range(200)])),
        Case("null sender", fields(From="postmaster@mx.example.com"), sender=""),
        Case("null sender, from unknown", fields(From="x@customer.example"), sender=""),
        Case("list mail", fields("List-Id: <list.customer.example>", From="x@customer.example")),
        Case("signed mail", fields("DKIM-Signature: v=1; a=rsa-sha256; d=customer.example; s=x; h=from; bh=x; b=x",
                                   From="x@customer.example")),
        Case("resent", fields("Resent-From: app@example.com", "Resent-To: z@dest.example", From="x@customer.example")),
        Case("eight-bit body", fields("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
                                      "Content-Transfer-Encoding: 8bit"), parameters="BODY=8BITMIME",
             body=BODY + "Grüße\r\n".encode()),
        Case("dots in the body", fields(), body=BODY + b".\r\n..\r\n.x\r\n"),
        Case("two recipients", fields(), recipients=("a@dest.example", "b@dest.example")),
        Case("SMTPUTF8, raw subject", fields(Subject=utf8), parameters="SMTPUTF8"),
        Case("SMTPUTF8, clean", fields(), parameters="SMTPUTF8"),
        Case("local, clean", fields(), local=True),
        Case("local, raw subject", fields(Subject=utf8), local=True),
        Case("local, from unknown", fields(From="x@customer.example"), local=True),
        Case("local, null sender", fields(From="postmaster@mx.example.com"), sender="", local=True),
        Case("empty body", fields(), body=b"\r\n\r\n%TOKEN%"),
    ]
    names = [c.name for c in cases]
    assert len(names) == len(set(names))
    return cases
