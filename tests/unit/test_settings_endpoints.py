"""Endpoints: mistakes are found at loading, and no secret reaches a log, an error or a file."""

from __future__ import annotations

import io
import re
from fractions import Fraction
from pathlib import Path

import pytest
from rich.console import Console
from rich.pretty import Pretty

from chains.endpoints import EndpointSpec, hide, redact_url
from chains.errors import ConfigError
from chains.model import ChainId
from crawler.endpoints import load_endpoints, load_public
from crawler.settings import config_root, load_world

pytestmark = pytest.mark.unit

SECRET = "s3cr3t-value-of-the-key"
GOOD = """
[[endpoints]]
name = "hosted"
chain = "eip155:1"
url = "https://rpc.example.org/v2/${KEY}?token=${TOKEN}"
headers = { Authorization = "Bearer ${TOKEN}" }
role = "witness"
rate = "2.5"

[[endpoints]]
name = "mine"
chain = "eip155:1"
url = "http://127.0.0.1:8545"
own_node = true
"""
ENV = {"KEY": SECRET, "TOKEN": "t0ken", "EMPTY": ""}


def load(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> tuple[EndpointSpec, ...]:
    path = tmp_path / "endpoints.toml"
    path.write_text(text, encoding="utf-8")
    return load_endpoints(path, ENV if env is None else env)


def pretty(spec: EndpointSpec) -> str:
    buffer = io.StringIO()
    Console(file=buffer, width=200).print(Pretty(spec))
    return buffer.getvalue()


def test_a_good_file(tmp_path: Path) -> None:
    hosted, mine = load(tmp_path, GOOD)
    assert hosted.role == "witness"
    assert not hosted.own_node
    assert hosted.per_second == Fraction(5, 2)
    assert hosted.resolved_url(ENV) == f"https://rpc.example.org/v2/{SECRET}?token=t0ken"
    assert hosted.resolved_headers(ENV) == {"Authorization": "Bearer t0ken"}
    assert (mine.role, mine.own_node, mine.rate, mine.concurrency) == ("primary", True, "0", 4)
    assert (mine.timeout_s, mine.max_answer_bytes, mine.batch) == (30, 64 * 1024 * 1024, 0)


def test_a_third_party_without_rate_gets_the_default(tmp_path: Path) -> None:
    (spec,) = load(tmp_path, '[[endpoints]]\nname="a"\nchain="eip155:1"\nurl="https://a.example"')
    assert spec.rate == "5"


def test_a_rate_may_be_a_whole_number(tmp_path: Path) -> None:
    (spec,) = load(
        tmp_path, '[[endpoints]]\nname="a"\nchain="eip155:1"\nurl="https://a.example"\nrate=7'
    )
    assert spec.rate == "7"


def test_nothing_resolved_is_kept_or_shown(tmp_path: Path) -> None:
    hosted, _ = load(tmp_path, GOOD)
    for text in (repr(hosted), str(hosted), str(hosted.redacted()), f"{hosted}", pretty(hosted)):
        assert SECRET not in text
        assert "t0ken" not in text
        assert "rpc.example.org" in text


def test_secrets_typed_into_the_file_are_hidden() -> None:
    spec = EndpointSpec(
        name="a",
        chain=ChainId("eip155:1"),
        url="https://user:pass1@rpc.example.org/v2/aB3dE5gH7jK9/eth?apikey=abc&plainkey#frag",
        headers={"X-Api-Key": "header-value"},
    )
    assert spec.redacted()["url"] == "https://***@rpc.example.org/v2/***/eth?apikey=***&***"
    for hidden in ("user", "pass1", "aB3dE5gH7jK9", "abc", "plainkey", "frag", "header-value"):
        assert hidden not in repr(spec)
        assert hidden not in pretty(spec)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("https://a.example/ext/bc/C/rpc", "https://a.example/ext/bc/C/rpc"),
        ("https://a.example/v3/0123456789abcdef0123456789abcdef", "https://a.example/v3/***"),
        ("https://a.example/ABCDEFGHIJKLMNOPQRSTUVWXYZ", "https://a.example/***"),
        ("https://a.example/${KEY}/x", "https://a.example/***/x"),
        ("https://${U}:${P}@a.example/", "https://***@a.example/"),
        ("file:///home/someone/dumps/utxo.dat", "file:***/utxo.dat"),
        ("http://[::1", "***"),
    ],
)
def test_redacted_urls(url: str, shown: str) -> None:
    assert redact_url(url) == shown


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text(f"{SECRET}\n")
    hosted, _ = load(tmp_path, GOOD, {"KEY_FILE": str(secret), "TOKEN": "t"})
    assert SECRET in hosted.resolved_url({"KEY_FILE": str(secret), "TOKEN": "t"})


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"endpoints\.toml: endpoints\[0\] \(hosted\).*KEY_FILE"):
        load(tmp_path, GOOD, {"TOKEN": "t"})


