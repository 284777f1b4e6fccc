"""What is asked of rippled and Clio over HTTP, and how their answers are read.

Every answer about the state must name the pinned ledger by hash and be validated; an error is
HTTP 200 with ``status: error`` from rippled and HTTP 400 with the same body from Clio. Amounts
are drops (10^-6 XRP) as decimal text.

Spec: https://xrpl.org/docs/references/http-websocket-apis/api-conventions/error-formatting
Source: XRPLF/clio src/web/ng/impl/ErrorHandling.cpp (HTTP 400)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha512
from typing import Any, TypeGuard

import msgspec

from chains import rest
from chains.jsonrpc import failure, malformed
from chains.model import Exchange, Gap, Request

RIPPLE_EPOCH_S = 946_684_800
"""Spec: https://xrpl.org/docs/references/protocol/data-types/basic-data-types#specifying-time"""
MOST_DROPS = 10**17
"""All XRP that ever was. Source: https://xrpl.org/docs/concepts/accounts/reserves"""
FEE_SETTINGS = "4BC50C9B0D8515D3EAAE1E74B29A95804346C491EE1A95BF25E4AAB854A6A651"
"""Spec: https://xrpl.org/docs/references/protocol/ledger-data/ledger-entry-types/feesettings"""
ESCROW, CHANNEL = "escrow", "payment_channel"
PAGE = 400
"""Most objects of one answer that a public server allows."""

_OVERLOADED = frozenset({"slowDown", "tooBusy"})
_UNSYNCED = frozenset({"noCurrent", "noClosed", "noNetwork", "notReady", "notSynced"})
_NOT_OFFERED = frozenset({"unknownCmd", "noPermission", "forbidden", "notSupported"})
_DROPS = re.compile(r"[0-9]{1,18}\Z")
_HASH = re.compile(r"[0-9A-Fa-f]{64}\Z")
_RANGES = re.compile(r"\d{1,10}(-\d{1,10})?(,\d{1,10}(-\d{1,10})?){0,9999}\Z", re.ASCII)
U32 = 2**32

Answer = Mapping[str, Any]


class Info(msgspec.Struct, frozen=True):
    """What a server says about itself; ``network`` is ``None`` where it names none."""

    network: int | None
    complete: tuple[tuple[int, int], ...]

    def why_not(self, height: int) -> str:
        """Say why the ledger of this index cannot be asked, as a reason code, or ``""``."""
        if any(first <= height <= last for first, last in self.complete):
            return ""
        newest = max((last for _, last in self.complete), default=0)
        return "node-behind" if height > newest else "state-pruned"


class Ledger(msgspec.Struct, frozen=True):
    """A header; hashes in capital hex, ``time`` in Unix seconds."""

    hash: str
    parent: str
    state: str
    time: int


def call(method: str, **params: object) -> Request:
    """Build one call."""
    return Request(body=msgspec.json.encode({"method": method, "params": [params]}))


def info_request() -> Request:
    """Ask for the network and the ledgers at hand."""
    return call("server_info")


def ledger_request(index: int) -> Request:
    """Ask for a header."""
    return call("ledger", ledger_index=index, transactions=False, expand=False)


def account_request(address: str, ledger_hash: str) -> Request:
    """Ask for an account's entry."""
    return call("account_info", account=address, ledger_hash=ledger_hash)


def signers_request(address: str, ledger_hash: str) -> Request:
    """Ask for an account's entry with its list of signers."""
    return call("account_info", account=address, ledger_hash=ledger_hash, signer_lists=True)


def objects_request(address: str, ledger_hash: str, kind: str, marker: str = "") -> Request:
    """Ask for a page of an account's escrows or payment channels."""
    more = {"marker": marker} if marker else {}
    return call(
        "account_objects", account=address, ledger_hash=ledger_hash, type=kind, limit=PAGE, **more
    )


def fees_request(ledger_hash: str) -> Request:
    """Ask for the reserves that hold at a ledger."""
    return call("ledger_entry", index=FEE_SETTINGS, ledger_hash=ledger_hash)


def read_info(exchange: Exchange) -> Info | Gap:
    """Read the network id and the ranges of complete ledgers."""
    answer = success(exchange)
    if isinstance(answer, Gap):
        return answer
    info = answer.get("info")
    if not isinstance(info, dict):
        return malformed(exchange)
    network, ranges = info.get("network_id"), info.get("complete_ledgers")
    if network is not None and not is_whole(network, U32):
        return malformed(exchange)
    if ranges == "empty":
        return Info(network, ())
    if not isinstance(ranges, str) or _RANGES.match(ranges) is None:
        return malformed(exchange)
    pairs = (part.partition("-") for part in ranges.split(","))
    return Info(network, tuple((int(a), int(b or a)) for a, _, b in pairs))


