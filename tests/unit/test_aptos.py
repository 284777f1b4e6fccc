"""Answers of Aptos fullnodes: documented, recorded and constructed ones, and hostile ones."""

from __future__ import annotations

from hashlib import sha3_256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from chains.adapters.aptos import Adapter, control, pinning, wire
from chains.control import Authority, ControlFacts
from chains.errors import ConfigError, WrongChain
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, Ownership, Request
from chains.signatures import SignedAddress, judge
from chains.signatures.digests import OKX_HEADER, frame
from crawler.asking.control import judge_signers

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "aptos"
VERSION, HEIGHT = 3_363_904_007, 442_000_000
CLOCK = "1757261767411156"
PAYER = bytes.fromhex("ca" * 32)
ONE, TWO, THREE, FOUR = (bytes((i,)) * 32 for i in range(1, 5))
ONE_NAME, TWO_NAME, KEY_NAME = wire.text(ONE), wire.text(TWO), "0x" + "77" * 32


def spec_of(**params: Any) -> ChainSpec:
    return ChainSpec(
        id=ChainId("aptos:1"),
        name="Aptos",
        adapter="aptos",
        address="aptos",
        native=AssetId("aptos:1/slip44:637"),
        params={"chain_id": 1, **params},
    )


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def answered(request: Request, body: object, status: int = 200) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    failure = "" if status < 300 else "refused"
    return Exchange(request=request, endpoint="n0", status=status, body=raw, failure=failure)


def by_request(*exchanges: Exchange) -> dict[Request, Exchange]:
    return {exchange.request: exchange for exchange in exchanges}


def shown(height: int = VERSION, by: str = "version", **changed: object) -> dict[Request, Exchange]:
    """What a good endpoint shows; ``changed`` replaces answers by name."""
    sent = [{"type": "user_transaction", "version": str(VERSION - 1), "sender": wire.text(PAYER)}]
    answers = {
        "index": (wire.index(), fixture("index")),
        "block": (wire.block(height, by=by), fixture("block")),
        "made": (wire.transaction(VERSION), fixture("transaction-epilogue")),
        "now": (wire.now(VERSION), [CLOCK]),
        "recent": (wire.recent(VERSION), sent),
        "canary": (wire.coin_balance(PAYER, VERSION), ["5"]),
    }
    return by_request(
        *(answered(request, changed.get(name, body)) for name, (request, body) in answers.items())
    )


def altered(name: str, **members: object) -> dict[str, Any]:
    return {**msgspec.json.decode(fixture(name)), **members}


@pytest.mark.parametrize(("height", "by"), [(VERSION, "version"), (HEIGHT, "height")])
def test_a_version_and_its_block_name_the_same_moment(height, by):
    spec = spec_of(height_is="version" if by == "version" else "block")
    view = pinning.view(spec, height, "n0", shown(height, by), ())
    assert view.block_hash == "0xc985314d5c118899c649b772c237178c63f328e7d286aceea01a30373d491d95"
    assert (view.time, view.reason) == (1_757_261_767, "")
    assert view.canaries == (PAYER.hex(),)
    assert view.shown["version"] == str(VERSION)
    assert view.shown[pinning.canary_key(PAYER)] == "5"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"index": altered("index", ledger_version=str(VERSION - 1))}, "node-behind"),
        ({"index": altered("index", oldest_ledger_version=str(VERSION + 1))}, "state-pruned"),
        ({"index": altered("index", chain_id="1")}, "malformed-answer"),
        ({"index": altered("index", chain_id=True)}, "malformed-answer"),
        ({"index": altered("index", ledger_version=10**30)}, "malformed-answer"),
        ({"block": altered("block", last_version=str(VERSION - 1))}, "wrong-block"),
        ({"block": altered("block", block_hash="0x12")}, "malformed-answer"),
        ({"made": altered("transaction-epilogue", version="7")}, "wrong-block"),
        ({"made": altered("transaction-epilogue", accumulator_root_hash=None)}, "malformed-answer"),
        ({"made": altered("transaction-epilogue", timestamp=1)}, "malformed-answer"),
        ({"now": ["1757261767411157"]}, "wrong-block"),
        ({"now": []}, "malformed-answer"),
        ({"canary": ["0"]}, "canary-failed"),
        ({"canary": ["x"]}, "malformed-answer"),
    ],
)
def test_an_endpoint_that_shows_too_little_is_not_asked(changed, reason):
    assert pinning.view(spec_of(), VERSION, "n0", shown(**changed), ()).reason == reason