def test_a_secret_file_that_is_missing_is_not_named_by_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="KEY_FILE") as caught:
        load(tmp_path, GOOD, {"TOKEN": "t", "KEY_FILE": str(tmp_path / "gone")})
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_secret_file_without_a_secret_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ConfigError, match=r"\(hosted\)\.url: .*what KEY_FILE names is empty"):
        load(tmp_path, GOOD, {"KEY_FILE": str(tmp_path / "key"), "TOKEN": "t"})


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://a.example", "rpc"),
        ("http://127.0.0.1", "rpc"),
        ("file:///dump.dat", "dump"),
        ("ssl://a.example:50002", "electrum"),
        ("file:///dump.dat", ""),
    ],
)
def test_a_protocol_that_fits_is_read(tmp_path: Path, url: str, protocol: str) -> None:
    text = f'[[endpoints]]\nname="a"\nchain="eip155:1"\nurl="{url}"\nprotocol="{protocol}"'
    assert load(tmp_path, text)[0].protocol == protocol


def test_a_header_may_hold_latin_letters_and_dollars(tmp_path: Path) -> None:
    headers = 'headers = { "X-Key" = "caf\u00e9 $5 $x {y}", Empty = "" }'
    assert load(tmp_path, ONE + headers)[0].headers["Empty"] == ""


