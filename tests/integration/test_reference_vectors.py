"""Every published vector of the reference data, judged; and every row that must be refused.

The data lie outside the repository (``tests.reference``); without them these tests are
skipped. The table of counts is written out, so that no vector can drop out unseen.
"""

from collections import Counter

import msgspec
import pytest

from chains.addresses import AddressError, decode
from chains.addresses.cardano import controlling_hash, key_hash
from chains.model import AssetId, ChainId, ChainSpec, Ownership
from chains.signatures import (
    Refused,
    SignedAddress,
    Unsupported,
    cardano_message,
    digests,
    ed25519,
    judge,
    stellar_message,
)
from chains.signatures.bitcoin import _recovered
from chains.signatures.secp256k1 import (
    ELECTRUM,
    compressed,
    keccak_account,
    parse_hex_signature,
    recover,
)
from tests.reference import DATA

pytestmark = pytest.mark.integration


def load(name):
    path = DATA / name
    if not path.is_file():
        return []
    with path.open("rb") as lines:
        return [msgspec.json.decode(line) for line in lines]


VECTORS, REFUSALS = load("ownership_vectors.jsonl"), load("must_refuse.jsonl")
needs_data = pytest.mark.skipif(not VECTORS, reason=f"no reference data in {DATA.name!r}")


def each(rows, key):
    names = [f"{i}-{row['chain']}-{row[key][:24]}" for i, row in enumerate(rows)]
    if not rows:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no reference data"))]
    return [pytest.param(row, id=name) for row, name in zip(rows, names, strict=True)]


def chain(address, **params):
    return ChainSpec(
        id=ChainId("test:1"),
        name="Test",
        adapter="none",
        address=address,
        native=AssetId("test:1/slip44:0"),
        address_params=params,
    )


def utxo(words, **params):
    return chain("bitcoin", message_header=words, **params)


CHAINS = {
    "BTC": utxo("Bitcoin", p2pkh=[0x00], p2sh=[0x05], hrp="bc"),
    "BCH": utxo("Bitcoin", p2pkh=[0x00], p2sh=[0x05], cashaddr="bitcoincash"),
    "XEC": utxo("Bitcoin", p2pkh=[0x00], p2sh=[0x05], cashaddr="ecash"),
    "BSV": utxo("Bitcoin", p2pkh=[0x00], p2sh=[0x05]),
    "LTC": utxo("Litecoin", p2pkh=[0x30], p2sh=[0x32, 0x05], hrp="ltc"),
    "DOGE": utxo("Dogecoin", p2pkh=[0x1E], p2sh=[0x16]),
    "DASH": utxo("DarkCoin", p2pkh=[0x4C], p2sh=[0x10]),
    "ZEC": utxo("Zcash", p2pkh=[0x1CB8], p2sh=[0x1CBD]),
    # The vector is of Horizen's test network, whose P2PKH version is 2098.
    "ZEN": utxo(["Bitcoin", "Zcash"], p2pkh=["2089", "2098"], p2sh=["2096"]),
    "EVM": chain("evm"),
    "OKC(EVM)": chain("evm", hrp="ex"),
    "OKC": chain("evm", hrp="ex"),
    "FIL-EVM": chain("evm", f410="f"),
    "BETH": chain("bls"),
    "STARKNET": chain("starknet"),
    "TRON": chain("tron"),
    "SOL": chain("solana"),
    "APTOS": chain("aptos"),
    "SUI": chain("sui"),
    "TON": chain("ton"),
    "DOT": chain("ss58", prefix=0),
    "XLM": chain("stellar"),
    "PI": chain("stellar"),
    "ADA": chain("cardano"),
    "NEAR": chain("near"),
    "ALGO": chain("algorand"),
    "XRP": chain("xrpl"),
    "RIPPLE": chain("xrpl"),
    "FIL": chain("filecoin", evm=True),
    "CFX": chain("conflux"),
    "ELF": chain("aelf", chain="AELF"),
    "LUNC": chain("cosmos", hrp="terra"),
    "ATOM": chain("cosmos", hrp="cosmos"),
    "AVAX-X": chain("cosmos", hrp="avax", prefix="X-"),
    "ONE": chain("cosmos", hrp="one", key="keccak", hex=True),
    "Vaulta": chain("antelope"),
}
NOT_YET = chain("none")
"""Chains whose address format is not written yet."""
NETWORKS = {
    "BTC-testnet": utxo("Bitcoin", p2pkh=[0x6F], p2sh=[0xC4], hrp="tb"),
    "polkadot(generic ss58)": chain("ss58", prefix=[0, 2, 5, 27, 42, 73, 74, 172]),
    "polkadot(ethereum acct)": chain("evm"),
    "CFX-testnet": chain("conflux", network=1),
    "substrate-42": chain("ss58", prefix=42),
    "cardano-test": chain("cardano", network=0),
    "aptos-25": msgspec.structs.replace(chain("aptos"), id=ChainId("aptos:25")),
}
"""Labels of the vectors that stand for another network than their chain's."""


