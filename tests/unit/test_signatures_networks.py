"""Vectors of their own networks for relatives of Bitcoin, judged by the configuration that ships.

Each row is ``bitcoin-signmessage`` under the header of its chain: what one signs under another
header belongs to another key, so a vector confirms header and address at once. Where a core's own
test names a test network's address, the address here is the main network's of the same key hash.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import blake2b, sha256
from typing import Any

import msgspec
import pytest
from coincurve import PrivateKey

from chains.addresses import decode, encode
from chains.model import ChainSpec, Ownership
from chains.signatures import Refused, SignedAddress, Unsupported, judge
from chains.signatures.bitcoin_spending import taproot_output
from chains.signatures.digests import bitcoin_message
from chains.signatures.secp256k1 import hash160
from chains.signatures.secp_wallets import filecoin_message
from crawler.examining.labels import resolve_generic
from crawler.settings import load_world

pytestmark = pytest.mark.unit

CORES = "This is just a test message"
VECTORS = {
    # nentproject/qtum-sig-verifier verify_message.rb at 12c48730
    ("Qtum", "0x0079bF6868cB1b7cF4a451311fd70c348F3ED38B"): (
        "QfyxAJ2TWX6TzSgmqv2uu6mF85JJj342PY",
        "ILu2UvQFat1gZPvu2c8xbajqiQY9sURFNM+QpxuOvVnUTlOYCc5enrjYOTVVHiynFCPo2qwKKXRRULteBTVyFUY=",
    ),
    ("Qtum", "0x169D6B29405e725947bE8A308a44F5918815D869"): (
        "QVBvpCzPWQweR6tqnt9UPF3iVTkLtv6pWX",
        "IGfXC4yCockohqjnHjKGbsVG2wuM5BULLXu85sf7jz+wHTsD1Mg2izSDVROvm9Dp3uh8Z4E4gkXXOzQyJXeaBxo=",
    ),
    # ravenrebels/ravencoin-message README.md
    ("Ravencoin", "Hello world"): (
        "RS4EYELZhxMtDAuyrQimVrcSnaeaLCXeo6",
        "H2zo48+tI/KT9eJrHt7PLiEBMaRn1A1Eh49IFu0MbfhAFBxVc0FG2UE5E79PCbhd9KexijsQxYvNM6AsVn9EAEo=",
    ),
    # underdarkskies/bitcore-message docs/index.md: an uncompressed key
    ("Ravencoin", "hello, world"): (
        "RGRsG7UQc3AmvdrhPDngpPjvTNhJQFeHYj",
        "G5cFMHRysjcxkBJ7mol8l3cjPbFQFQ68fNqTGehTO9/cLNUaflt3gQT//yAUp5fqWF0snDlZYkXJoooazBicRTg=",
    ),
    # RavenProject/Ravencoin test/functional/signmessages.py at bb1b2c4f
    ("Ravencoin", CORES): (
        "RJ6eX87QwPUWVNx56uWymmqxG6p2DEPEuD",
        "H5vCbG+WhOeOPJ3jf6oux/1oSjkuIGZigCw4NW+A0/fSDlgdO4fMq0SWSfx7gUMB9kuG+t/0BQxtXaTCr7v9fGM=",
    ),
    # BTCGPU/BTCGPU test/functional/rpc_signmessage.py at 228fa6ac
    ("Bitcoin Gold", CORES): (
        "GSfNrjZ5KRHEVqtAZgBy71reR19GaCw5Lc",
        "III9QOR7R8wULQSY7ymo6mN7b2QLXfc4dHbYAKS7YTU0SEbJToWkWKQegTvb87iZr8HOuHoi+hdNA49RUpoSaw4=",
    ),
    # Bitcoin-ABC/bitcoin-abc test/functional/rpc_signmessage.py at 2d8ce90d
    ("eCash", CORES): (
        "ecash:qpst4g85jjecec7fgr02vlecqnw9950mjsszw4uftq",
        "H/+xpIcWFrFLpyHC44kZSSuUqfv6T9CHzCIw/tsetxO0UYjIHvnvA891Hm7Ho3tTMRNYS2xf+lozdASttZc8L+8=",
    ),
    # zcash/wallet zallet/src/components/json_rpc/methods/verify_message.rs at 21302a6e
    ("Zcash", "20251117: 1 Yay; 2 Yay; 3 Yay; 4 Yay; 5 Nay; 6 Nay; 7 Yay; 8 Yay; 9 Nay"): (
        "t1VydNnkjBzfL1iAMyUbwGKJAF7PgvuCfMY",
        "H3RY+6ZfWUbzaaXxK8I42thf+f3tOrwKP2elphxAxq8tKypwJG4+V7EGR+sTWMZ5MFyvTQW8ZIV0yGU+93JTioA=",
    ),
}
OWN_HEADER = {"eCash": "header eCash"}
"""Chains under which more than one header is tried, with what is said of the one that fits."""


def spec_of(name: str) -> ChainSpec:
    (found,) = (spec for spec in load_world().chains.values() if spec.name == name)
    return found


def row(name: str, address: str, message: str, signature: str) -> SignedAddress:
    spec = spec_of(name)
    return SignedAddress(
        spec=spec,
        address=address,
        account=decode(spec, address),
        message=message,
        signatures=(signature,),
        schemes=("bitcoin-signmessage",),
    )


@pytest.mark.parametrize(("network", "message"), VECTORS)
def test_a_network_signs_under_its_own_header(network: str, message: str) -> None:
    address, signature = VECTORS[network, message]
    outcome = judge(row(network, address, message, signature))
    assert outcome.status is Ownership.BOUND
    assert outcome.detail == OWN_HEADER.get(network, "")
    with pytest.raises(Refused) as error:
        judge(row(network, address, message + " ", signature))
    assert error.value.code in ("wrong-key", "wrong-signature")


# ---------------------------------------------------------------- the candidates of generic tables

OWNER, STRANGER = (PrivateKey(sha256(name).digest()) for name in (b"owner", b"stranger"))
KEY = OWNER.public_key.format()
PROGRAM = b"\x00\x14" + hash160(KEY)
ACCOUNTS = {
    "P2PKH": ("Bitcoin", b"\x76\xa9\x14" + hash160(KEY) + b"\x88\xac"),
    "P2WPKH": ("Bitcoin", PROGRAM),
    "P2SH-P2WPKH": ("Bitcoin", b"\xa9\x14" + hash160(PROGRAM) + b"\x87"),
    "P2TR": ("Bitcoin", b"\x51\x20" + taproot_output(KEY[1:])[0]),
    "Litecoin's P2WPKH": ("Litecoin", PROGRAM),
    "f1": ("Filecoin", b"\x01" + blake2b(OWNER.public_key.format(False), digest_size=20).digest()),
}
"""A key's address of each kind."""
OUTSIDE = {
    "P2PKH": (ACCOUNTS["P2PKH"], "pofAQID"),  # a proof of funds
    "f2": (("Filecoin", b"\x02" + bytes(20)), "00" * 96),
    "taproot of a chain without vectors": (("Litecoin", ACCOUNTS["P2TR"][1]), "AAAA"),
}
"""What one candidate or another might be for and has no rule for yet."""


