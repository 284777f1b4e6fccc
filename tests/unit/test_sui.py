"""Answers of Sui's GraphQL, and hostile ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.accounts import Held
from chains.adapters.sui import Adapter, rates, wire
from chains.errors import ConfigError, Transient, Unanswerable, WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Gap,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "sui"
GENESIS = "4btiuiMPvEENsttpZC7CZ53DruC3MAgfznDbASZ7DR6S"
DIGEST = "BE4JixC94sDtCgHJZruyk7QffZnWDFvM2oFjC8XtChET"
HEIGHT = 1000
CANARY, ONE, TWO = (bytes((i,)) * 32 for i in (7, 8, 9))
NATIVE = AssetId("sui:mainnet/slip44:784")
TYPE = "0x" + "db" * 32 + "::usdc::USDC"
TOKEN = AssetId(f"sui:mainnet/coin:{TYPE.replace('::', '%3A%3A')}")


def adapter(**params: Any) -> Adapter:
    spec = ChainSpec(
        id=ChainId("sui:mainnet"),
        name="Sui",
        adapter="sui",
        address="sui",
        native=NATIVE,
        params={"genesis_digest": GENESIS, **params},
    )
    return Adapter(spec, None)  # type: ignore[arg-type]


def fixture(name: str) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())
    return decoded


def answered(request: Request, body: object, status: int = 200) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    failure = "" if status < 300 else "refused"
    return Exchange(request=request, endpoint="n0", status=status, body=raw, failure=failure)


def snapshot(*canaries: bytes) -> Snapshot:
    return Snapshot(
        chain=ChainId("sui:mainnet"),
        height=HEIGHT,
        block_hash=DIGEST,
        time=1,
        endpoints=("n0",),
        canaries=tuple(one.hex() for one in canaries),
        detail={f"canary-{one.hex()}": "7" for one in canaries},
    )


def questions(kind: QueryKind = QueryKind.BALANCE, asset: AssetId = NATIVE) -> Questions:
    return Questions(
        kind=kind,
        chain=ChainId("sui:mainnet"),
        height=HEIGHT,
        asset=asset,
        accounts=(ONE, TWO),
    )


STAKE = {"repr": f"0x{3:064x}::staking_pool::StakedSui"}
TOKENS = {"repr": f"0x{3:064x}::staking_pool::FungibleStakedSui"}


def page(*principals: object, more: str | None = None, kind: object = STAKE) -> dict[str, Any]:
    nodes = [
        {"address": f"0x{i:064x}", "contents": {"type": kind, "json": {"principal": one}}}
        for i, one in enumerate(principals)
    ]
    info = {"hasNextPage": more is not None, "endCursor": more}
    return {"objects": {"pageInfo": info, "nodes": nodes}}


def stakes(first: Any, second: Any, canary: bytes | None = CANARY) -> Exchange:
    request = wire.stakes(HEIGHT, [(ONE, ""), (TWO, "")], canary)
    shown = {} if canary is None else {"canary": page("1")}
    query = {**shown, "a0": first, "a1": second}
    said = {"checkpoint": {"sequenceNumber": HEIGHT, "digest": DIGEST, "query": query}}
    return answered(request, {"data": said})


def read(body: object, *canaries: bytes, status: int = 200, **asked: Any) -> Sequence[Any]:
    exchange = answered(wire.kept(), body, status)
    at = snapshot(*(canaries or (CANARY,)))
    none = stakes(page(), page(), canaries[0] if canaries else CANARY)
    return adapter().read(questions(**asked), at, (ONE, TWO), [exchange, none])


def test_both_halves_are_parts_and_a_zero_stands_beside_its_canary():
    one, two = read(fixture("balances"))
    assert one == Held((Part(PartKind.LIQUID, 5), Part(PartKind.LIQUID, 7)))
    assert one.units == 12
    assert two == Held((Part(PartKind.LIQUID, 0),))


def changed(*path: Any, to: Any) -> dict[str, Any]:
    body = fixture("balances")
    node = body["data"]["checkpoint"]
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = to
    return body


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        (changed("digest", to=GENESIS), ("wrong-block", "wrong-block")),
        (changed("sequenceNumber", to=HEIGHT + 1), ("wrong-block", "wrong-block")),
        (changed("query", "canary", "balance", to=None), ("", "malformed-answer")),
        (changed("query", "a0", to=None), ("malformed-answer", "")),
        (changed("query", "a0", "balance", to=None), ("malformed-answer", "")),
        (changed("query", "a0", "balance", "totalBalance", to="13"), ("malformed-answer", "")),
        (changed("query", "a0", "balance", "totalBalance", to=12), ("malformed-answer", "")),
        (changed("query", "a0", "balance", "coinBalance", to="-5"), ("malformed-answer", "")),
        (changed("query", "a0", "balance", "addressBalance", to=None), ("malformed-answer", "")),
        (changed("query", "canary", "balance", "coinBalance", to="8"), ("", "malformed-answer")),
        (changed("query", to=None), ("malformed-answer", "malformed-answer")),
        (fixture("outside-range"), ("no-history", "no-history")),
    ],
)
def test_what_is_not_the_whole_answer_is_a_gap(body, reasons):
    found = tuple(one.reason if isinstance(one, Gap) else "" for one in read(body))
    assert found == reasons


def test_errors_belong_to_the_fields_that_they_name():
    body = changed("query", "a1", "balance", to=None)
    body["data"]["checkpoint"]["query"]["a0"]["balance"] = None
    body["errors"] = [
        {"message": "x", "path": ["checkpoint", "query", f"a{i}", "balance"],
         "extensions": {"code": code}}
        for i, code in enumerate(("REQUEST_TIMEOUT", "FEATURE_UNAVAILABLE"))
    ]  # fmt: skip
    assert [one.reason for one in read(body)] == ["timeout", "method-missing"]


@pytest.mark.parametrize("text", ["\u0665", "+5", "1_0", " 5", "5.0", "0x5", "", "9" * 4000])
def test_what_is_no_number_is_a_gap(text):
    held = {"totalBalance": text, "coinBalance": text, "addressBalance": "0"}
    one, _ = read(changed("query", "a0", "balance", to=held))
    assert isinstance(one, Gap)
    assert one.reason == "malformed-answer"


def test_metadata_that_failed_is_no_missing_coin():
    body = changed("query", to={"coin": None})
    assert {one.reason for one in read(body, asset=TOKEN, kind=QueryKind.ASSET_FACT)} == {
        "no-contract"
    }
    body["errors"] = [{"message": "x", "extensions": {"code": "REQUEST_TIMEOUT"}}]
    found = read(body, asset=TOKEN, kind=QueryKind.ASSET_FACT)
    assert {one.reason for one in found} == {"timeout"}


def test_a_canary_that_changed_makes_every_answer_doubtful():
    held = {"totalBalance": "8", "coinBalance": "8", "addressBalance": "0"}
    found = read(changed("query", "canary", "balance", to=held))
    assert {one.reason for one in found} == {"canary-wrong"}


def test_a_zero_without_a_canary_is_a_gap():
    at = snapshot()
    exchange = answered(wire.kept(), fixture("balances"))
    none = stakes(page(), page(), None)
    one, two = adapter().read(questions(), at, (ONE, TWO), [exchange, none])
    assert isinstance(one, Held)
    assert two == Gap("zero-without-canary")


def staked(first: Any, second: Any) -> list[int | str]:
    exchanges = [answered(wire.kept(), fixture("balances")), stakes(first, second)]
    found = adapter().read(questions(), snapshot(CANARY), (ONE, TWO), exchanges)
    return [one.reason if isinstance(one, Gap) else one.units for one in found]  # type: ignore[union-attr]


def test_stakes_add_up_in_either_spelling_of_a_balance():
    assert staked(page({"value": "100"}, "3"), page("9")) == [12 + 103, 9]


@pytest.mark.parametrize(
    "shown",
    [
        None,
        {"objects": None},
        {"objects": {"nodes": []}},
        {"objects": {"pageInfo": {"hasNextPage": False}, "nodes": None}},
        {"objects": {"pageInfo": {"hasNextPage": True, "endCursor": None}, "nodes": []}},
        {"objects": {"pageInfo": {"hasNextPage": "no"}, "nodes": []}},
        page({"value": 5}),
        page({"value": "-5"}),
        page(None),
        page("1", kind=None),
        page("1", kind={"repr": "0x2::coin::Coin<0x2::sui::SUI>"}),
        {"objects": {"pageInfo": {"hasNextPage": False}, "nodes": [{"address": "0x1"}]}},
    ],
)
def test_stakes_in_another_form_are_a_gap_and_no_zero(shown):
    assert staked(shown, page("9")) == ["malformed-answer", 9]


def test_pool_tokens_are_no_stake_of_that_many_sui_and_no_nothing():
    assert staked(page("5", kind=TOKENS), page("9")) == ["rate-unread", 9]


def test_stakes_that_go_on_and_were_not_asked_on_are_a_gap():
    assert staked(page("1", more="x"), page("9")) == ["not-answered", 9]


def test_a_zero_of_a_coin_without_metadata_is_a_gap():
    one, two = read(fixture("balances"), asset=TOKEN)
    assert isinstance(one, Held)
    assert isinstance(two, Gap)
    assert two.reason == "zero-without-canary"
    _, two = read(changed("query", "coin", to={"decimals": 6}), asset=TOKEN)
    assert isinstance(two, Held)


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("GRAPHQL_VALIDATION_FAILED", "Unknown field", "method-missing"),
        ("FEATURE_UNAVAILABLE", "no balances", "method-missing"),
        ("REQUEST_TIMEOUT", "Query timed out", "timeout"),
        ("INTERNAL_SERVER_ERROR", "database", "server-error"),
        ("BAD_USER_INPUT", "Request is outside consistent range", "no-history"),
        ("BAD_USER_INPUT", "something else", "rpc-error"),
        (["BAD"], {"deep": []}, "rpc-error"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_errors_without_data_are_gaps(code, message, reason, status):
    body = failed(code, message)
    assert {one.reason for one in read(body, status=status)} == {reason}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INTERNAL_SERVER_ERROR", Transient),
        ("REQUEST_TIMEOUT", Transient),
        ("BAD_USER_INPUT", Unanswerable),
    ],
)
def test_a_service_that_fails_while_pinning_may_be_asked_again(code, error):
    told = answered(wire.moment(HEIGHT), failed(code, "database"))
    with pytest.raises(error):
        adapter().snapshot(HEIGHT, [told])


def failed(code: object, message: object) -> dict[str, Any]:
    return {"data": None, "errors": [{"message": message, "extensions": {"code": code}}]}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[", b"null", b"[]", b"{}", b'"x"', b"5", b"\xff", b"[" * 5000,
        b'{"data":[]}', b'{"data":{"checkpoint":5}}', b'{"data":{"checkpoint":[]}}',
        b'{"data":{"checkpoint":{"sequenceNumber":NaN}}}', b'{"data":{},"errors":5}',
        b'{"data":{},"errors":[5]}', b'{"data":null,"errors":[null]}',
        b'{"data":{"checkpoint":{}},"errors":[{"path":5,"message":[]}]}',
    ],
)  # fmt: skip
def test_hostile_answers_are_gaps_and_views_with_a_reason(body):
    assert all(isinstance(one, Gap) for one in read(body))
    assert all(isinstance(one, Gap) for one in read(body, asset=TOKEN, kind=QueryKind.ASSET_FACT))
    own = {wire.moment(HEIGHT): answered(wire.moment(HEIGHT), body)}
    assert adapter().view(HEIGHT, "n0", own).reason
    assert wire.who_sent(wire.read(answered(wire.kept(), body))) == []


def shown(**bodies: object) -> dict[Request, Exchange]:
    """What a good endpoint shows; ``bodies`` replaces answers by name."""
    sent = {"data": {"checkpoint": {"transactions": {"nodes": [
        {"sender": None}, {"sender": {"address": "0x0"}},
        {"sender": {"address": wire.text(CANARY)}},
    ]}}}}  # fmt: skip
    asked = {
        "moment": (wire.moment(HEIGHT), fixture("moment")),
        "kept": (wire.kept(), {"data": {"serviceConfig": None}}),
        "senders": (wire.senders(HEIGHT), sent),
        "probe": (wire.balances(HEIGHT, wire.SUI, [CANARY]), fixture("balances")),
    }
    return {
        request: answered(request, bodies.get(name, body))
        for name, (request, body) in asked.items()
    }


def with_moment(name: str, to: object) -> dict[str, Any]:
    body = fixture("moment")
    target = body["data"] if name in body["data"] else body["data"]["checkpoint"]
    target[name] = to
    return body


def test_a_checkpoint_is_named_by_its_digest():
    view = adapter().view(HEIGHT, "n0", shown())
    assert (view.block_hash, view.time, view.reason) == (DIGEST, 1_681_393_657, "")
    assert view.canaries == (CANARY.hex(),)
    assert view.shown[f"canary-{CANARY.hex()}"] == "12"


@pytest.mark.parametrize("said", [GENESIS, "35834a8a"])
def test_both_forms_of_the_chain_identifier_are_known(said):
    view = adapter().view(HEIGHT, "n0", shown(moment=with_moment("chainIdentifier", said)))
    assert view.reason == ""


@pytest.mark.parametrize("said", ["4c78adac", DIGEST, "35834a8A"])
def test_another_network_stops_the_run(said):
    with pytest.raises(WrongChain):
        adapter().view(HEIGHT, "n0", shown(moment=with_moment("chainIdentifier", said)))


KEPT_BELOW = {"data": {"serviceConfig": {"availableRange": {"last": {"sequenceNumber": 999}}}}}


@pytest.mark.parametrize(
    ("bodies", "reason"),
    [
        ({"moment": with_moment("chainIdentifier", None)}, "identity-unproven"),
        ({"moment": with_moment("checkpoint", None)}, "no-history"),
        ({"moment": with_moment("tip", None)}, "malformed-answer"),
        ({"moment": with_moment("sequenceNumber", 1001)}, "wrong-block"),
        ({"moment": with_moment("digest", "short")}, "malformed-answer"),
        ({"moment": with_moment("timestamp", "yesterday")}, "malformed-answer"),
        ({"moment": with_moment("timestamp", "2023-04-13T13:47:37")}, "malformed-answer"),
        ({"probe": fixture("outside-range")}, "no-history"),
        ({"probe": fixture("outside-range"), "kept": KEPT_BELOW}, "node-behind"),
        ({"probe": changed("digest", to=GENESIS)}, "wrong-block"),
        ({"probe": changed("query", "a0", to=changed("digest", to=0)["data"]["checkpoint"][
            "query"]["a1"])}, "canary-failed"),
    ],
)  # fmt: skip
def test_an_endpoint_that_shows_too_little_is_not_asked(bodies, reason):
    assert adapter().view(HEIGHT, "n0", shown(**bodies)).reason == reason


def test_a_checkpoint_above_the_newest_is_not_reached_yet():
    body = with_moment("checkpoint", None)
    body["data"]["tip"]["sequenceNumber"] = HEIGHT - 1
    assert adapter().view(HEIGHT, "n0", shown(moment=body)).reason == "node-behind"


def test_a_full_group_fits_a_request_of_a_service_with_default_limits():
    accounts = [bytes((i,)) * 32 for i in range(Adapter.group)]
    request = wire.balances(2**53 - 1, TYPE, accounts, CANARY)
    assert len(request.body) < 5000
    assert request.body.count(b"balance(") + request.body.count(b"coinMetadata(") <= 21
    assert request == wire.balances(2**53 - 1, TYPE, accounts, CANARY)


def test_params_are_checked_before_anything_is_asked():
    for params in ({"genesis_digest": "35834a8a"}, {"genesis_digest": 5}, {"canaries": ["x"]}):
        with pytest.raises(ConfigError):
            adapter(**params)


@pytest.mark.parametrize(
    ("kind", "asset", "reason"),
    [
        (QueryKind.CONTROL, NATIVE, "kind-unsupported"),
        (QueryKind.BALANCE, AssetId('sui:mainnet/coin:0x2::a::B"){x}'), "asset-unsupported"),
        (QueryKind.BALANCE, AssetId("sui:mainnet/coin:usdc"), "asset-unsupported"),
        (QueryKind.ASSET_FACT, AssetId("sui:mainnet/slip44:1"), "asset-unsupported"),
    ],
)
def test_what_is_not_read_is_refused(kind, asset, reason):
    refusal = adapter().refusal(questions(kind, asset))
    assert refusal is not None
    assert refusal.reason == reason


def test_coin_types_are_read_in_both_spellings():
    for asset in (TOKEN, AssetId(f"sui:mainnet/coin:{TYPE}")):
        assert adapter().refusal(questions(QueryKind.ASSET_FACT, asset)) is None
        assert adapter()._coin(questions(asset=asset)) == TYPE


@pytest.mark.parametrize("epoch", [2**64, str(2**65), -1, True, "", None])
def test_an_epoch_that_no_chain_can_reach_is_no_stake_of_a_pool(epoch: object) -> None:
    pool = "0x" + "11" * 32
    assert rates.stake({"pool_id": pool, "stake_activation_epoch": 2**64 - 1}, 5) is not None
    assert rates.stake({"pool_id": pool, "stake_activation_epoch": epoch}, 5) is None
