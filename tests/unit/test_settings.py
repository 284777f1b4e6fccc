"""The loader: where config/ is found, what it refuses, and that it says so in one sentence."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import pytest

from chains.errors import ConfigError
from chains.model import ChainId
from crawler import declarations
from crawler.inputs import Options, open_inputs
from crawler.liabilities.table import load_liabilities
from crawler.settings import (
    Heights,
    Policy,
    config_root,
    load_heights,
    load_policy,
    load_statement,
    load_world,
)

pytestmark = pytest.mark.unit

CHAIN = """
[chains."bip122:0f9188f13cb7b2c71f2a335e3a4fc328"]
name = "Regtest"
aliases = ["regtest"]
adapter = "bip122"
address = "bitcoin"
native = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:0"
source = "bitcoin/bitcoin src/kernel/chainparams.cpp"
[assets]
"bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:0" = \
{ symbol = "BTC", decimals = 8, counts_as = "BTC", class = "native", source = "x" }
"""
REGTEST = ChainId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328")


def extra(tmp_path: Path, text: str, name: str = "extra.toml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_world([extra(tmp_path, text)])
    return str(caught.value)


def test_config_root_is_the_checkouts_directory() -> None:
    root = config_root()
    assert root.name == "config"
    assert (root.parent / "crawler" / "settings.py").is_file()


def test_an_installed_package_reads_its_own_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "crawler"
    (package / "_config").mkdir(parents=True)
    (package / "_config" / "chains.toml").write_text("")
    monkeypatch.setattr("crawler.settings.__file__", str(package / "settings.py"))
    assert config_root() == package / "_config"
    (package / "_config" / "chains.toml").unlink()
    with pytest.raises(ConfigError, match=r"chains\.toml"):
        config_root()


def test_extra_files_add_a_chain(tmp_path: Path) -> None:
    plain = load_world()
    world = load_world([extra(tmp_path, CHAIN)])
    assert REGTEST not in plain.chains
    assert world.chains[REGTEST].adapter == "bip122"
    assert world.chains[REGTEST].namespace == "bip122"
    assert world.aliases["REGTEST"] == REGTEST
    assert len(world.chains) == len(plain.chains) + 1


def test_the_digest_follows_the_bytes(tmp_path: Path) -> None:
    first = load_world()
    assert first.digest == load_world().digest
    one = load_world([extra(tmp_path, CHAIN)])
    other = load_world([extra(tmp_path, CHAIN + "# a comment\n")])
    assert len({first.digest, one.digest, other.digest}) == 3


def test_the_digest_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    a, b = extra(tmp_path, CHAIN, "a.toml"), extra(tmp_path, "[schemes]\nlocal = []\n", "b.toml")
    assert load_world([a, b]).digest == load_world([b, a]).digest


def test_an_existing_chain_is_replaced_only_on_purpose(tmp_path: Path) -> None:
    text = """