def generic(network: str, account: bytes, *signatures: str, **other: Any) -> SignedAddress:
    world = load_world()
    resolved = resolve_generic(world, "", network)
    assert resolved.chain is not None
    return SignedAddress(
        spec=world.chains[resolved.chain],
        address="",
        account=account,
        message=CORES,
        signatures=signatures,
        schemes=resolved.schemes,
        **other,
    )


def sign(network: str, key: PrivateKey) -> str:
    if network == "Filecoin":
        return bytes(key.sign_recoverable(filecoin_message(CORES), hasher=None)).hex()
    raw = key.sign_recoverable(bitcoin_message(network, CORES), hasher=None)
    return b64encode(bytes((31 + raw[64],)) + raw[:64]).decode()


@pytest.mark.parametrize("kind", ACCOUNTS)
def test_no_candidate_for_other_addresses_hides_that_a_row_is_refuted(kind: str) -> None:
    network, account = ACCOUNTS[kind]
    outcome = judge(generic(network, account, sign(network, OWNER)))
    assert outcome.status is Ownership.BOUND
    for signature, code in ((sign(network, STRANGER), "wrong-key"), ("AAAA", "bad-signature")):
        with pytest.raises(Refused) as error:
            judge(generic(network, account, signature))
        assert error.value.code == code


@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_form_without_a_rule_stays_our_gap_beside_refusals(kind: str) -> None:
    (network, account), signature = OUTSIDE[kind]
    with pytest.raises(Unsupported):
        judge(generic(network, account, signature))


def test_owners_of_two_kinds_are_not_refuted_by_what_is_for_one_of_them() -> None:
    network, first = ACCOUNTS["P2PKH"]
    second = ACCOUNTS["P2TR"][1]
    spec = spec_of(network)
    owners = tuple(encode(spec, account) for account in (first, second))
    for order in (owners, owners[::-1]):
        row = generic(network, PROGRAM, *[sign(network, OWNER)] * 2, owners=order)
        with pytest.raises(Unsupported):
            judge(row)
        with pytest.raises(Refused):
            judge(msgspec.structs.replace(row, signatures=("AAAA", "AAAA")))