def test_another_block_is_not_taken_for_the_height():
    spec = spec_of(height_is="block")
    answers = shown(HEIGHT, "height", block=altered("block", block_height=str(HEIGHT + 1)))
    assert pinning.view(spec, HEIGHT, "n0", answers, ()).reason == "wrong-block"


def test_another_network_stops_the_run():
    with pytest.raises(WrongChain):
        pinning.view(spec_of(), VERSION, "n0", shown(index=altered("index", chain_id=2)), ())


def test_payers_after_the_version_and_other_transactions_are_no_canaries():
    said = [
        {"type": "user_transaction", "version": str(VERSION - 2), "sender": "0x1"},
        {"type": "block_metadata_transaction", "version": str(VERSION - 1), "sender": "0x2"},
        {"type": "user_transaction", "version": str(VERSION + 1), "sender": "0x3"},
        {"type": "user_transaction", "version": 5, "sender": "0x4"},
        {"type": "user_transaction", "version": "5", "sender": "junk"},
        "junk",
    ]
    exchange = answered(wire.recent(VERSION), said)
    assert wire.payers(exchange, VERSION) == [bytes(31) + b"\x01"]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("version-pruned", 410, "state-pruned"),
        ("view-refused", 400, "call-failed"),
        ("account-not-found", 404, "rpc-error"),
    ],
)
def test_errors_are_gaps(name, status, reason):
    exchange = answered(wire.now(VERSION), fixture(name), status)
    gap = wire.one_number(exchange)
    assert isinstance(gap, Gap)
    assert gap.reason == reason
    assert wire.is_absent(exchange) is (name == "account-not-found")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[", b"{}", b"[]", b"null", b"5", b'"5"', b"[5]", b"[5.0]", b"[true]", b"[null]",
        b'["-1"]', b'["+1"]', b'["1_0"]', b'["1e3"]', b'[" 1"]', b'[""]', b'["0x1"]', b"[NaN]",
        '["\u0665"]'.encode(), b'["18446744073709551616"]', b'["1","2"]', b'[["1"]]',
        b'["' + b"9" * 5000 + b'"]', b"[" * 5000, b"\xff",
    ],
)  # fmt: skip
def test_what_is_no_number_is_a_gap(body):
    exchange = answered(wire.now(VERSION), body)
    assert isinstance(wire.one_number(exchange), Gap)
    assert isinstance(wire.numbers(exchange, 1), Gap)
    assert isinstance(wire.supply(exchange), Gap)
    assert wire.payers(exchange, VERSION) == []


def test_the_largest_numbers_are_exact():
    largest = answered(wire.now(VERSION), [str(2**64 - 1)])
    assert wire.one_number(largest) == 2**64 - 1
    many = answered(wire.now(VERSION), [{"vec": [str(2**128 - 1)]}])
    assert wire.supply(many) == 2**128 - 1
    assert wire.supply(answered(wire.now(VERSION), [{"vec": []}])) == 0
    assert isinstance(wire.supply(answered(wire.now(VERSION), [{"vec": ["1", "2"]}])), Gap)


