"""Which hosts may be requested: by the addresses they resolve to, and after every redirection."""

import datetime as dt
import gzip
import http.server
import socket
import socketserver
import ssl
import threading
import time
import zlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import SourceError, SourceUnreachableError
from resources.sources.interface import SourceObject
from resources.sources.web import WebSource
from resources.sources.web_connection import WebPolicy, refusal_reason, resolved

PUBLIC = "93.184.216.34"


def policy(ip=PUBLIC, **how):
    return WebPolicy(resolve=lambda host, port: [ip], **how)


@pytest.mark.parametrize(
    "ip",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:8.8.8.8",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(ip):
    assert refusal_reason(ip)
    with pytest.raises(SourceError, match="not public"):
        policy(ip).check("https://data.example.org/rows.csv")


@pytest.mark.parametrize("ip", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111"])
def test_public_addresses_are_allowed(ip):
    assert refusal_reason(ip) == ""
    assert policy(ip).check("https://data.example.org/rows.csv").ips == (ip,)


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=6, network="fc00::/7"))
def test_private_addresses_are_refused_unless_allowed(ip):
    assert refusal_reason(str(ip)) == "private"
    assert refusal_reason(str(ip), private=True) == ""


@given(st.ip_addresses())
def test_where_this_machine_is_named_only_loopback_is_allowed(ip):
    assert (refusal_reason(str(ip), loopback=True) == "") == ip.is_loopback


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "017700000001", "0"])
def test_other_spellings_of_this_machine_s_address_are_refused(host):
    with pytest.raises(SourceError):
        WebPolicy().check(f"https://{host}/rows.csv")


@pytest.mark.parametrize("host", ["2852039166", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "[::ffff:169.254.169.254]"])
def test_other_spellings_of_the_metadata_server_are_refused(host):
    with pytest.raises(SourceError, match="not public"):
        WebPolicy().check(f"https://{host}/latest/meta-data")


def test_every_address_of_a_host_counts_and_not_the_first_alone():
    rebinding = WebPolicy(resolve=lambda host, port: [PUBLIC, "10.0.0.1"])
    with pytest.raises(SourceError, match="not public"):
        rebinding.check("https://data.example.org/rows.csv")


def test_a_private_network_is_opened_by_the_setting_but_not_to_plain_http():
    opened = policy("10.0.0.1", allow_private=True)
    assert opened.check("https://data.internal/rows.csv").ips == ("10.0.0.1",)
    with pytest.raises(SourceError, match="plain http"):
        opened.check("http://data.internal/rows.csv")


def test_hosts_count_by_patterns_whatever_their_letters_and_a_dot_at_the_end():
    listed = policy(allowed_hosts=("*.example.org", "data.example.com"))
    for host in ("a.example.org", "A.Example.ORG", "b.a.example.org.", "data.example.com"):
        assert listed.check(f"https://{host}/rows.csv").ips == (PUBLIC,)
    for host in ("example.org", "a.example.org.evil.net", "evilexample.org", "example.com", "127.0.0.1"):
        with pytest.raises(SourceError, match="not on the list") as caught:
            listed.check(f"https://{host}/rows.csv")
        assert "ASSAY_HTTPS_ALLOWED_HOSTS" in caught.value.remedy


def test_a_host_named_as_this_machine_must_resolve_to_it():
    with pytest.raises(SourceError, match="not this machine"):
        policy("10.0.0.1").check("http://localhost/rows.csv")


def test_a_host_without_address_is_unreachable():
    def unknown(host, port):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolve in (unknown, lambda host, port: []):
        with pytest.raises(SourceUnreachableError):
            WebPolicy(resolve=resolve).check("https://data.example.org/rows.csv")


def test_the_machine_s_own_resolver_gives_addresses():
    assert resolved("127.0.0.1", 80) == ["127.0.0.1"]


# over the wire


class Server(http.server.BaseHTTPRequestHandler):
    """Answers each path with the status, headers and body in the server's `answers`."""

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.server.answers[self.path.split("?")[0]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *args):
        """Stay quiet."""


