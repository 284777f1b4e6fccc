from __future__ import annotations

import json

import pytest
from eip155_fixtures import adapter, load, spec
from eth_abi import abi

from chains.adapters import load as load_adapter
from chains.adapters.eip155 import Adapter, multicall, programs
from chains.adapters.eip155.refusals import TEXTS, Trouble, refine, too_large, trouble
from chains.adapters.eip155.ways import Way, build, most, quirks_of
from chains.errors import ConfigError
from chains.model import Gap
from chains.simulated import evm_calls
from chains.token_facts import read_text

pytestmark = pytest.mark.unit

BLOCK = "0x" + "ab" * 32
ACCOUNTS = [bytes([i]) * 20 for i in range(1, 8)]
TOKEN = b"\xcc" * 20


def test_adapters_are_loaded_by_name() -> None:
    assert load_adapter("eip155") is Adapter
    for name in ("nothing", "Eip155", "eip155.ways", "../x", "", "none"):
        with pytest.raises(ConfigError, match="adapter"):
            load_adapter(name)


def test_the_programs_are_the_ones_that_were_tested() -> None:
    sizes = [len(code) for code in (programs.NATIVE, programs.ERC20)]
    sizes += [len(code) for code in (programs.NATIVE_INIT, programs.ERC20_INIT)]
    assert sizes == [54, 100, 73, 120]
    state = evm_calls.EvmState(native={ACCOUNTS[0]: 5})

    class NoLimit:
        marks_beyond = 0

        def check_size(self, accounts: int) -> None:
            del accounts

    answer = evm_calls.program(state, b"", programs.NATIVE, ACCOUNTS[0], NoLimit())
    assert int.from_bytes(answer, "big") == 5
    with pytest.raises(evm_calls.Failure):
        evm_calls.program(state, b"", programs.NATIVE + b"\0", ACCOUNTS[0], NoLimit())


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("way", [Way.OVERRIDE, Way.DEPLOYLESS])
def test_a_program_call_is_json_that_says_what_is_meant(way: Way, token: bytes | None) -> None:
    at = load("native-override").at
    quirks = quirks_of(spec())
    body = json.loads(build(way, quirks, at, token, ACCOUNTS).body)
    call, block, *overrides = body["params"]
    assert (body["method"], body["id"]) == ("eth_call", 0)
    assert block == {"blockHash": at.block_hash, "requireCanonical": True}
    assert int(call["gas"], 16) == quirks.call_gas
    packed = (token or b"") + b"".join(ACCOUNTS)
    if way is Way.OVERRIDE:
        code = programs.NATIVE if token is None else programs.ERC20
        assert overrides == [{call["to"]: {"code": "0x" + code.hex()}}]
        assert call["data"] == "0x" + packed.hex()
    else:
        code = programs.NATIVE_INIT if token is None else programs.ERC20_INIT
        assert overrides == []
        assert "to" not in call
        assert call["data"] == "0x" + (code + packed).hex()


def test_multicall_calls_are_what_the_abi_says() -> None:
    contract = "0xca11bde05977b3631167028862be2a173976ca11"
    own = bytes.fromhex(contract[2:])
    for token in (None, TOKEN):
        request = multicall.multicall_call(contract, token, ACCOUNTS, BLOCK, 7)
        data = bytes.fromhex(json.loads(request.body)["params"][0]["data"][2:])
        assert data[:4] == multicall.AGGREGATE3
        (calls,) = abi.decode(["(address,bool,bytes)[]"], data[4:])
        target = own if token is None else TOKEN
        selector = multicall.GET_ETH_BALANCE if token is None else multicall.BALANCE_OF
        assert list(calls) == [
            *(("0x" + own.hex(), True, call) for call in multicall.HEADER_CALLS),
            *(("0x" + target.hex(), True, selector + bytes(12) + at) for at in ACCOUNTS),
        ]


def test_multicall_results_are_read_as_the_abi_says() -> None:
    results = [(True, (7).to_bytes(32, "big")), (False, b""), (True, b""), (True, b"\0" * 31)]
    raw = abi.encode(["(bool,bytes)[]"], [results])
    assert multicall.multicall_words(raw, 4) == [7, None, None, None]
    for damaged in (b"", raw[:-160], raw[:64], b"\xff" * len(raw)):
        with pytest.raises(ValueError, match=r"offset|results"):
            multicall.multicall_words(damaged, 4)
    with pytest.raises(ValueError, match="4 results instead of 5"):
        multicall.multicall_words(raw, 5)


def test_a_batch_has_room_for_the_canary() -> None:
    quirks = quirks_of(spec())
    assert [most(way, quirks) for way in Way] == [3000, 764, 500, 100]


