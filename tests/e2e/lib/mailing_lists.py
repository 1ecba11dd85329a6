"""Mailing lists behind an alias, as Mailman and its like work: `"|/usr/local/lib/lists/post NAME"` in /etc/aliases
gets the post, adds the List-* fields and hands it to sendmail(1) for the members, in the name of the bounce address."""
import json
import pathlib

POST = r'''#!/usr/bin/python3 -IS
"""post NAME: one message on stdin goes to every member of the list."""
import json, subprocess, sys
name = sys.argv[1]
here = json.load(open(f"/usr/local/lib/lists/{name}.json"))
head, _, body = sys.stdin.buffer.read().partition(b"\n\n")
fields = []
for line in head.split(b"\n"):
    if line[:1] in b" \t" and fields:
        fields[-1] += b"\n" + line
    elif line.lower().partition(b":")[0] not in (b"return-path", b"delivered-to", b"x-original-to") \
            and not line.startswith(b"From "):
        fields.append(line)
address, domain = here["address"], here["address"].split("@")[1]
fields += [line.encode() for line in (
    f"List-Id: <{name}.{domain}>", f"List-Post: <mailto:{address}>",
    f"List-Unsubscribe: <mailto:{name}-request@{domain}?subject=unsubscribe>", "Precedence: list",
    *([f"Sender: {here['sender']}"] if here["sender"] else []))]
fields = [f.replace(b"Subject: ", f"Subject: [{name}] ".encode(), 1) if f.startswith(b"Subject: ") else f
          for f in fields]
sys.exit(subprocess.run(["/usr/sbin/sendmail", "-i", "-f", here["sender"] or "<>", "--", *here["members"]],
                        input=b"\n".join(fields) + b"\n\n" + body).returncode)
'''


def set_up(lists):
    """lists: name -> (address, envelope sender or "" for the null sender, members). The aliases that they need."""
    folder = pathlib.Path("/usr/local/lib/lists")
    folder.mkdir(parents=True)
    (folder / "post").write_text(POST)
    (folder / "post").chmod(0o755)
    for name, (address, sender, members) in lists.items():
        (folder / f"{name}.json").write_text(json.dumps({"address": address, "sender": sender, "members": members}))
    return "".join(f'{name}: "|{folder}/post {name}"\n' for name in lists)
