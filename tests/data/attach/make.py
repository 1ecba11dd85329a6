#!/usr/bin/python3
"""Makes the *.site files beside it: what a real Postfix says of its configuration, for tests/unit/attach. Each site is
Debian 12's main.cf and master.cf with the changes below, read by postconf of the package (unpacked, never installed).

usage: tests/data/attach/make.py     rewrites every *.site; `git diff` shows what another Postfix says differently
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "e2e/lib"))
import packages  # noqa: E402

DEBIAN = """\
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
readme_directory = no
compatibility_level = 3.6
smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level=may
smtp_tls_CApath=/etc/ssl/certs
smtp_tls_security_level=may
smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
myhostname = mail.garden.test
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
myorigin = $myhostname
mydestination = $myhostname, garden.test, localhost.garden.test, localhost
relayhost =
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128
mailbox_size_limit = 0
recipient_delimiter = +
inet_interfaces = all
inet_protocols = all
"""

SUBMISSION = """\
submission inet n - y - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=$mua_client_restrictions
"""
SUBMISSIONS = """\
submissions inet n - y - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
"""
POSTSCREEN = """\
smtp inet n - y - 1 postscreen
smtpd pass - - y - - smtpd
dnsblog unix - - y - 0 dnsblog
tlsproxy unix - - y - 0 tlsproxy
"""
LOGIN = {"relayhost": "[smarthost.test]:587", "smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous",
         "smtp_sasl_password_maps": "texthash:/etc/postfix/sasl"}
LOGIN_FILES = {"sasl": "[smarthost.test]:587 garden:se\"cret:\\1\n"}


def site(main=None, master="", without=(), files=None):
    return {"main": main or {}, "master": master, "without": without, "files": files or {}}


SITES = {
    "debian": site(),
    "submission": site(master=SUBMISSION + SUBMISSIONS),
    "postscreen": site(master=POSTSCREEN + SUBMISSION, without=("smtp inet",)),
    "sasl-on-25": site({"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth"}),
    "content-filter": site({"content_filter": "smtp-amavis:[127.0.0.1]:10024"}, SUBMISSION + """\
127.0.0.1:10025 inet n - y - - smtpd
  -o content_filter=
  -o smtpd_milters=
  -o mynetworks=127.0.0.0/8
smtp-amavis unix - - y - 2 smtp
  -o smtp_data_done_timeout=1200
"""),
    "relayhost-login-may": site(LOGIN, files=LOGIN_FILES),
    "relayhost-login-encrypt": site({**LOGIN, "smtp_tls_security_level": "encrypt"}, files=LOGIN_FILES),
    "relayhost-login-secure": site({**LOGIN, "smtp_tls_security_level": "secure"}, files=LOGIN_FILES),
    "relayhost-none": site({"relayhost": "[smarthost.test]", "smtp_tls_security_level": "none"}),
    "relayhost-fingerprint": site({"relayhost": "[smarthost.test]", "smtp_tls_security_level": "fingerprint"}),
    "relayhost-mx": site({"relayhost": "smarthost.test"}),
    "relayhost-mx-port": site({"relayhost": "smarthost.test:2525"}),
    "relayhost-ipv6": site({"relayhost": "[2001:db8::25]:2525"}),
    "relayhost-service": site({"relayhost": "[smarthost.test]:submission"}),
    "relayhost-several": site({"relayhost": "[one.smarthost.test]:587, [two.smarthost.test]:587"}),
    "sender-relayhost": site({"sender_dependent_relayhost_maps": "hash:/etc/postfix/senders, regexp:/etc/postfix/more",
                              "sender_dependent_default_transport_maps": "hash:/etc/postfix/by_sender"}),
    "tls-policy": site({"smtp_tls_policy_maps": "hash:/etc/postfix/tls_policy", "smtp_dns_support_level": "dnssec"}),
    "transport-maps": site({"transport_maps": "hash:/etc/postfix/transport", "smtp_tls_policy_maps": "hash:/etc/postfix/tls"}),
    "own-default-transport": site({"default_transport": "smtp:[elsewhere.test]:2525"}),
    "dane-only": site({"smtp_tls_security_level": "dane-only", "smtp_dns_support_level": "dnssec"}),
    "dane": site({"smtp_tls_security_level": "dane", "smtp_dns_support_level": "dnssec"}),
    "bind-address": site({"smtp_bind_address": "192.0.2.25", "smtp_bind_address6": "[2001:db8::25]",
                          "smtp_helo_name": "out.garden.test"}),
    "ipv4-only": site({"inet_protocols": "ipv4", "inet_interfaces": "192.0.2.25"}),
    "hosting": site({"virtual_alias_domains": "hash:/etc/postfix/virtual", "virtual_alias_maps": "hash:/etc/postfix/virtual",
                     "virtual_mailbox_domains": "texthash:/etc/postfix/domains, mysql:/etc/postfix/domains.cf",
                     "virtual_mailbox_maps": "texthash:/etc/postfix/boxes",
                     "relay_domains": "hash:/etc/postfix/relay, .branch.test, Customer.TEST"},
                    SUBMISSION,
                    files={"virtual": "meadow.test anything\ninfo@meadow.test bob@garden.test\n",
                           "domains": "# ours\nbakery.test OK\nlily.test OK\n", "domains.cf": "", "boxes": "bob@bakery.test b/\n",
                           "relay": "backup.test OK\n"}),
    "opendkim": site({"smtpd_milters": "inet:localhost:8891", "non_smtpd_milters": "$smtpd_milters",
                      "milter_default_action": "accept"}, SUBMISSION),
    "opendkim-braces": site({"smtpd_milters": "{ inet:localhost:8891, default_action=accept }, unix:/run/rspamd/milter.sock",
                             "non_smtpd_milters": "$smtpd_milters"}, SUBMISSION),
    "opendkim-submission": site({"mua_milters": "unix:private/opendkim, inet:localhost:11332"},
                                SUBMISSION + "  -o smtpd_milters=$mua_milters\n" + SUBMISSIONS +
                                "  -o { smtpd_milters = unix:private/opendkim, inet:localhost:11332 }\n"),
    "milter-maps": site({"smtpd_milter_maps": "cidr:/etc/postfix/milters.cidr"}, files={"milters.cidr": ""}),
    "addresses": site({"inet_interfaces": "192.0.2.25"}, """\
