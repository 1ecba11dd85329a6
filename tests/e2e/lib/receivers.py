"""The world outside of a private machine: a DNS with MX records and one recording server per receiver, on port 25 of
its own address."""
import hashlib
import ssl
import subprocess

import private_machine
from dns_server import DnsServer
from sink import Sink

# domain -> addresses of its MX hosts, best first; "A" stands for a domain without MX.
SERVERS = {
    "rose.test": ["203.0.113.10"],
    "lily.test": ["203.0.113.11", "203.0.113.12"],
    "fern.test": ["203.0.113.13"],      # without SMTPUTF8
    "moss.test": ["A", "203.0.113.14"],
    "closed.test": ["203.0.113.15"],    # knows nobody
    "bakery.test": ["203.0.113.16"],    # the mailboxes of the company whose mail we only send
    "elsewhere.test": ["203.0.113.17"],  # strangers who write to us
    "warehouse.test": ["203.0.113.40"],  # reached by a transport map, on port 2525
    "bank.test": ["203.0.113.41"],      # offers TLS, with a TLSA record
}
PORTS = {"203.0.113.40": 2525}


class Receivers:
    """with Receivers({"garden.test": {…}}, folder) as world: world.sinks["rose.test"].messages; `zone` is added to
    the DNS. `refusal`: a reply to every RCPT while it is set."""

    def __init__(self, zone, folder):
        self.zone, self.folder = dict(zone), folder
        self.refusal = None
        self.sinks = {}  # by domain; a backup MX is "DOMAIN backup"
        self.dns = None

    def addresses(self):
        return [a for hosts in SERVERS.values() for a in hosts if a != "A"]

    def start(self):
        bank = self._certificate("mx1.bank.test")
        for domain, hosts in SERVERS.items():
            if hosts[0] == "A":
                self.zone[domain] = {"A": [hosts[1]]}
            else:
                self.zone[domain] = {"MX": [(10 * i + 10, f"mx{i + 1}.{domain}") for i in range(len(hosts))]}
                self.zone.update({f"mx{i + 1}.{domain}": {"A": [a]} for i, a in enumerate(hosts)})
        self.zone["void.test"] = {"MX": [(0, ".")]}
        self.dns = DnsServer(self.zone, port=53, authentic=True)
        with private_machine.outside():
            for domain, hosts in SERVERS.items():
                for i, address in enumerate(a for a in hosts if a != "A"):
                    self.sinks[domain + (" backup" if i else "")] = Sink(
                        smtputf8=domain != "fern.test", host=address, port=PORTS.get(address, 25),
                        answer=self._answer(domain), tls=bank if domain == "bank.test" else None)
        return self

    def clear(self):
        for sink in self.sinks.values():
            sink.clear()

    def stop(self):
        for sink in self.sinks.values():
            sink.close()
        if self.dns:
            self.dns.stop()

    def _certificate(self, name):
        """A context with a certificate of that name, whose key stands in the zone as DANE wants it (3 1 1)."""
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                        f"/CN={name}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout
        self.zone[f"_25._tcp.{name}"] = {"TLSA": [(3, 1, 1, hashlib.sha256(public).hexdigest())]}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def _answer(self, domain):
        def answer(verb, argument):
            if verb != "RCPT":
                return None
            if self.refusal:
                return self.refusal
            return "550 5.1.1 no such user here" if domain == "closed.test" else None
        return answer

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
