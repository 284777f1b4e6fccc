"""What may cross the wire, by which connection, and between which builds."""

from __future__ import annotations

import sys

import msgspec
import pytest

from chains.endpoints import EndpointSpec
from chains.errors import ConfigError
from chains.model import ChainId
from crawler.cluster import coordinator, wire, work
from crawler.cluster.coordinator import Cluster, check_builds
from crawler.errors import EnvironmentFault, UsageError

pytestmark = pytest.mark.unit


def endpoint(url: str, **headers: str) -> EndpointSpec:
    return EndpointSpec(name="one", chain=ChainId("eip155:1"), url=url, headers=headers)


@pytest.mark.parametrize(
    "spec",
    [
        endpoint("https://rpc.example.org/v2/${KEY}"),
        endpoint("https://${USER}:${PASS}@rpc.example.org"),
        endpoint("https://rpc.example.org/?key=${KEY}", Authorization="Bearer ${KEY}"),
        endpoint("http://127.0.0.1:8545/ext/bc/C/rpc"),
    ],
)
def test_endpoints_whose_secrets_stay_at_home_may_travel(spec):
    wire.check_secrets([spec])


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (endpoint("https://rpc.example.org/v2/0123456789abcdef0123456789abcdef"), "the URL"),
        (endpoint("https://user:pass@rpc.example.org"), "the URL"),
        (endpoint("https://rpc.example.org/?key=abc"), "the URL"),
        (endpoint("https://rpc.example.org", Authorization="Bearer abcdef"), "a header"),
    ],
)
def test_endpoints_with_a_secret_written_out_may_not(spec, where):
    with pytest.raises(ConfigError, match=rf"endpoint one: {where} seems to hold a secret"):
        wire.check_secrets([spec])


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("tls://10.0.0.1:8786", False),
        ("tcp://127.0.0.1:8786", False),
        ("tcp://localhost:8786", False),
        ("tcp://[::1]:8786", False),
        ("tcp://10.0.0.1:8786", True),
    ],
)
def test_connections_that_are_accepted(address, plain):
    wire.check_address(address, plain=plain)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("tcp://10.0.0.1:8786", r"tcp://10\.0\.0\.1:8786 is another machine, .*--cluster-plain"),
        ("tcp://scheduler:8786", "is another machine"),
        ("ws://127.0.0.1:8786", r"--cluster ws://127\.0\.0\.1:8786: tls://host:port"),
        ("127.0.0.1:8786", "tls://host:port or tcp://host:port was expected"),
        ("tls://[::1:8786", "tls://host:port or tcp://host:port was expected"),
        ("tls://[a]:8786", "tls://host:port or tcp://host:port was expected"),
    ],
)
def test_connections_that_are_refused(address, message):
    with pytest.raises(UsageError, match=message):
        Cluster(address)


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as refused:
        Cluster("tcp://127.0.0.1:8786")
    expected = "--cluster needs more packages: pip install 'reserve-recount[cluster]'"
    assert str(refused.value) == expected


def test_a_build_is_its_files_and_its_libraries():
    here = wire.build()
    assert set(here) >= {"build", "python", "coincurve", "pyarrow"}
    assert wire.difference(here, dict(here)) == ""
    there = {**here, "build": "0123", "pyarrow": "1.0"}
    assert wire.difference(here, there) == (
        f"build 0123 instead of {here['build']}, pyarrow 1.0 instead of {here['pyarrow']}"
    )


def test_a_worker_of_another_build_or_without_recount_is_refused():
    check_builds({"tcp://127.0.0.1:1": wire.build()})
    with pytest.raises(EnvironmentFault, match=r"worker tcp://w:1 runs another build of recount"):
        check_builds({"tcp://w:1": {**wire.build(), "build": "0123"}})
    missing = ModuleNotFoundError("No module named 'crawler'")
    with pytest.raises(EnvironmentFault, match=r"worker tcp://w:1 cannot load recount \(No module"):
        check_builds({"tcp://w:1": missing})


def test_a_task_for_another_build_is_refused_by_the_worker_that_joined_later():
    with pytest.raises(EnvironmentFault, match="a worker runs another build of recount"):
        work.judge({**wire.build(), "build": "0123"}, b"", b"")


def test_statistics_of_workers_add_up():
    one = work.Told(statistics={"a": coordinator.EndpointStatistics(requests=2, busy_s=0.5)})
    there = msgspec.json.decode(msgspec.json.encode(one), type=work.Told)
    assert coordinator._sum([there.statistics["a"]] * 2) == coordinator.EndpointStatistics(
        requests=4, busy_s=1.0
    )


@pytest.mark.parametrize(
    "said", [b"", b"{", b"[]", b'{"wanted":1}', b"\xff", b'{"x":' + b"[" * 3000]
)
def test_what_is_no_message_of_a_worker_is_read_as_none(said):
    assert wire.read(said, wire.Told) is None
    assert wire.read(b'{"wanted":{"eip155:1":2}}', wire.Told) == wire.Told(wanted={"eip155:1": 2})
