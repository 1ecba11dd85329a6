"""What mail looks like: good and bad letters as programs and people write them. Each is a function of its token, the
word by which every copy is found again, and returns the message with CRLF."""

DATE = "Thu, 05 Mar 2020 09:30:00 +0100"  # no year of today: what a mail server adds is told apart by it


def letter(token, body=None, **changes):
    """A faultless message, apart from the fields given: bytes or text replace, None drops, a list repeats. Names are
    written with _ for -; further ones come last."""
    fields = {"From": "Alice <alice@garden.test>", "To": "<someone@rose.test>", "Subject": "A word about roses",
              "Date": DATE, "Message-ID": f"<{token}@garden.test>"}
    fields |= {name.replace("_", "-"): value for name, value in changes.items()}
    out = b""
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                out += name.encode() + b": " + (one if isinstance(one, bytes) else one.encode()) + b"\r\n"
    return out + b"\r\n" + (body if body is not None else b"Dear reader,\r\nthis is " + token.encode() + b".\r\n")


def _mixed(token):
    return (f"--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{token} "
            "grüßt\r\n--b1\r\nContent-Type: application/pdf; name=invoice.pdf\r\nContent-Transfer-Encoding: base64\r\n"
            "\r\n" + "JVBERi0xLjQKJcfsj6IKNSAwIG9iago8PC9MZW5ndGggNiAwIFIvRmlsdGVyIC9GbGF0ZURl\r\n" * 600 +
            "--b1--\r\n").encode()


def _dots(token):
    return f".\r\n..\r\n.{token}\r\n  trailing blanks  \r\n\tFrom here on\r\nFrom the start of a line\r\n\r\n\r\n".encode()


GOOD = {
    "plain": letter,
    "encoded subject": lambda t: letter(t, Subject="=?utf-8?Q?Gr=C3=BC=C3=9Fe?="),
    "folded subject": lambda t: letter(t, Subject="a subject that\r\n goes on\r\n\tin three lines"),
    "mixed parts": lambda t: letter(t, _mixed(t), MIME_Version="1.0",
                                    Content_Type='multipart/mixed;\r\n boundary="b1"'),
    "8-bit body": lambda t: letter(t, f"{t} süß\r\n".encode(), MIME_Version="1.0",
                                   Content_Type="text/plain; charset=utf-8", Content_Transfer_Encoding="8bit"),
    "dots and blanks": lambda t: letter(t, _dots(t)),
    "no body": lambda t: letter(t, b""),
    "newsletter": lambda t: letter(t, List_Unsubscribe=f"<https://garden.test/u/{t}>", Precedence="bulk",
                                   List_Unsubscribe_Post="List-Unsubscribe=One-Click"),
    "X-tag": lambda t: letter(t, X_tag="invoice-2020"),
    "resent": lambda t: letter(t, Resent_From="<carol@garden.test>", Resent_To="<someone@rose.test>",
                               Resent_Date=DATE, Resent_Message_ID=f"<r-{t}@garden.test>"),
    "odd fields": lambda t: letter(t, X_Empty="", X_Tab="\tvalue", X_Blanks="  two  ", Keywords="a, b,c",
                                   To="Friends: <someone@rose.test>, <other@rose.test>;"),
    "auto reply": lambda t: letter(t, Auto_Submitted="auto-replied", Subject="Away until Monday"),
}

BAD = {
    "8-bit subject": lambda t: letter(t, Subject="Grüße aus dem Garten – 20 € geschenkt"),
    "Latin-1 subject": lambda t: letter(t, Subject="Grüße aus dem Garten".encode("latin-1")),
    "8-bit subject with text around": lambda t: letter(t, Subject="Re: [garden] Rechnung für März, Blatt 3"),
    "long 8-bit subject": lambda t: letter(t, Subject="Größte Rosen der Welt, " * 20),
    "8-bit display name": lambda t: letter(t, From="Jürgen Müller <alice@garden.test>"),
    "no Date": lambda t: letter(t, Date=None),
    "no Message-ID": lambda t: letter(t, Message_ID=None),
    "no Date, no Message-ID": lambda t: letter(t, Date=None, Message_ID=None),
    "no From": lambda t: letter(t, From=None),
    "no Subject": lambda t: letter(t, Subject=None),
    "no To": lambda t: letter(t, To=None),
    "two From": lambda t: letter(t, From=["<alice@garden.test>", "<carol@garden.test>"]),
    "two Subjects": lambda t: letter(t, Subject=["One and the same", "One and the same"]),
    "two To": lambda t: letter(t, To=["<someone@rose.test>", "<other@rose.test>"]),
    "no MIME-Version": lambda t: letter(t, Content_Type="text/plain; charset=us-ascii"),
    "From without address": lambda t: letter(t, From="nobody in particular"),
    "long header line": lambda t: letter(t, X_Trace="abcdefgh " * 150),
    "huge header": lambda t: letter(t, X_Huge="0123456789 abcdefghi\r\n " * 3100 + "end"),
    "control character": lambda t: letter(t, Subject="bell \x07 rings"),
    "bad X-tag": lambda t: letter(t, X_tag="not a tag!"),
    "foreign From": lambda t: letter(t, From="Visitor <visitor@elsewhere.test>"),
    "bad date": lambda t: letter(t, Date="yesterday"),
    "Bcc and Return-Path": lambda t: letter(t, Bcc="<secret@rose.test>", Return_Path="<x@garden.test>"),
}

ALL = {**GOOD, **BAD}
