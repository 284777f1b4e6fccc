"""Rows for the quick lane's tests: genuine ones, changed ones, and both ways to judge them."""

from __future__ import annotations

import random
from base64 import b64encode
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from chains.addresses.base58 import bytes_to_base58, bytes_to_base58check
from chains.addresses.bitcoin import encode
from chains.signatures import digests
from chains.signatures.ed25519 import SMALL_ORDER
from crawler.demo import keys
from crawler.examining.judging import TASKS, Judge, Meanings, Reading
from crawler.examining.quick import QuickLane
from crawler.settings import load_world

TEXT = "I am an OKX address"
Row = dict[str, Any]
EMPTY: Row = {
    "kind": "claim",
    "problem": "",
    "exchange": "",
    "type": "",
    "message": TEXT,
    "signatures": [],
    "script": "",
    "public_key": "",
    "owners": [],
    "scheme": "",
}


def reading(exchange: str = "okx", messages: tuple[str, ...] | None = None) -> Reading:
    return Reading(world=load_world(), exchange=exchange, messages=messages)


def unsettled(note: str) -> None:
    raise AssertionError(note)


def judged_both_ways(rows: list[Row], given: Reading) -> tuple[list[Row], np.ndarray]:
    """Return the judge's verdicts and what the lane settled, which must be the same."""
    meanings = Meanings(given)
    tasks = pa.RecordBatch.from_pylist(rows, TASKS)
    expected = Judge(meanings).judge(tasks)
    found, places = QuickLane(meanings, unsettled).settle(tasks)
    assert len(set(places.tolist())) == len(places)
    same = expected.take(pa.array(places))
    if not found.equals(same):
        for place, one, other in zip(places, found.to_pylist(), same.to_pylist(), strict=True):
            assert one == other, rows[place]
    return expected.to_pylist(), places


def _recoverable(key: Any, digest: bytes) -> str:
    raw = key.sign_recoverable(digest, hasher=None)
    return "0x" + raw[:64].hex() + f"{raw[64] + 27:02x}"


def evm(number: int, text: str = TEXT, **more: Any) -> Row:
    key = keys.secp256k1_key("lane", number)
    texts = {"message": text, "signatures": [_recoverable(key, digests.okx_evm(text))]}
    address = "0x" + keys.evm_address(key).hex()
    return EMPTY | {"network": "ETH", "asset": "ETH", "address": address} | texts | more


def tron(number: int, digest: Any = digests.tron_hashed, **more: Any) -> Row:
    key = keys.secp256k1_key("lane", number)
    texts = {"signatures": [_recoverable(key, digest(TEXT))]}
    address = keys.tron_text(keys.evm_address(key))
    return EMPTY | {"network": "TRON", "asset": "TRX", "address": address} | texts | more


def multisig(number: int, form: str = "p2wsh", m: int = 2, n: int = 3, **more: Any) -> Row:
    signers = [keys.secp256k1_key("lane", number, part) for part in range(n)]
    script = keys.multisig_script(m, [keys.compressed(one) for one in signers])
    program = b"\x00\x20" + sha256(script).digest()
    params = {"p2pkh": [0], "p2sh": [5], "hrp": "bc"}
    hashed = {"p2sh": script, "p2sh-p2wsh": program}.get(form)
    address = encode(program, params)
    if hashed is not None:
        address = bytes_to_base58check(b"\x05" + keys.hash160(hashed))
    signatures = []
    for one in signers[n - m :]:
        raw = one.sign_recoverable(digests.bitcoin_message("Bitcoin", TEXT), hasher=None)
        signatures.append(b64encode(bytes([31 + raw[64]]) + raw[:64]).decode())
    fields = {"address": address, "signatures": signatures, "script": script.hex()}
    return EMPTY | {"network": "BTC", "asset": "BTC"} | fields | more


def solana(number: int, **more: Any) -> Row:
    key = keys.ed25519_key("lane", number)
    public = bytes(key.verify_key)
    signature = key.sign(digests.frame(digests.OKX_HEADER, TEXT)).signature
    fields = {"signatures": ["0x" + signature.hex()], "public_key": public.hex()}
    return (
        EMPTY
        | {"network": "SOL", "asset": "SOL", "address": bytes_to_base58(public)}
        | fields
        | more
    )