def test_params_are_checked_before_anything_is_asked():
    for params in ({"height_is": "slot"}, {"canaries": ["x"]}, {"delegation_pools": ["0y"]}):
        with pytest.raises(ConfigError):
            Adapter(spec_of(**params), None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Adapter(msgspec.structs.replace(spec_of(), params={}), None)  # type: ignore[arg-type]


def accounts(*each: tuple[bytes, object, object]) -> dict[Request, Exchange]:
    """Answers about accounts: (address, account or None, multisig or None)."""
    missing = fixture("account-not-found")
    exchanges = []
    for address, *bodies in each:
        for request, body in zip(control.requests(address, VERSION), bodies, strict=True):
            is_there = body is not None
            exchanges.append(
                answered(request, body if is_there else missing, 200 if is_there else 404)
            )
    return by_request(*exchanges)


def key(name: str) -> dict[str, str]:
    return {"sequence_number": "1", "authentication_key": name}


def owned(threshold: int, *owners: bytes) -> dict[str, Any]:
    data = {
        "owners": [wire.text(owner) for owner in owners],
        "num_signatures_required": str(threshold),
    }
    return {"type": wire.MULTISIG, "data": data}


def one_key(name: str) -> Authority:
    return Authority(kind=control.KEY, threshold=1, weights={name: 1}, digest=True)


def verdict(own: dict[Request, Exchange], *signers: str) -> tuple[str, str]:
    facts = control.read(own, ONE, VERSION)
    assert isinstance(facts, ControlFacts)
    return judge_signers(signers, (), facts)


def test_an_account_shows_its_authentication_key():
    own = accounts((ONE, fixture("account"), None))
    name = "0x88fbd33f54e1126269769780feb24480428179f552e2313fbe571b72e62a1ca1"
    notes = {"sequence_number": "32425224034"}
    assert control.read(own, ONE, VERSION) == ControlFacts(
        exists=True, ways=(one_key(name),), notes=notes
    )
    assert verdict(own, name) == ("controlled", "owner-in-control")
    assert verdict(own, ONE_NAME) == ("signer-only", "key-not-shown")


def test_an_account_that_is_not_there_and_one_without_a_key():
    assert verdict(accounts((ONE, None, None)), ONE_NAME) == ("signer-only", "nothing-at-address")
    nobody = accounts((ONE, key(control.NOBODY), None))
    assert verdict(nobody, control.NOBODY) == ("signer-only", "no-control-rule")


def test_the_owners_of_a_multisig_account_are_their_keys():
    own = accounts(
        (ONE, key(control.NOBODY), owned(2, TWO, THREE)),
        (TWO, key(KEY_NAME), None),
        (THREE, None, None),
    )
    assert verdict(own, KEY_NAME, wire.text(THREE)) == ("controlled", "owner-in-control")
    assert verdict(own, KEY_NAME) == ("signer-only", "owners-below-threshold")
    # TWO has rotated its key away: who signs with the key that made the address is nobody
    assert verdict(own, TWO_NAME, wire.text(THREE)) == ("signer-only", "key-not-shown")


def test_one_key_behind_two_owners_has_two_votes():
    own = accounts(
        (ONE, key(control.NOBODY), owned(2, TWO, THREE)),
        (TWO, key(KEY_NAME), None),
        (THREE, key(KEY_NAME), None),
    )
    assert verdict(own, KEY_NAME) == ("controlled", "owner-in-control")


def test_a_multisig_that_kept_its_key_obeys_either():
    own = accounts((ONE, key(KEY_NAME), owned(1, TWO)), (TWO, key(TWO_NAME), None))
    assert verdict(own, KEY_NAME) == verdict(own, TWO_NAME) == ("controlled", "owner-in-control")


def test_multisigs_that_own_multisigs():
    own = accounts(
        (ONE, key(control.NOBODY), owned(1, TWO)),
        (TWO, key(control.NOBODY), owned(1, THREE)),
        (THREE, key(KEY_NAME), None),
    )
    assert verdict(own, KEY_NAME) == ("controlled", "owner-in-control")
    assert verdict(own, TWO_NAME) == ("signer-only", "key-not-shown")


def test_a_circle_of_owners_and_an_owner_that_was_not_asked_are_gaps():
    circle = accounts(
        (ONE, key(control.NOBODY), owned(1, TWO)), (TWO, key(control.NOBODY), owned(1, ONE))
    )
    assert control.read(circle, ONE, VERSION) == control.TOO_DEEP
    partial = accounts((ONE, key(control.NOBODY), owned(1, TWO)))
    assert control.read(partial, ONE, VERSION) == control.TOO_DEEP


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b"[]", b"null", b'{"authentication_key":"0x12","sequence_number":"1"}',
        msgspec.json.encode({"authentication_key": KEY_NAME, "sequence_number": 1}),
        msgspec.json.encode({"authentication_key": "0x" + "gg" * 32, "sequence_number": "1"}),
    ],
)  # fmt: skip
def test_what_is_no_account_is_a_gap(body):
    assert isinstance(control.read(accounts((ONE, body, None)), ONE, VERSION), Gap)


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b'{"data":{}}',
        b'{"data":{"owners":["0x2"],"num_signatures_required":2}}',
        b'{"data":{"owners":["junk"],"num_signatures_required":"1"}}',
        b'{"data":{"owners":"0x2","num_signatures_required":"1"}}',
    ],
)  # fmt: skip
def test_what_is_no_multisig_is_a_gap(body):
    assert isinstance(control.read(accounts((ONE, key(KEY_NAME), body)), ONE, VERSION), Gap)