[chains."eip155:1"]
name = "Ethereum"
adapter = "none"
address = "evm"
native = "eip155:1/slip44:60"
source = "test"
"""
    message = refusal(tmp_path, text)
    assert "extra.toml" in message
    assert 'chains."eip155:1"' in message
    assert "config/chains.toml" in message
    assert "replaces = true" in message
    world = load_world([extra(tmp_path, "replaces = true\n" + text)])
    assert world.chains[ChainId("eip155:1")].adapter == "none"


@pytest.mark.parametrize(
    ("change", "place", "what"),
    [
        (('adapter = "bip122"', 'adaptor = "bip122"'), f'chains."{REGTEST}"', "adaptor"),
        (('adapter = "bip122"', ""), f'chains."{REGTEST}"', "adapter"),
        (('adapter = "bip122"', "adapter = 7"), f'chains."{REGTEST}".adapter', "str"),
        (("decimals = 8", "decimals = 8.0"), f'assets."{REGTEST}/slip44:0".decimals', "text"),
        (("decimals = 8", "decimals = 1e1"), f'assets."{REGTEST}/slip44:0".decimals', "text"),
        (("decimals = 8", "decimals = true"), f'assets."{REGTEST}/slip44:0".decimals', "int"),
        (("decimals = 8", "decimals = 78"), f'assets."{REGTEST}/slip44:0".decimals', "77"),
        (('class = "native"', 'class = "own"'), f'assets."{REGTEST}/slip44:0".class', "own"),
        (("/slip44:0", "/slip44"), ".native", "CAIP-19"),
        (("[chains.", "[chainz."), "chainz", "known keys"),
        (('aliases = ["regtest"]', 'aliases = ["btc"]'), ".aliases", "already names"),
        (("[assets]", "[[assets]]"), "assets", "a table was expected"),
        (("bip122:0f91", "Bitcoin 0f91"), "chains", "CAIP-2"),
    ],
)
def test_a_bad_file_gives_one_error_with_file_and_key(
    tmp_path: Path, change: tuple[str, str], place: str, what: str
) -> None:
    assert change[0] in CHAIN
    message = refusal(tmp_path, CHAIN.replace(*change))
    assert message.startswith("extra.toml: ")
    assert place in message
    assert what in message
    assert "\n" not in message


def test_bad_syntax_names_the_line(tmp_path: Path) -> None:
    assert "line 2" in refusal(tmp_path, "[chains]\nname = = 3\n")


HOSTILE = {
    "deep arrays": (b"a = " + b"[" * 100_000, "too deeply"),
    "deep tables": (b"a = " + b"{a=" * 100_000, "too deeply"),
    "deep headers": (b"[" + b"a." * 1_000_000 + b"a]", "line 1: a key of more than 64 parts"),
    "deep keys": (b'\n"a" . ' + b"a." * 1_000_000 + b"a=1", "line 2: a key of more"),
    "a huge integer": (b"a = " + b"9" * 100_000, "is not valid TOML"),
    "a huge word": (b"a" * 400_000, "is not valid TOML"),
    "infinity": (b"a = 1e999999999", "a: is a number with a point"),
    "not a number": (b"a = [nan]", "a[0]: is a number with a point"),
    "a key twice": (b"a = 1\na = 2", "is not valid TOML"),
    "control characters": (b'a = "\x01"', "is not valid TOML"),
    "more than its limit": (b"#" * (declarations.LARGEST_FILE + 1), "has more than 4 MiB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_bounded_time(tmp_path: Path, name: str) -> None:
    raw, what = HOSTILE[name]
    path = tmp_path / "extra.toml"
    path.write_bytes(raw)
    began = time.process_time()
    for load in (load_policy, load_heights, load_statement, load_liabilities):
        with pytest.raises(ConfigError, match=r"extra\.toml: ") as refused:
            load(path)
        assert what in str(refused.value)
    assert time.process_time() - began < 10


def test_a_file_without_end_and_a_name_that_is_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="has more than 4 MiB"):
        load_policy(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(Path("a\0b.toml"))


def test_keys_of_a_few_parts_and_texts_with_points_are_read(tmp_path: Path) -> None:
    path = tmp_path / "h.toml"
    label = "a.b." * 15
    path.write_text(f'[heights]\n"{label}" = 1\n"{"I own it. " * 100}" = 2\n')
    assert load_heights(path).at == {label: 1, "I own it. " * 100: 2}
    path.write_text('[heights]\n"c"."d" = 2\n')
    with pytest.raises(ConfigError, match=r"heights\.c"):
        load_heights(path)


def test_a_byte_order_mark_at_the_start_is_not_part_of_the_text(tmp_path: Path) -> None:
    marked, plain = tmp_path / "marked.toml", tmp_path / "plain.toml"
    plain.write_bytes(b"[heights]\nETH = 1\n")
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    assert load_heights(marked) == load_heights(plain) == Heights(at={"ETH": 1})
    texts = tmp_path / "messages.txt"
    texts.write_bytes("\ufeffI am the demo exchange\r\nsecond \ufeff\n".encode())
    read = open_inputs(Options(list_path=str(one_row(tmp_path)), messages=str(texts))).reading
    assert read.messages == ("I am the demo exchange", "second \ufeff")


def one_row(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text("network,address\nETH,0x26c276de5882a78629da62dbc89c9b606e1a6bc2\n")
    return path


def test_text_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "extra.toml"
    path.write_bytes(b"[chains]\n\n# \xff\n")
    with pytest.raises(ConfigError, match=r"extra\.toml: line 3: is not UTF-8"):
        load_world([path])


def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read"):
        load_world([tmp_path / "absent.toml"])


def test_what_is_referred_to_must_be_declared(tmp_path: Path) -> None:
    chain_only = CHAIN.partition("[assets]")[0]
    assert "is not a declared asset" in refusal(tmp_path, chain_only)
    assets_only = "[assets]" + CHAIN.partition("[assets]")[2]
    assert "is not a declared chain" in refusal(tmp_path, assets_only)
    foreign = CHAIN.replace(
        'native = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:0"',
        'native = "eip155:1/slip44:60"',
    )
    assert "is of another chain" in refusal(tmp_path, foreign)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ("eip155:999", "is eip155:999; a declared chain"),
        ("eip155:314", "is eip155:314; a declared chain that is not itself unified"),
        ("eip155:1", "differ in decimals or counts_as"),
    ],
)
def test_a_chain_is_unified_only_with_one_that_has_the_same_coin(
    tmp_path: Path, other: str, what: str
) -> None:
    text = CHAIN.replace("adapter =", f'unified_with = "{other}"\nadapter =', 1)
    message = refusal(tmp_path, text)
    assert f'chains."{REGTEST}".unified_with' in message
    assert what in message


EXCHANGE = """
[[exchanges]]
name = "made-up"
title = "Made-Up"
messages = ["we own this"]
networks = [{ network = "ETH", chain = "eip155:1", schemes = ["eip191"] }]
labels = [{ asset = "ETH", id = "eip155:1/slip44:60" }]
"""


@pytest.mark.parametrize(
    ("share", "said"),
    [
        ('{ of = "a:b/slip44:1", call = "rate()", scale = 18 }', "share.of"),
        ('{ of = "eip155:1/erc20:0x11", call = "rate()", scale = 18 }', "share.of"),
        ('{ of = "eip155:1/slip44:60", call = "rate", scale = 18 }', "share.call"),
        ('{ of = "eip155:1/slip44:60", call = "rate(address)", scale = 18 }', "share.call"),
        ('{ of = "eip155:1/slip44:60", call = "rate()", scale = 78 }', "share.scale"),
        ('{ of = "eip155:1/slip44:60", call = "rate()" }', "share"),
    ],
)
def test_a_share_whose_rate_cannot_be_asked_is_refused(
    tmp_path: Path, share: str, said: str
) -> None:
    entry = 'symbol = "S", decimals = 8, counts_as = "S", class = "receipt", source = "x"'
    text = f'[assets]\n"eip155:1/erc20:0x11" = {{ {entry}, share = {share} }}\n'
    assert said in refusal(tmp_path, text)


def test_an_extra_file_may_hold_an_exchange(tmp_path: Path) -> None:
    world = load_world([extra(tmp_path, EXCHANGE)])
    assert world.exchanges["made-up"].messages == ("we own this",)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('chain = "eip155:1"', 'chain = "eip155:999"', "is not a declared chain"),
        ('id = "eip155:1/slip44:60"', 'id = "eip155:1/slip44:61"', "is not a declared asset"),
        (
            '{ asset = "ETH", id = "eip155:1/slip44:60" }',
            '{ asset = "ETH", id = "eip155:1/slip44:60" }, { asset = "eth", id = "USDT" }'.replace(
                "USDT", "eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7"
            ),
            "already means",
        ),
        (
            '{ network = "ETH", chain',
            '{ network = "eth", chain = "eip155:10" }, { network = "ETH", chain',
            "repeats",
        ),
        ('name = "made-up"', 'name = "okx"', "is already declared in config/exchanges/okx.toml"),
        ("schemes =", "scheme =", "has the key 'scheme'"),
        (
            'schemes = ["eip191"]',
            'schemes = ["okx-evm-owner", "eip712", "EIP191"]',
            "networks[0] (ETH).schemes: recount knows no scheme 'EIP191'",
        ),
    ],
)
def test_a_bad_exchange_is_refused(tmp_path: Path, old: str, new: str, what: str) -> None:
    assert old in EXCHANGE
    message = refusal(tmp_path, EXCHANGE.replace(old, new))
    assert message.startswith("extra.toml: ")
    assert what in message


def test_a_scheme_that_nobody_knows_is_refused_for_generic_tables_too(tmp_path: Path) -> None:
    message = refusal(tmp_path, '[schemes]\nlocal = ["eip191", "no-such-scheme"]\n')
    assert message == "extra.toml: schemes.local: recount knows no scheme 'no-such-scheme'"


def test_one_file_cannot_replace_its_own(tmp_path: Path) -> None:
    assert "is already declared in extra.toml" in refusal(
        tmp_path, "replaces = true\n" + EXCHANGE + EXCHANGE
    )


def test_the_shipped_policy_is_the_default() -> None:
    policy = load_policy()
    assert policy == Policy()
    assert policy.min_observed == Fraction(19, 20)
    assert policy.digest == Policy().digest


def test_a_policy_may_change_single_rules(tmp_path: Path) -> None:
    policy = load_policy(extra(tmp_path, 'min_observed_share = "1"\nrefuted_allowed = 2\n'))
    assert policy.min_observed == 1
    assert policy.refuted_allowed == 2
    assert policy.conflict == "neither"
    assert policy.digest != Policy().digest


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("min_observed_share = 0.95", "min_observed_share: is a number with a point"),
        ('min_observed_share = "1.01"', "between 0 and 1"),
        ('min_observed_share = "-1"', "plain decimal"),
        ('min_observed_share = "1e-1"', "plain decimal"),
        ('min_observed_share = "\u0661"', "plain decimal"),
        ("refuted_allowed = -1", "cannot be negative"),
        ('conflict = "larger"', "conflict"),
        ('owned_counts = ["refuted"]', "owned_counts"),
        ('owned_counts = ["bound", "unsigned"]', "owned_counts"),
        ('owned_counts = ["signer-only"]', "owned_counts"),
        ("min_share = 1", "known keys: refuted_allowed"),
    ],
)
def test_a_bad_policy_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy(extra(tmp_path, text, "policy.toml"))
    assert str(caught.value).startswith("policy.toml: ")
    assert what in str(caught.value)


def test_heights(tmp_path: Path) -> None:
    path = extra(tmp_path, '[heights]\n"eip155:1" = 20000000\nTRON = 0\n')
    assert load_heights(path) == Heights(at={"eip155:1": 20000000, "TRON": 0})
    path = extra(tmp_path, 'replaces = true\n[heights]\n"eip155:1" = 7\n')
    assert load_heights(path) == Heights(at={"eip155:1": 7}, replaces=True)


@pytest.mark.parametrize("value", ["-1", "true", '"7"', "7.0"])
def test_a_height_is_a_whole_number(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r'extra\.toml: heights\."eip155:1"'):
        load_heights(extra(tmp_path, f'[heights]\n"eip155:1" = {value}\n'))


def test_a_heights_file_without_heights_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TRON"):
        load_heights(extra(tmp_path, "TRON = 5\n"))


def test_the_20th_report_of_okx() -> None:
    statement = load_statement(config_root() / "statements" / "okx-2024-06.toml")
    assert statement.exchange == "okx"
    assert statement.rows == 628_484
    assert dict(statement.ratios) == {"BTC": "104", "ETH": "102", "USDT": "107", "USDC": "102"}
    assert statement.minimum_ratio == "100"
    assert len(set(statement.coins)) == len(statement.coins) == 22
    counted = {asset.counts_as for asset in load_world().assets.values()}
    assert set(statement.coins) <= counted


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('ratios = { BTC = "104%" }', "ratios.BTC"),
        ("ratios = { BTC = 1.04 }", "ratios.BTC"),
        ('minimum_ratio = "all"', "minimum_ratio"),
        ("rows = -1", "rows"),
        ("row = 1", "known keys"),
    ],
)
def test_a_bad_statement_is_refused(tmp_path: Path, text: str, what: str) -> None:
    head = 'exchange = "x"\ntitle = "x"\nas_of = "x"\nsource = "x"\n'
    with pytest.raises(ConfigError) as caught:
        load_statement(extra(tmp_path, head + text, "statement.toml"))
    assert str(caught.value).startswith("statement.toml: ")
    assert what in str(caught.value)