192.0.2.25:25 inet n - y - - smtpd
192.0.2.25:587 inet n - y - - smtpd
  -o smtpd_sasl_auth_enable=yes
[::1]:2500 inet n - n - - smtpd
127.0.0.1:smtps inet n - y - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
""", without=("smtp inet",)),
    "networks": site({"mynetworks": "127.0.0.0/8, [::1]/128 [2001:db8:1::]/48, !192.0.2.9, 192.0.2.0/24, "
                                    "198.51.100.7, cidr:/etc/postfix/office.cidr, hash:/etc/postfix/clients"},
                     files={"office.cidr": "203.0.113.0/24 OK\n", "clients": "203.0.113.7 OK\n203.0.113.8 OK\n"}),
    "no-networks": site({"mynetworks": ""}, SUBMISSION),
    "only-table-networks": site({"mynetworks": "cidr:/etc/postfix/office.cidr"},
                                files={"office.cidr": "203.0.113.0/24 OK\n"}),
    "helo-without-dot": site({"myhostname": "mail", "mydestination": "$myhostname, localhost"}),
    "no-size-limit": site({"message_size_limit": "0", "mailbox_size_limit": "0"}),
    "large-size-limit": site({"message_size_limit": "209715200"}),
    "left-over": site({"millrace_milter": "{ unix:millrace/milter.sock, default_action=accept }",
                       "non_smtpd_milters": "$millrace_milter"}),
}


def run(*command):
    root = packages.unpacked("postfix", ["postfix"])
    done = subprocess.run([root / "usr/sbin" / command[0], *command[1:]], capture_output=True, text=True,
                          env={**os.environ, "LD_LIBRARY_PATH": f"{root}/usr/lib/postfix"})
    if done.returncode and "fatal" in done.stderr:  # postmap -q: 1 means that there is no such key
        raise SystemExit(f"{command}: {done.stderr}")
    return done.stdout


def lay_out(folder, what):
    """The site's configuration folder. Later lines of main.cf win, but postconf warns of them: so they are replaced."""
    main = [line for line in DEBIAN.splitlines() if re.split(r"\s*=", line)[0] not in what["main"]]
    main += [f"{name} = {value}" for name, value in what["main"].items()]
    root = packages.unpacked("postfix", ["postfix"])
    master = (root / "usr/share/postfix/master.cf.dist").read_text()
    master = "".join(line for line in master.splitlines(True) if not line.startswith("#"))
    lines = [line for line in master.splitlines(True)
             if not any(re.match(r"\s+".join(words.split()) + r"\s", line) for words in what["without"])]
    for name, text in {"main.cf": "\n".join(main) + "\n", "master.cf": "".join(lines) + what["master"],
                       **what["files"]}.items():
        (folder / name).write_text(text.replace("/etc/postfix/", f"{folder}/"))
    for name in what["files"]:
        if f"hash:/etc/postfix/{name}" in re.sub(r"texthash:\S+", "", str(what["main"])):
            run("postmap", "-c", folder, f"hash:{folder / name}")


def tables(folder, expanded):
    """As PostfixInstance::read_tables lists them."""
    found = {}
    for name in ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains", "mynetworks"):
        for element in re.split(r"[,\s]+", expanded.get(name, "")):
            if element.startswith("texthash:"):
                found[element] = pathlib.Path(element.split(":")[1]).read_text()
            elif element.startswith("hash:"):
                found[element] = run("postmap", "-c", folder, "-s", element)
    return found


def describe(folder, what, base):
    lay_out(folder, what)
    said = {option: run("postconf", "-c", folder, option).splitlines() for option in ("-n", "-x", "-F", "-P")}
    said["-F"] = [line for line in said["-F"] if line.split(" ")[0].endswith(("/chroot", "/command"))]
    said["-x"] = [line for line in said["-x"] if not line.startswith("process_id ")]
    expanded = dict(re.split(r" ?= ?", line, maxsplit=1) for line in said["-x"])
    if table := expanded["smtp_sasl_password_maps"]:
        said["login"] = run("postmap", "-c", folder, "-q", expanded["relayhost"], table).splitlines()
    for table, text in tables(folder, expanded).items():
        said[f"table {table}"] = [line.split()[0] for line in text.splitlines() if line and line[0] not in "# \t"]
    own = {part: [line.replace(str(folder), "/etc/postfix") for line in lines] for part, lines in said.items()}
    return {part.replace(str(folder), "/etc/postfix"): [line for line in lines if part != "-x" or line not in base]
            for part, lines in own.items()}


def main():
    base = []
    for name, what in SITES.items():
        with tempfile.TemporaryDirectory() as folder:
            said = describe(pathlib.Path(folder), what, set(base))
        base = base or said["-x"]
        text = "".join(f"@ {part}\n" + "".join(f"{line}\n" for line in lines) for part, lines in said.items())
        (HERE / f"{name}.site").write_text(text)
        print(name, len(text))


if __name__ == "__main__":
    main()