def spec_of(vector):
    if vector["address"].startswith("stake_test"):
        return NETWORKS["cardano-test"]
    if vector.get("scheme") == "aptos-fullMessage" and "chainId: 25" in vector["message"]:
        return NETWORKS["aptos-25"]
    if vector["network"] in NETWORKS:
        return NETWORKS[vector["network"]]
    return CHAINS.get(vector["chain"], NOT_YET)


def row_of(vector, scheme):
    spec = spec_of(vector)
    owners = tuple(owner for owner in (vector["eoa1"], vector["eoa2"]) if owner)
    if len(vector["address"]) == 98 and owners:
        spec = CHAINS["BETH"]
    column = vector["script_or_pubkey"]
    return SignedAddress(
        spec=spec,
        address=vector["address"],
        account=decode(spec, vector["address"]),
        message=text_of(vector),
        signatures=(as_answered(vector), vector["signature2"]),
        schemes=(scheme,),
        script=column if spec.address == "bitcoin" else "",
        public_key="" if spec.address == "bitcoin" else column,
        owners=owners,
    )


def text_of(vector):
    """Return the text of the row; where the source gave none, what the signature holds."""
    if vector.get("scheme") == "cip8/cip30-datasignature" and not vector["message"]:
        payload = cardano_message.parse(vector["signature1"])
        return "" if payload.is_hashed else payload.payload.decode()
    if vector["message"].startswith("hex:"):
        return bytes.fromhex(vector["message"][4:]).decode(errors="replace")
    return vector["message"]


def as_answered(vector):
    """Return the signature column as a wallet's answer, where the note gives the rest of it."""
    note = dict(part.split("=", 1) for part in vector.get("note", "").split() if "=" in part)
    raw = vector["signature1"]
    if vector.get("scheme", "").startswith(("ton-proof", "ton-connect")):
        members = {
            "signature": raw,
            "domain": note["domain"],
            "timestamp": int(note["timestamp"].rstrip(";,")),
        }
    elif vector.get("scheme") == "nep413":
        members = {"signature": raw, "nonce": "00" * 32, "recipient": "intents.near"}
    else:
        return raw
    return msgspec.json.encode(members).decode()


def verdict(vector, scheme):
    try:
        outcome = judge(row_of(vector, scheme))
    except AddressError as error:
        return "unsupported" if error.code == "unsupported-address-type" else "bad-address"
    except Refused:
        return "refused"
    except Unsupported:
        return "unsupported"
    return outcome.status.value


UNSUPPORTED = Counter({})
"""Vectors of schemes, or of address formats, that recount cannot check yet."""