def genuine(number: int) -> Row:
    """Return a genuine row of one of the forms that the lane settles."""
    forms = [
        evm,
        tron,
        lambda n: tron(n, digests.tip191),
        lambda n: multisig(n, ["p2wsh", "p2sh", "p2sh-p2wsh"][n % 3], 1 + n % 3),
        solana,
        lambda n: solana(n, public_key=""),
    ]
    return forms[number % len(forms)](number // len(forms))


# --- Changes


def _text(text: str, dice: random.Random) -> str:
    """Change a text in one way."""
    place = dice.randrange(len(text) + 1)
    other = dice.choice("0123456789abcdefABCDEFxXzZlIO+/= \t\n\u00e9\uff11\0")
    ways = [
        lambda: text[:place] + other + text[place + 1 :],
        lambda: text[:place] + _flipped(text[place : place + 1], dice) + text[place + 1 :],
        lambda: text[:place] + text[place : place + 1].swapcase() + text[place + 1 :],
        text.upper, text.lower, text.swapcase,
        lambda: text[:place] + other + text[place:],
        lambda: text[:place] + text[place + 1 :],
        lambda: text[:-1], lambda: text[2:], lambda: "",
        lambda: "0x" + text, lambda: "0X" + text.removeprefix("0x"),
        lambda: text.removeprefix("0x"),
        lambda: text + dice.choice("0f1z"), lambda: text + "00",
        lambda: " " + text, lambda: text + " ", lambda: text + "\n", lambda: text + text,
    ]  # fmt: skip
    return str(dice.choice(ways)())


def _flipped(letter: str, dice: random.Random) -> str:
    return chr(ord(letter or "?") ^ 1 << dice.randrange(7))


def _v(text: str, dice: random.Random) -> str:
    return text[:-2] + f"{dice.choice([0, 1, 2, 3, 26, 27, 28, 29, 31, 32, 255]):02x}"


def _high_s(text: str, _dice: random.Random) -> str:
    """Return the other signature of the same key and text."""
    try:
        raw = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return text
    if len(raw) != 65:
        return text
    s = (keys.ORDER - int.from_bytes(raw[32:64], "big")) % 2**256
    return "0x" + raw[:32].hex() + s.to_bytes(32, "big").hex() + f"{raw[64] ^ 7:02x}"


def _header(text: str, dice: random.Random) -> str:
    import base64  # noqa: PLC0415

    try:
        raw = base64.b64decode(text)
    except ValueError:
        return text
    changed_head = b64encode(bytes([dice.randrange(26, 45)]) + raw[1:]).decode()
    inexact = text[:-2] + chr(ord(text[-2:-1] or "A") ^ 1) + text[-1:]
    return dice.choice([changed_head, inexact])


def _extreme(_text: str, dice: random.Random) -> str:
    """Return a signature of numbers at the edge."""
    edge = [
        0,
        1,
        keys.ORDER - 1,
        keys.ORDER,
        keys.ORDER + 1,
        keys.ORDER // 2,
        keys.ORDER // 2 + 1,
        2**256 - 1,
    ]
    r, s = dice.choice(edge), dice.choice(edge)
    return (
        "0x"
        + r.to_bytes(32, "big").hex()
        + s.to_bytes(32, "big").hex()
        + dice.choice(["1b", "1c", ""])
    )


def _small_order(_text: str, dice: random.Random) -> str:
    point = bytearray(dice.choice(sorted(SMALL_ORDER)))
    point[31] |= dice.choice([0, 0x80])
    return "0x" + bytes(point).hex() + bytes(32).hex()


def changed(row: Row, dice: random.Random) -> Row:
    """Change one thing of a row."""
    other = genuine(dice.randrange(60))
    row = dict(row)
    signatures = list(row["signatures"])
    field = dice.choice(
        ["signature"] * 4 + ["signatures"] * 2 + ["address"] * 2
        + ["script", "public_key", "message", "owners", "network", "scheme", "swap", "case"]
    )  # fmt: skip
    if field == "signature" and signatures:
        way = dice.choice([_text, _text, _v, _high_s, _header, _extreme, _small_order])
        place = dice.randrange(len(signatures))
        signatures[place] = way(signatures[place], dice)
    elif field == "signatures":
        signatures = dice.choice(
            [
                signatures * 2,
                [*signatures, ""],
                ["", *signatures],
                [],
                signatures[::-1],
                signatures[1:],
                signatures[:1],
                other["signatures"],
                [*signatures, *other["signatures"]],
                [*signatures[:1], *signatures[:1]],
            ]
        )
    elif field in ("address", "public_key"):
        row[field] = dice.choice([_text(row[field], dice), other[field], _text(row[field], dice)])
    elif field == "script":
        script = row["script"]
        row["script"] = dice.choice(
            [
                _text(script, dice),
                "51" + script[2:],
                "53" + script[2:],
                script[:-4] + "53ae",
                script + "00",
                other["script"],
            ]
        )
    elif field == "message":
        row["message"] = dice.choice([_text(TEXT, dice), "", "I am an OKcoin address"])
    elif field == "owners":
        row["owners"] = dice.choice([[row["address"]], [""], ["", ""], [other["address"]], ["x"]])
    elif field == "network":
        row["network"] = dice.choice(
            ["ETH", "TRON", "BTC", "LTC", "BCH", "DOGE", "SOL", "OKT", "XX"]
        )
    elif field == "scheme":
        row["scheme"] = dice.choice(
            [
                "okx-evm",
                "eip191",
                "htx-evm",
                "okx-tron",
                "tip191",
                "okx-utxo",
                "bip137",
                "ed25519-raw",
                "what",
            ]
        )
    elif field == "swap":
        name = dice.choice(["address", "message", "script", "public_key"])
        row[name], row["script"] = row["script"], row[name]
    elif field == "case":
        row["address"] = dice.choice(
            [row["address"].upper(), row["address"].lower(), "0x" + row["address"][2:].upper()]
        )
    row["signatures"] = signatures
    return row
