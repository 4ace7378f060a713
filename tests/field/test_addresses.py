"""Reports on addresses that `https://` sources must not reach."""

import pytest

from assay.errors import SourceError
from assay.specs.dataset import DatasetSpec
from resources.data_sources import DataSources
from resources.object_store import BoundedS3Resource
from resources.sources.web_connection import WebPolicy, refusal_reason


@pytest.mark.parametrize(
    "ip",
    [
        "192.0.0.192",
        "168.63.129.16",
        "100.100.100.200",
        "fec0::1",
        "192.88.99.1",
        "3fff::1",
        "192.0.0.9",
        "192.0.0.10",
        "192.31.196.1",
        "192.52.193.1",
        "192.175.48.1",
        "100.64.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:1::1",
        "2001:3::1",
        "2001:20::1",
        "2620:4f:8000::1",
        "64:ff9b:1::1",
        "::ffff:0:a00:1",
        "5f00::1",
        "100::1",
        "4000::1",
        "e000::1",
    ],
)
def test_an_address_for_a_special_purpose_is_not_public(ip):
    """192.0.0.192, 168.63.129.16, fec0::/10, 192.88.99.1 and 3fff::1 passed."""
    assert refusal_reason(ip)
    with pytest.raises(SourceError, match="not public"):
        WebPolicy(resolve=lambda host, port: [ip]).check("https://data.example.org/rows.csv")


@pytest.mark.parametrize(
    "ip",
    [
        "169.254.169.254",
        "169.254.170.2",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "192.0.0.192",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:1::5601:5601",
    ],
)
def test_an_open_private_network_does_not_open_the_cloud_s_credentials(ip):
    assert refusal_reason(ip, private=True)


@pytest.mark.parametrize(
    "ip", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::ffff:0.0.0.0"]
)
def test_an_open_private_network_opens_no_port_of_this_machine(ip):
    """`https://0x7f.1:<any port>` passed the list of ports where private hosts are allowed."""
    opened = WebPolicy(allow_private=True, loopback_ports=(8000,), resolve=lambda host, port: [ip])
    with pytest.raises(SourceError, match=r"not public: (loopback|unspecified)") as refused:
        opened.check("https://0x7f.1:9200/rows.csv")
    assert refused.value.remedy == "use another address", "no setting allows it"


def test_the_remedy_names_a_setting_only_where_it_helps():
    for ip, helps in (("10.0.0.1", True), ("169.254.169.254", False)):
        with pytest.raises(SourceError) as refused:
            WebPolicy(resolve=lambda host, port, ip=ip: [ip]).check("https://data.example.org/rows.csv")
        assert ("ASSAY_HTTPS_ALLOW_PRIVATE" in refused.value.remedy) is helps


@pytest.mark.parametrize("ip", ["10.0.0.1", "192.168.1.1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"])
def test_an_open_private_network_is_open(ip):
    assert refusal_reason(ip, private=True) == ""


@pytest.mark.parametrize("ip", ["8.8.8.8", "192.0.1.1", "168.63.130.1", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_a_public_address_stays_public(ip):
    assert refusal_reason(ip) == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST."])
def test_ports_of_this_machine_need_the_deployments_list(host):
    """`http://localhost:<any port>` reached every service of the machine."""
    listed = WebPolicy(loopback_ports=(8000,), resolve=lambda host, port: ["127.0.0.1"])
    assert listed.check(f"http://{host}:8000/rows.csv").port == 8000
    with pytest.raises(SourceError, match="this port of this machine is not on the list") as refused:
        listed.check(f"http://{host}:9200/rows.csv")
    assert "ASSAY_HTTPS_LOOPBACK_PORTS" in refused.value.remedy


def test_no_port_of_this_machine_is_listed_by_default():
    sources = DataSources(s3=BoundedS3Resource())
    spec = DatasetSpec(source="http://localhost:9200/rows.csv", target="y")
    with pytest.raises(SourceError, match="not on the list"), sources.fetched(spec, None):
        pass
