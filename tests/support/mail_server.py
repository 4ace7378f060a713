"""A mail server that behaves as a test sets it, with STARTTLS and a certificate of its own where asked."""

import base64
import datetime as dt
import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass
class MailServer:
    """What arrived, and what to answer."""

    port: int = 0
    password: str = "swordfish/@:"
    tls: ssl.SSLContext | None = None
    answer: str = "250 taken"
    silent: bool = False
    refused: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


class _Session(socketserver.StreamRequestHandler):
    """One client; `server.mail` says what to answer."""

    def say(self, *lines):
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
        self.wfile.flush()

    def handle(self):
        if self.server.mail.silent:
            self.server.mail.over.wait()
            return
        self.secure = False
        self.say("220 test")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            if getattr(self, verb.lower(), self.unknown)(rest) is False:
                return

    def unknown(self, rest):
        self.say("502 unknown")

    def ehlo(self, rest):
        offers_tls = self.server.mail.tls is not None and not self.secure
        self.say("250-test", *(["250-STARTTLS"] if offers_tls else []), "250 AUTH PLAIN")

    def starttls(self, rest):
        self.say("220 go")
        try:
            self.request = self.server.mail.tls.wrap_socket(self.request, server_side=True)
        except OSError:
            return False  # the client does not trust the certificate
        self.rfile, self.wfile, self.secure = self.request.makefile("rb"), self.request.makefile("wb"), True
        return True

    def auth(self, rest):
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.server.mail.logins.append(user)
        self.say("235 welcome" if password == self.server.mail.password else "535 wrong")

    def mail(self, rest):
        self.say("250 ok")

    def rcpt(self, rest):
        self.say("550 nobody" if self.server.mail.refused and self.server.mail.refused in rest else "250 ok")

    def rset(self, rest):
        self.say("250 ok")

    def data(self, rest):
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line)
        if self.server.mail.answer.startswith("2"):
            self.server.mail.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
            self.server.mail.encrypted.append(self.secure)
        self.say(self.server.mail.answer)

    def quit(self, rest):
        self.say("221 bye")
        return False


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def mail_server(certificate: Path | None = None) -> Iterator[MailServer]:
    """Serve on a free port; with a certificate, offer STARTTLS."""
    mail = MailServer()
    if certificate is not None:
        mail.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        mail.tls.load_cert_chain(certificate)

    with _Server(("127.0.0.1", 0), _Session) as server:
        server.mail = mail
        mail.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield mail
        finally:
            mail.over.set()
            server.shutdown()


def certificate_of_localhost(folder: Path) -> Path:
    """Write a self-signed certificate and its key for 127.0.0.1 to one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