@pytest.fixture
def web():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.answers, server.asked = {}, []
    server.root = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


def fetched(address, folder, **how):
    file = WebSource(address, **how).fetch(SourceObject(address, ""), folder)
    return file.path.read_bytes()


@pytest.mark.parametrize(
    "location",
    [
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/rows.csv",
        "https://[::ffff:127.0.0.1]/rows.csv",
        "https://2130706433/rows.csv",
        "https://0xa9fea9fe/rows.csv",
        "file:///etc/passwd",
        "ftp://127.0.0.1/rows.csv",
        "//10.0.0.1/rows.csv",
    ],
)
def test_a_redirection_to_where_the_address_could_not_point_is_refused(web, tmp_path, location):
    web.answers["/rows.csv"] = (302, {"Location": location}, b"")
    with pytest.raises(SourceError) as caught:
        fetched(f"{web.root}/rows.csv", tmp_path)
    assert not isinstance(caught.value, SourceUnreachableError)


def test_a_public_host_cannot_redirect_to_this_machine():
    public = policy().check("https://data.example.org/rows.csv")
    for address in ("https://127.0.0.1/rows.csv", "https://localhost/rows.csv", "https://[::1]/rows.csv"):
        with pytest.raises(SourceError, match="not public"):
            WebPolicy().check(address, before=public)
    for address in ("http://127.0.0.1/rows.csv", "http://data.example.org/rows.csv"):
        with pytest.raises(SourceError, match="redirects to plain http"):
            policy().check(address, before=public)


def test_the_list_of_hosts_counts_after_a_redirection(web, tmp_path):
    web.answers["/rows.csv"] = (307, {"Location": f"http://localhost:{web.server_port}/new.csv"}, b"")
    web.answers["/new.csv"] = (200, {}, b"a\n1\n")
    assert fetched(f"{web.root}/rows.csv", tmp_path) == b"a\n1\n"
    with pytest.raises(SourceError, match="not on the list, after a redirection"):
        fetched(f"{web.root}/rows.csv", tmp_path, policy=WebPolicy(allowed_hosts=("127.0.0.1",)))


def test_redirections_end(web, tmp_path):
    web.answers["/rows.csv"] = (302, {"Location": "/rows.csv"}, b"")
    with pytest.raises(SourceError, match="too often"):
        fetched(f"{web.root}/rows.csv", tmp_path)
    assert len(web.asked) == 6


def test_the_address_that_was_checked_is_the_one_connected_to(web, tmp_path):
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    web.answers["/rows.csv"] = (200, {}, b"a\n")
    once = WebPolicy(resolve=lambda host, port: next(answers))
    assert fetched(f"http://localhost:{web.server_port}/rows.csv", tmp_path, policy=once) == b"a\n"
    assert web.asked[0][1]["Host"] == f"localhost:{web.server_port}"
    elsewhere = WebPolicy(resolve=lambda host, port: ["127.0.0.2"])  # where nobody listens
    with pytest.raises(SourceUnreachableError):
        fetched(f"http://localhost:{web.server_port}/rows.csv", tmp_path, policy=elsewhere)