@pytest.mark.parametrize(("threshold", "owners"), [(0, (TWO,)), (1, (TWO, TWO))])
def test_a_multisig_without_threshold_or_with_one_owner_twice_is_a_gap(threshold, owners):
    own = accounts(
        (ONE, key(control.NOBODY), owned(threshold, *owners)), (TWO, key(KEY_NAME), None)
    )
    gap = control.read(own, ONE, VERSION)
    assert isinstance(gap, Gap)
    assert gap.reason == "malformed-answer"


def test_a_missing_node_answer_is_no_missing_account():
    own = accounts((ONE, None, None))
    request = wire.account(ONE, VERSION)
    refusals = ((410, "version-pruned"), (404, "view-refused"), (400, "account-not-found"))
    for status, name in refusals:
        changed = {**own, request: answered(request, fixture(name), status)}
        assert isinstance(control.read(changed, ONE, VERSION), Gap)
    del own[wire.multisig(ONE, VERSION)]
    assert control.read(own, ONE, VERSION) == Gap("not-answered")


def test_the_multisig_fixture_reads():
    own = accounts((ONE, key(control.NOBODY), fixture("multisig")))
    assert [owner.hex()[:4] for owner in control.owners(own, ONE, VERSION)] == ["327d", "0406"]


def row(account: bytes, secret: SigningKey, owners: tuple[str, ...] = ()) -> SignedAddress:
    message = "I am an OKX address"
    signature = secret.sign(frame(OKX_HEADER, message)).signature.hex()
    return SignedAddress(
        spec=spec_of(),
        address=wire.text(account),
        account=account,
        message=message,
        signatures=(signature,),
        public_key=secret.verify_key.encode().hex(),
        schemes=("okx-ed25519",),
        owners=owners,
    )


def test_the_signer_is_named_by_the_key_that_the_chain_would_show():
    secret = SigningKey(bytes(range(32)))
    name = "0x" + sha3_256(secret.verify_key.encode() + b"\x00").hexdigest()
    rotated = judge(row(ONE, secret))
    assert (rotated.status, rotated.reason) == (Ownership.SIGNER_ONLY, "link-unobserved")
    assert rotated.signers == (name,)
    as_owner = judge(row(ONE, secret, owners=(name,)))
    assert as_owner.reason == "control-unobserved"
    assert as_owner.signers == (name,)
    own = accounts((ONE, key(name), None))
    assert verdict(own, *rotated.signers) == ("controlled", "owner-in-control")