def read_ledger(exchange: Exchange, index: int) -> Ledger | Gap:  # noqa: PLR0911 - one per fault
    """Read a validated header of this index whose fields hash to the hash it is given under."""
    answer = success(exchange)
    if isinstance(answer, Gap):
        return answer
    header = answer.get("ledger")
    if not isinstance(header, dict):
        return malformed(exchange)
    named, of_answer = header.get("ledger_hash"), answer.get("ledger_hash")
    if header.get("ledger_index") not in (index, str(index)):
        return Gap("wrong-block", detail="a ledger of another index")
    if answer.get("validated") is not True:
        return Gap("node-behind", retryable=True, detail="the ledger is not validated")
    if not is_hash(named) or of_answer not in (None, named):
        return malformed(exchange)
    if header_hash(header, index) != named.upper():
        return Gap("malformed-answer", detail="the header does not hash to its ledger_hash")
    return Ledger(
        hash=named.upper(),
        parent=header["parent_hash"].upper(),
        state=header["account_hash"].upper(),
        time=header["close_time"] + RIPPLE_EPOCH_S,
    )


def header_hash(header: Answer, index: int) -> str:
    """Return the hash of a header in capital hex, ``""`` where a field is missing or wrong.

    Source: XRPLF/rippled src/libxrpl/protocol (calculateLedgerHash); confirmed with the
    documented ledger 100972465.
    """
    drops = amount(header.get("total_coins"))
    hashes = [header.get(key) for key in ("parent_hash", "transaction_hash", "account_hash")]
    times = [header.get(key) for key in ("parent_close_time", "close_time")]
    small = [header.get(key) for key in ("close_time_resolution", "close_flags")]
    if (
        drops is None
        or not all(is_hash(one) for one in hashes)
        or not all(is_whole(one, U32 - RIPPLE_EPOCH_S) for one in times)
        or not all(is_whole(one, 256) for one in small)
    ):
        return ""
    packed = b"LWR\0" + index.to_bytes(4, "big") + drops.to_bytes(8, "big")
    packed += b"".join(bytes.fromhex(str(one)) for one in hashes)
    packed += b"".join(int(str(one)).to_bytes(4, "big") for one in times)
    packed += bytes(int(str(one)) for one in small)
    return sha512(packed).hexdigest()[:64].upper()


def amount(value: object) -> int | None:
    """Read drops from decimal text, ``None`` if it is none or more than there can be."""
    if not isinstance(value, str) or _DROPS.match(value) is None:
        return None
    return int(value) if int(value) <= MOST_DROPS else None


def is_whole(value: object, below: int) -> TypeGuard[int]:
    """Tell whether a JSON value is an integer from 0 to below the limit."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < below


def is_hash(value: object) -> TypeGuard[str]:
    """Tell whether a JSON value is 32 bytes of hex."""
    return isinstance(value, str) and _HASH.match(value) is not None


def outcome(exchange: Exchange) -> tuple[Answer, str] | Gap:
    """Return the result and its error code, ``""`` if it succeeded."""
    if exchange.failure not in ("", "refused"):
        return Gap(exchange.failure, retryable=exchange.retryable, detail=str(exchange.status))
    answer = rest.body(exchange)
    if isinstance(answer, Gap):
        return answer
    result = answer.get("result") if isinstance(answer, dict) else None
    if not isinstance(result, dict):
        return _failed(exchange)
    error = result.get("error")
    if isinstance(error, str) and error:
        return result, error
    status = result.get("status", answer.get("status"))
    if exchange.failure or status != "success" or error is not None:
        return _failed(exchange)
    return result, ""


def _failed(exchange: Exchange) -> Gap:
    return failure(exchange) or malformed(exchange)


def success(exchange: Exchange) -> Answer | Gap:
    """Return the result of a call that succeeded."""
    read = outcome(exchange)
    if isinstance(read, Gap):
        return read
    return refusal(read[1]) if read[1] else read[0]


def refusal(error: str) -> Gap:
    """Give an error code of the server its reason."""
    detail = error[:100]
    if error in _OVERLOADED:
        return Gap("rate-limited", retryable=True, detail=detail)
    if error in _UNSYNCED:
        return Gap("node-behind", retryable=True, detail=detail)
    if error == "failedToForward":
        return Gap("unreachable", retryable=True, detail=detail)
    if error == "lgrNotFound":
        return Gap("state-pruned", detail=detail)
    return Gap("method-missing" if error in _NOT_OFFERED else "rpc-error", detail=detail)


def elsewhere(answer: Answer, ledger_hash: str) -> Gap | None:
    """Say whether an answer is of another ledger than the pinned one, or of none that is final."""
    named = answer.get("ledger_hash")
    if not is_hash(named) or named.upper() != ledger_hash:
        return Gap("wrong-block", detail="the answer does not name the pinned ledger")
    if answer.get("validated") is not True:
        return Gap("wrong-block", detail="the answer is of a ledger that is not validated")
    return None