BOUND = Counter(
    {
        "adr36": 1,
        "aptos-fullMessage": 1,
        "bip137": 28,
        "bip137-loose": 23,
        "bip137-on-p2tr(BIP86 key)": 1,
        "bip322-full": 6,
        "bip322-simple": 10,
        "btc-signmessage": 8,
        "cip8/cip30-datasignature": 5,
        "ed25519-raw": 2,
        "cfx-personal_sign": 1,
        "eip191-personal_sign": 13,
        "fil-f3-bls(RO_NUL)": 1,
        "htx-evm": 49,
        "htx-tron": 33,
        "nep413": 1,
        "okx-ecdsa-keccak": 9,
        "okx-ecdsa-keccak-pubkey-only": 1,  # AVAX-X
        "substrate-ecdsa": 1,
        "substrate-ethereum(keccak)": 1,
        "xrpl-keypairs-ed25519": 1,
        "xrpl-keypairs-secp256k1": 1,
        "okx-ed25519-raw": 13,
        "okx-ed25519-raw(base58 sig)": 1,
        "okx-evm-eip191-keccak32": 19,
        "okx-tron-v1/v2": 7,
        "okx-utxo-signmessage": 17,
        "sep53": 1,
        "sol-offchain-v0": 2,
        "sol-raw-ed25519": 3,
        "substrate-ed25519": 1,
        "substrate-sr25519": 1,
        "substrate-sr25519-<Bytes>": 1,
        "sui-personal-message": 4,
        "tip191-v2": 1,
        "ton-connect-signData-binary": 1,
        "ton-connect-signData-text": 1,
        "ton-proof-v2": 1,
        "ton-safe-sign-magic": 1,
        "utxo-signmessage": 5,
    }
)
SIGNER_ONLY = Counter(
    {
        "okx-beth-bls-pop": 1,
        "okx-starknet-typed-v0": 1,
        "okx-evm-owner": 3,
        "okx-ed25519-raw": 1,
        "aptos-fullMessage": 1,
    }
)
SIGNER_ONLY["okx-eos-sha256-k1"] = 1
REFUSED = Counter(
    {
        "aptos-fullMessage": 1,
        "bip137": 10,
        "bip137-flag-mismatch": 1,
        "bip137-loose": 8,
        "bip322-error": 21,
        "bip322-simple": 2,
        "btc-signmessage": 1,
        "cip8/cip30-datasignature": 3,
        "eip191-personal_sign": 1,
        "fil-f3-bls(RO_NUL)": 2,
        "htx-evm": 1,
        "htx-tron": 1,
        "okx-utxo-signmessage": 2,
        "sol-offchain-v0": 2,
        "sol-raw-ed25519": 1,
        "substrate-any": 1,
        "substrate-sr25519": 1,
        "utxo-signmessage": 2,
    }
)
"""Published as false, but for the flag mismatch: see ``FLAG_MISMATCH``."""

FLAG_MISMATCH = "bip137-flag-mismatch"
"""True for some wallets; Bitcoin Core refuses it, and so does this house (rule in the design)."""
KEYS_ONLY = "utxo-recover-pubkey"
NO_ADDRESS = "okx-ecdsa-keccak-pubkey-only"
"""Asserts a recovered key, not an address."""
BYTES = ("sep53", "tip191-v2")
"""Schemes with vectors that sign bytes which are no text."""


def special(vector):
    """Vectors that are not rows: a key without address, bytes in place of a text, no text."""
    if vector["scheme"] == NO_ADDRESS and not vector["address"]:
        return True
    if vector["scheme"] == "cip8/cip30-datasignature":
        return not text_of(vector)
    is_bytes = vector["message"].startswith("hex:")
    return vector["scheme"] == KEYS_ONLY or (is_bytes and vector["scheme"] in BYTES)


def scheme_of(vector):
    return "bip137" if vector["scheme"] == FLAG_MISMATCH else vector["scheme"]


@pytest.mark.parametrize("vector", each(VECTORS, "scheme"))
def test_published_vector_ends_as_stated(vector):
    if special(vector):
        assert _special_holds(vector)
        return
    result = verdict(vector, scheme_of(vector))
    if vector["scheme"] in UNSUPPORTED and result == "unsupported":
        return
    if not vector["expected"] or vector["scheme"] == FLAG_MISMATCH:
        assert result in ("refused", "bad-address")
    elif (
        vector["eoa1"]
        or vector["chain"] in ("BETH", "STARKNET", "Vaulta")
        or "not the authentication key" in vector.get("note", "")
    ):
        assert result == "signer-only"
    else:
        assert result == "bound"