@pytest.mark.parametrize(
    "params",
    [
        {"header_words": "none"},
        {"ways": ["guess"]},
        {"multicall3": {"address": "0x"}},
        {"token_canaries": {"0x12": "0x13"}},
        {"chain_id": "x"},
    ],
    ids=["header_words", "ways", "multicall3", "token_canaries", "chain_id"],
)
def test_a_wrong_declaration_is_named(params: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="eip155:31337"):
        adapter(**params)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("missing trie node 6d (path ) state 0x1 is not available", Trouble.PRUNED),
        ("required historical state unavailable (reexec=128)", Trouble.PRUNED),
        ("historical state 0xab is not available", Trouble.PRUNED),
        ("historical state not available in path scheme yet", Trouble.PRUNED),
        ("state 0xab is not available, not found", Trouble.PRUNED),
        ("header not found", Trouble.PRUNED),
        ("header for hash not found", Trouble.PRUNED),
        ("BlockOutOfRangeError: block height is 3 but requested was 1", Trouble.PRUNED),
        ("old data not available due to pruning: state already pruned", Trouble.PRUNED),
        ("no historical RPC is available for this historical (pre-bedrock)", Trouble.PRUNED),
        ("load state tree: failed to load state tree bafy2b", Trouble.PRUNED),
        ("failed to get tipset by hash: not found", Trouble.PRUNED),
        ("requested epoch was a null round (4)", Trouble.SKIPPED),
        ("requested a future epoch (beyond 'latest')", Trouble.BEHIND),
        ("cannot query unfinalized data", Trouble.BEHIND),
        ("requested block number 5 after last accepted block 4", Trouble.BEHIND),
        ("hash 0xab is not currently canonical", Trouble.ELSEWHERE),
        ("tipset is not canonical", Trouble.ELSEWHERE),
        ("out of gas", Trouble.TOO_LARGE),
        ("EVM error OutOfGas", Trouble.TOO_LARGE),
        ("err: intrinsic gas too low: have 21000", Trouble.TOO_LARGE),
        ("execution aborted (timeout = 5s)", Trouble.TOO_LARGE),
        ("max code size exceeded", Trouble.TOO_LARGE),
        ("EVM error CreateContractSizeLimit", Trouble.TOO_LARGE),
        ("batch too large", Trouble.TOO_LARGE),
        ("daily request count exceeded, request rate limited", Trouble.SLOW_DOWN),
        ("execution reverted", Trouble.REVERTED),
        ("execution reverted: state pruned by archive", Trouble.REVERTED),
        ("message execution failed (exit=[33], revert reason=[out of gas]", Trouble.REVERTED),
        ("too many arguments, want at most 2", Trouble.NO_METHOD),
        ("the method eth_call does not exist/is not available", Trouble.NO_METHOD),
        ("something else", Trouble.OTHER),
    ],
)
def test_error_texts_are_understood(text: str, meaning: Trouble) -> None:
    assert trouble(text) is meaning
    assert trouble(text.upper()) is meaning


def test_each_text_of_the_table_can_be_reached() -> None:
    hidden = [words for words, meaning in TEXTS if trouble(words) is not meaning]
    assert hidden == []


def test_only_plain_rpc_errors_are_refined() -> None:
    assert refine(Gap("rpc-error", detail="-32000: missing trie node")).reason == "state-pruned"
    assert refine(Gap("timeout", detail="missing trie node")).reason == "timeout"
    limited = refine(Gap("rpc-error", detail="-32005: limit exceeded"))
    assert (limited.reason, limited.retryable) == ("rate-limited", True)


def test_what_is_too_large_is_asked_in_halves() -> None:
    assert too_large(Gap("answer-too-large"))
    assert too_large(Gap("refused", detail="413"))
    assert too_large(Gap("rpc-error", detail="-32000: out of gas"))
    assert not too_large(Gap("refused", detail="403"))
    assert not too_large(Gap("rpc-error", detail="3: execution reverted"))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (abi.encode(["string"], ["USDT"]), "USDT"),
        (abi.encode(["string"], [""]), ""),
        (abi.encode(["string"], ["₮" * 20]), "₮" * 20),
        (b"MKR".ljust(32, b"\0"), "MKR"),
        (b"", None),
        (b"\x01" * 31, None),
        (b"\xff" * 32, None),
        (abi.encode(["string"], ["USDT"])[:-1], "USDT"),
        (abi.encode(["string"], ["x" * 40])[:80], None),
        ((64).to_bytes(32, "big") * 3, None),
    ],
    ids=["abi", "empty", "utf8", "bytes32", "none", "short", "not-utf8", "pad", "cut", "offset"],
)
def test_symbols_are_read_in_both_forms(raw: bytes, text: str | None) -> None:
    assert read_text(raw) == text