LINE = '[[endpoints]]\nname = "a"\nchain = "eip155:1"\nurl = "ssl://a.example:50002"\n'
ONE = '[[endpoints]]\nname = "a"\nchain = "eip155:1"\nurl = "https://a.example/${KEY}"\n'


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        (ONE + 'role = "backup"', "role", "backup"),
        (ONE + "roles = 1", "endpoints[0]", "known keys"),
        (ONE + "rate = 2.5", "endpoints[0].rate", "text"),
        (ONE + "rate = 0", "rate", "own node"),
        (ONE + 'rate = "0.0"', "rate", "own node"),
        (ONE + 'rate = "-1"', "rate", "plain decimal"),
        (ONE + "rate = true", "rate", "str"),
        (ONE + "concurrency = 0", "concurrency", "1 to 1024"),
        (ONE + "timeout_s = 0", "timeout_s", "1 to 3600"),
        (ONE + "batch = -1", "batch", "0 to"),
        (ONE + "own_node = 1", "own_node", "bool"),
        (ONE + 'headers = { A = "x\\ny" }', "headers.A", "line break"),
        (ONE.replace("eip155:1", "Ethereum"), "chain", "CAIP-2"),
        (ONE.replace("https", "ftp"), "url", "http, https, file"),
        (ONE.replace("https", "http"), "url", "plain http"),
        (LINE.replace("ssl", "tcp"), "url", "plain tcp"),
        (LINE.replace(":50002", ""), "url", "host:port"),
        (LINE.replace("50002", "50002/path"), "url", "nothing more"),
        (LINE.replace("ssl://", "ssl://user@"), "url", "nothing more"),
        (LINE + "headers = { a = 'b' }", "headers", "cannot be sent"),
        (ONE.replace("a.example", ""), "url", "no host"),
        (ONE.replace("https://a.example/${KEY}", "file://elsewhere/x"), "url", "this machine"),
        (ONE.replace("a.example", "a.example:port"), "url", "not a URL"),
        (ONE.replace("https://", "${KEY}:"), "url", "none of the schemes"),
        (ONE.replace("${KEY}", "${KEY-ID}"), "(a).url", "'${' without a name"),
        (ONE.replace("${KEY}", "${NO KEY}"), "(a).url", "'${' without a name"),
        (ONE.replace("${KEY}", "${}"), "(a).url", "'${' without a name"),
        (ONE.replace("${KEY}", "${KEY}${KEY"), "(a).url", "'${' without a name"),
        (ONE + 'headers = { "X-Key" = "${KEY" }', "(a).headers.X-Key", "'${' without a name"),
        (ONE.replace("KEY", "EMPTY"), "(a).url", "EMPTY is set in the environment, but is empty"),
        (ONE + 'headers = { A = "${EMPTY}" }', "(a).headers.A", "EMPTY is set"),
        (ONE + 'protocol = "rcp"', "(a).protocol", "known protocols: rpc, dump, electrum"),
        (ONE + 'protocol = "dump"', "(a).protocol", "scheme is not file"),
        (ONE + 'protocol = "electrum"', "(a).protocol", "scheme is not tcp or ssl"),
        (LINE + 'protocol = "rpc"', "(a).protocol", "scheme is not http or https"),
        (ONE.replace("${KEY}", "${KEY} "), "(a).url", "white space"),
        (ONE.replace("https", " https"), "(a).url", "white space"),
        (ONE.replace("${KEY}", "\\u0007${KEY}"), "(a).url", "control character"),
        (ONE.replace("${KEY}", "\\u200b${KEY}"), "(a).url", "control character"),
        (ONE + 'headers = { A = "\\u2026${KEY}" }', "(a).headers.A", "printable ASCII"),
        (ONE + 'headers = { A = "\\u0007" }', "(a).headers.A", "printable ASCII"),
        (ONE + 'headers = { "A B" = "x" }', '(a).headers."A B"', "name of a header"),
        (ONE.replace('"a"', '"a b"'), "name", "letters"),
        (ONE.replace('"a"', "[]"), "endpoints[0].name", "str"),
        (ONE + ONE, "endpoints[1] (a).name", "earlier endpoint"),
        (ONE + ONE.replace('"a"', '"b"'), "endpoints[1] (b).url", "is also the URL of a"),
        ("[endpoints]\nname = 'a'", "endpoints", "array of tables"),
        ("[[endpoint]]\nname = 'a'", "endpoint", "known keys"),
        ("endpoints = [3]", "endpoints[0]", "object"),
    ],
)
def test_a_mistake_names_file_and_key_and_no_secret(
    tmp_path: Path, text: str, key: str, what: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert message.startswith("endpoints.toml: ")
    assert key in message
    assert what in message
    assert SECRET not in message


def test_a_chain_that_nobody_declared_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.toml"
    path.write_text(ONE)
    assert load_endpoints(path, ENV, {ChainId("eip155:1")})
    with pytest.raises(ConfigError, match="not a declared chain"):
        load_endpoints(path, ENV, {ChainId("eip155:2")})


def test_lines_go_to_third_parties_over_tls_and_to_own_nodes_in_the_clear(tmp_path: Path) -> None:
    load(tmp_path, LINE)
    load(tmp_path, LINE.replace("ssl", "tcp") + "own_node = true")
    load(tmp_path, LINE.replace("ssl://a.example", "tcp://127.0.0.1"))


def test_plain_http_to_an_own_node_is_allowed(tmp_path: Path) -> None:
    text = ONE.replace("https", "http") + "own_node = true"
    assert load(tmp_path, text)[0].own_node


def test_the_shipped_example_activates_nothing() -> None:
    path = config_root() / "endpoints.example.toml"
    assert load_endpoints(path, {}) == ()
    for line in path.read_text(encoding="utf-8").splitlines():
        assert not line or line.startswith("#")


def test_public_endpoints_are_read_for_their_option_alone() -> None:
    world = load_world()
    specs = load_public(world.chains.keys())
    text = (config_root() / "endpoints.example.toml").read_text(encoding="utf-8")
    _, _, listed = text.partition("# Public endpoints")
    assert len(specs) == listed.count("https://")
    assert len({spec.name for spec in specs}) == len(specs)
    for spec in specs:
        assert 0 < spec.per_second <= 1
        assert (spec.concurrency, spec.own_node, spec.headers) == (1, False, {})
        assert "$" not in spec.url
    (one,) = load_public({ChainId("eip155:10")})
    assert one.chain == "eip155:10"
    assert load_public(set()) == ()


def test_every_chain_with_an_adapter_has_a_public_example_or_needs_an_own_node() -> None:
    world = load_world()
    asked = {spec.chain for spec in load_public(world.chains.keys())}
    missing = {spec.id for spec in world.chains.values() if spec.adapter != "none"} - asked
    text = (config_root() / "endpoints.example.toml").read_text(encoding="utf-8")
    excused = set(re.findall(r"^# none for ([a-z0-9]+): .{20,}$", text, re.MULTILINE))
    assert {world.chains[chain].namespace for chain in missing} <= excused


def test_the_examples_commented_endpoints_are_right(tmp_path: Path) -> None:
    text = (config_root() / "endpoints.example.toml").read_text(encoding="utf-8")
    blocks = text[text.index("# [[endpoints]]") : text.index("# Public endpoints")]
    bare = "\n".join(line.removeprefix("# ") for line in blocks.splitlines())
    env = dict.fromkeys(("HOSTED_KEY", "HOSTED_TOKEN", "BITCOIN_USER", "BITCOIN_PASSWORD"), "x")
    assert len(load(tmp_path, bare, env)) == 5


def written(tmp_path: Path, found: str, name: str = "found.toml") -> Path:
    (tmp_path / "found.toml").write_text(found, encoding="utf-8")
    path = tmp_path / "endpoints.toml"
    entry = 'name = "one"\nchain = "eip155:1"\nurl = "https://node.example.org"\nrate = "10"'
    path.write_text(f'found = "{name}"\n[[endpoints]]\n{entry}\n', encoding="utf-8")
    return path


def test_what_the_doctor_found_stands_instead(tmp_path: Path):
    path = written(tmp_path, '[found."one"]\nrate = "2.5"\nbatch = 40\n[found."gone"]\nbatch = 1\n')
    (spec,) = load_endpoints(path, {})
    assert (spec.per_second, spec.batch) == (Fraction(5, 2), 40)


@pytest.mark.parametrize(
    "found",
    [
        '[found."one"]\nrate = "0"\n',
        '[found."one"]\nrate = "fast"\n',
        '[found."one"]\nbatch = -1\n',
        '[found."one"]\nurl = "https://elsewhere.example.org"\n',
        "found = 3\n",
        '[found]\none = "2"\n',
        "[other]\n",
        "not toml",
    ],
)
def test_what_was_found_is_checked_like_what_was_declared(tmp_path: Path, found: str):
    with pytest.raises(ConfigError):
        load_endpoints(written(tmp_path, found), {})


def test_the_file_of_what_was_found_must_be_there(tmp_path: Path):
    with pytest.raises(ConfigError):
        load_endpoints(written(tmp_path, "", "another.toml"), {})


def test_what_a_node_may_repeat_is_known_in_every_form(tmp_path: Path) -> None:
    text = """
[[endpoints]]
name = "one"
chain = "eip155:1"
url = "https://us%40er:pa%3Ass%2F1@host/v2/a%2Bkey-0123456789?key=va%26lue-7"
headers = { x-key = "Token in-a-header" }
"""
    (spec,) = load(tmp_path, text, {})
    forms = spec.secrets({})
    assert {
        "us%40er", "us@er", "pa%3Ass%2F1", "pa:ss/1", "dXNAZXI6cGE6c3MvMQ==", "a%2Bkey-0123456789",
        "a+key-0123456789", "va%26lue-7", "va&lue-7", "Token in-a-header", "in-a-header",
    } - set(forms) == {"us@er"}  # fmt: skip  # five characters are a word
    assert [*forms] == sorted(forms, key=len, reverse=True)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no key k3y-of-the-node here", "no key *** here"),
        ("k3y-of-the-nodek3y-of-the-node", "******"),
        ("it was cut off: k3y-of-the-no", "it was cut off: ***"),
        ("'k3y-of-t…', declared otherwise", "'***…', declared otherwise"),
        ("k3y-of- is a word", "k3y-of- is a word"),
        ("secret is short", "*** is short"),
        ("secre", "secre"),
        ("", ""),
    ],
)
def test_secrets_and_their_beginnings_are_hidden(said: str, shown: str) -> None:
    assert hide(said, ("k3y-of-the-node", "secret")) == shown