def test_no_credentials_are_sent_anywhere(web, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    web.answers["/rows.csv"] = (302, {"Location": "/new.csv", "Set-Cookie": "a=b"}, b"")
    web.answers["/new.csv"] = (200, {}, b"a\n")
    fetched(f"{web.root}/rows.csv?token=hunter2", tmp_path)
    assert all({"Authorization", "Cookie", "Referer"}.isdisjoint(headers) for _, headers in web.asked)
    assert web.asked[1][0] == "/new.csv"


def test_proxies_of_the_environment_are_not_used(web, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    web.answers["/rows.csv"] = (200, {}, b"a\n")
    assert fetched(f"{web.root}/rows.csv", tmp_path) == b"a\n"


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for `localhost`, and its key, in one file."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path = tmp_path / "localhost.pem"
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


def test_the_certificate_must_bear_the_host_s_name(web, certificate, tmp_path, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    web.answers["/rows.csv"] = (200, {}, b"a\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert fetched(f"https://localhost:{web.server_port}/rows.csv", tmp_path) == b"a\n"
    with pytest.raises(SourceUnreachableError, match="SSLCertVerificationError"):
        fetched(f"https://127.0.0.1:{web.server_port}/rows.csv", tmp_path)
    web.answers["/rows.csv"] = (302, {"Location": "http://localhost:9/rows.csv"}, b"")
    with pytest.raises(SourceError, match="redirects to plain http"):
        fetched(f"https://localhost:{web.server_port}/rows.csv", tmp_path)


def test_an_untrusted_certificate_is_refused(web, tmp_path):
    with pytest.raises(SourceUnreachableError):
        fetched(f"https://localhost:{web.server_port}/rows.csv", tmp_path)


# what comes


def test_a_gzip_answer_is_stored_unpacked(web, tmp_path):
    content = b"a,b\n1,2\n" * 1000
    web.answers["/rows.csv"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(content))
    assert fetched(f"{web.root}/rows.csv", tmp_path) == content
    assert web.asked[0][1]["Accept-Encoding"] == "identity"


def test_a_gzip_file_stays_packed(web, tmp_path):
    packed = gzip.compress(b"a,b\n1,2\n")
    web.answers["/rows.csv.gz"] = (200, {"Content-Encoding": "x-gzip"}, packed)
    assert fetched(f"{web.root}/rows.csv.gz", tmp_path) == packed


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip"])
def test_an_unknown_coding_is_refused(web, tmp_path, coding):
    web.answers["/rows.csv"] = (200, {"Content-Encoding": coding}, zlib.compress(b"a\n"))
    with pytest.raises(SourceError, match="not asked for"):
        fetched(f"{web.root}/rows.csv", tmp_path)


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"a\n" * 100)[:-9], b"a,b\n1,2\n", gzip.compress(b"a\n") + b"more"],
    ids=["cut", "not packed", "followed"],  # bytes that hold the time would differ between workers
)
def test_an_incomplete_gzip_answer_is_refused(web, tmp_path, body):
    web.answers["/rows.csv"] = (200, {"Content-Encoding": "gzip"}, body)
    with pytest.raises(SourceUnreachableError):
        fetched(f"{web.root}/rows.csv", tmp_path)


def test_a_gzip_bomb_is_stopped_at_the_size_limit(web, tmp_path, monkeypatch):
    monkeypatch.setattr("resources.sources.web.MAX_BYTES", 1 << 21)
    web.answers["/rows.csv"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(1 << 26)))
    with pytest.raises(SourceError, match="went past its bounds"):
        fetched(f"{web.root}/rows.csv", tmp_path)
    assert (tmp_path / "download").stat().st_size <= 1 << 22


def test_an_announced_size_past_the_limit_is_refused_before_the_download(web, tmp_path, monkeypatch):
    monkeypatch.setattr("resources.sources.web.MAX_BYTES", 3)
    web.answers["/rows.csv"] = (200, {"Content-Length": "4"}, b"")
    with pytest.raises(SourceError, match="went past its bounds") as caught:
        fetched(f"{web.root}/rows.csv", tmp_path)
    assert caught.value.found.startswith("4 bytes")


class Dribble(socketserver.BaseRequestHandler):
    """Sends one byte of a header after the other."""

    def handle(self):
        try:
            self.request.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            while True:
                self.request.sendall(b"x")
                time.sleep(0.02)
        except OSError:
            return


def test_a_slow_server_is_cut_off_at_the_deadline(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.sources.web.DEADLINE_SECONDS", 0.3)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dribble) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        try:
            with pytest.raises(SourceError, match="went past its bounds"):
                fetched(f"http://127.0.0.1:{server.server_address[1]}/rows.csv", tmp_path)
        finally:
            server.shutdown()