def _special_holds(vector):
    """Check a vector that only asserts a key, or that signs bytes which are no text."""
    if vector["scheme"] == "cip8/cip30-datasignature":
        signed = cardano_message.parse(vector["signature1"])
        key = cardano_message.parse_cose_key(vector["script_or_pubkey"])
        account = decode(spec_of(vector), vector["address"])
        cardano_message.verify_structure(signed, key)
        return signed.address == account and controlling_hash(account) == key_hash(key)
    if vector["scheme"] == "sep53":
        body = bytes.fromhex(vector["message"].removeprefix("hex:"))
        key = decode(CHAINS["XLM"], vector["address"])
        raw = ed25519.parse_signature(vector["signature1"])
        return ed25519.verify(key, raw, stellar_message.digest(body)) == key
    if vector["scheme"] == NO_ADDRESS:
        raw = parse_hex_signature(vector["signature1"], ELECTRUM, low_s=True)
        key = compressed(recover(digests.okx_ecdsa(vector["message"]), raw))
        return key.hex() == vector["script_or_pubkey"]
    if vector["scheme"] == KEYS_ONLY:
        row = row_of({**vector, "script_or_pubkey": ""}, "okx-utxo")
        keys = [compressed(key) for key, *_ in _recovered(row, row.signatures[0], "okx-utxo")]
        return bytes.fromhex(vector["script_or_pubkey"]) in keys
    body = bytes.fromhex(vector["message"].removeprefix("hex:"))
    raw = parse_hex_signature(vector["signature1"], ELECTRUM, low_s=True)
    account = keccak_account(recover(digests.tron_message(body), raw))
    return account == decode(CHAINS["TRON"], vector["address"])


@needs_data
def test_every_vector_is_counted():
    seen = {"bound": Counter(), "signer-only": Counter(), "refused": Counter()}
    seen["unsupported"], seen["special"] = Counter(), Counter()
    for vector in VECTORS:
        scheme = vector["scheme"].partition(": ")[0]
        if special(vector):
            seen["special"][scheme] += 1
        else:
            seen[verdict(vector, scheme_of(vector))][scheme] += 1
    assert seen["bound"] == BOUND
    assert seen["signer-only"] == SIGNER_ONLY
    assert seen["refused"] == REFUSED
    assert seen["unsupported"] == UNSUPPORTED
    assert seen["special"] == {
        KEYS_ONLY: 6,
        NO_ADDRESS: 1,
        "tip191-v2": 1,
        "sep53": 1,
        "cip8/cip30-datasignature": 1,
    }
    assert sum(counter.total() for counter in seen.values()) == len(VECTORS) == 356


SCHEMES = {
    "EVM": "okx-evm",
    "TRON": "okx-tron",
    "OKC": "okx-ecdsa",
    "FIL": "okx-ecdsa",
    "ELF": "okx-ecdsa",
    "XRP": "okx-ecdsa",
    "RIPPLE": "okx-ecdsa",
    "ATOM": "okx-ecdsa",
    "SOL": "okx-ed25519",
    "DOT": "okx-ed25519",
    "TON": "okx-ed25519",
    "NEAR": "okx-ed25519",
    "STARKNET": "okx-starknet",
    "SOMECHAIN": "no-such-scheme",
}
"""By chain; every other one of these rows is of a Bitcoin-like chain."""


@pytest.mark.parametrize("vector", each(REFUSALS, "chain"))
def test_row_that_must_be_refused_is_never_bound(vector):
    result = verdict(vector, SCHEMES.get(vector["chain"], "okx-utxo"))
    if vector["needs_context"]:
        # A good signature whose text, owner, amount or repetition is for others to judge.
        assert result in ("bound", "signer-only", "unsupported")
        assert result != "bound" or not vector["eoa1"]
    else:
        # The key of the row signed, and may be a regular key (XRP) or an access key of a named
        # account (NEAR): only the ledger can tell.
        allowed = ("signer-only",) if vector["chain"] in ("XRP", "NEAR") else ()
        assert result in ("refused", "bad-address", "unsupported", *allowed)


@needs_data
def test_rows_that_must_be_refused_are_counted():
    seen = Counter(
        (vector["needs_context"], verdict(vector, SCHEMES.get(vector["chain"], "okx-utxo")))
        for vector in REFUSALS
    )
    assert seen == {
        (False, "bad-address"): 7,
        (False, "refused"): 12,
        (False, "signer-only"): 2,
        (True, "bound"): 7,
        (True, "signer-only"): 4,
        (True, "unsupported"): 1,
    }


@needs_data
def test_bound_rows_name_a_stable_scheme():
    for vector in VECTORS:
        if (
            vector["expected"]
            and not special(vector)
            and verdict(vector, scheme_of(vector)) == "bound"
        ):
            outcome = judge(row_of(vector, scheme_of(vector)))
            assert outcome.status is Ownership.BOUND
            assert ":" not in outcome.scheme
            assert outcome.keys
