"""What is sent to an Aptos fullnode's REST API, and how its answers are read.

Numbers of 64 bits and more travel as decimal text. Errors are objects with ``error_code``. The
version that an answer is for stands in headers, which do not reach us: it is in every question,
and the clock of the state (``now``) is asked beside every group.

Spec: https://aptos.dev/rest-api, https://github.com/aptos-labs/aptos-core/blob/main/api/doc/spec.yaml
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains import rest
from chains.addresses import AddressError
from chains.addresses.aptos import decode as decode_address
from chains.jsonrpc import failure
from chains.model import Exchange, Gap, Request

APT = "0x1::aptos_coin::AptosCoin"
METADATA = "0x1::fungible_asset::Metadata"
MULTISIG = "0x1::multisig_account::MultisigAccount"
RECENT = 20
"""How many transactions up to the version are looked through for accounts that paid gas."""
NOT_FOUND, GONE = 404, 410
MICROSECONDS = 10**6
_U64, _U128 = 2**64 - 1, 2**128 - 1
_LONGEST = 39
_HASH_DIGITS = 64
_AHEAD = frozenset({"version_not_found", "transaction_not_found", "block_not_found"})
_ABSENT = frozenset({"account_not_found", "resource_not_found"})
_MALFORMED = Gap("malformed-answer")


def text(account: bytes) -> str:
    """Return an address with all its digits."""
    return "0x" + account.hex()


def index() -> Request:
    """Ask for the chain, its newest version and its oldest."""
    return rest.get("")


def block(number: int, *, by: str) -> Request:
    """Ask for a block ``by`` version or height."""
    return rest.get(f"/blocks/by_{by}/{number}")


def transaction(version: int) -> Request:
    """Ask for the transaction that made a version."""
    return rest.get(f"/transactions/by_version/{version}")


def recent(version: int) -> Request:
    """Ask for the transactions up to a version."""
    start = max(0, version - RECENT + 1)
    return rest.get(f"/transactions?start={start}&limit={version - start + 1}")


def account(address: bytes, version: int) -> Request:
    """Ask for the authentication key of an account."""
    return rest.get(f"/accounts/{text(address)}?ledger_version={version}")


def multisig(address: bytes, version: int) -> Request:
    """Ask for the owners of a multisig account."""
    return rest.get(f"/accounts/{text(address)}/resource/{MULTISIG}?ledger_version={version}")


def view(function: str, types: Sequence[str], arguments: Sequence[str], version: int) -> Request:
    """Build a call of a view function in the state of a version."""
    return rest.post(
        f"/view?ledger_version={version}",
        {"function": function, "type_arguments": types, "arguments": arguments},
    )


def now(version: int) -> Request:
    """Ask the state of a version for its own time."""
    return view("0x1::timestamp::now_microseconds", [], [], version)


def coin_balance(address: bytes, version: int) -> Request:
    """Ask for APT as coin and as the fungible asset that is paired with it, together.

    Spec: https://aptos.dev/move-reference/mainnet/aptos-framework/coin
    """
    return view("0x1::coin::balance", [APT], [text(address)], version)


def token_balance(address: bytes, metadata: bytes, version: int) -> Request:
    """Ask for the fungible asset in the account's primary store.

    Spec: https://aptos.dev/move-reference/mainnet/aptos-framework/primary_fungible_store
    """
    arguments = [text(address), text(metadata)]
    return view("0x1::primary_fungible_store::balance", [METADATA], arguments, version)


def token_view(name: str, metadata: bytes, version: int) -> Request:
    """Call a view function of the fungible asset standard that takes the metadata object."""
    return view(f"0x1::fungible_asset::{name}", [METADATA], [text(metadata)], version)


def paired_coin(metadata: bytes, version: int) -> Request:
    """Ask which coin, if any, is the other half of a fungible asset."""
    return view("0x1::coin::paired_coin", [], [text(metadata)], version)


def stake(pool: bytes, address: bytes, version: int) -> Request:
    """Ask what an account has in a delegation pool.

    Spec: https://aptos.dev/move-reference/mainnet/aptos-framework/delegation_pool
    """
    arguments = [text(pool), text(address)]
    return view("0x1::delegation_pool::get_stake", [], arguments, version)


def error_code(exchange: Exchange) -> str:
    """Return the ``error_code`` of an error object, empty where there is none."""
    said = rest.body(exchange)
    code = said.get("error_code") if isinstance(said, dict) else None
    return code if isinstance(code, str) else ""


def is_absent(exchange: Exchange) -> bool:
    """Tell whether the node said that there is no such account or resource at the version."""
    return exchange.status == NOT_FOUND and error_code(exchange) in _ABSENT


def read(exchange: Exchange | None) -> Any | Gap:
    """Return what was answered, or why there is no answer."""
    if exchange is None:
        return Gap("not-answered")
    gap = failure(exchange)
    if gap is None:
        return rest.body(exchange)
    return _refused(exchange) if gap.reason == "refused" and exchange.body else gap


def _refused(exchange: Exchange) -> Gap:
    """Say why the node refused, by its status and ``error_code``."""
    code = error_code(exchange)
    detail = f"{exchange.status} {code}"[:100]
    if exchange.status == GONE:
        return Gap("state-pruned", detail=detail)
    if code in _AHEAD:
        return Gap("node-behind", retryable=True, detail=detail)
    if code in ("invalid_input", "vm_error"):
        return Gap("call-failed", detail=detail)
    return Gap("rpc-error" if code else "refused", detail=detail)


def values(exchange: Exchange | None, count: int) -> list[Any] | Gap:
    """Return the ``count`` values of a view function."""
    said = read(exchange)
    if isinstance(said, Gap):
        return said
    return said if isinstance(said, list) and len(said) == count else _MALFORMED


def number(value: object, largest: int = _U64) -> int | Gap:
    """Read an integer written as decimal text."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        return _MALFORMED
    if not (value.isascii() and value.isdigit()) or int(value) > largest:
        return _MALFORMED
    return int(value)


def one_number(exchange: Exchange | None) -> int | Gap:
    """Read the one integer of a view function."""
    said = values(exchange, 1)
    return said if isinstance(said, Gap) else number(said[0])


def numbers(exchange: Exchange | None, count: int) -> list[int] | Gap:
    """Read ``count`` integers of a view function."""
    said = values(exchange, count)
    if isinstance(said, Gap):
        return said
    found = [number(value) for value in said]
    plain = [one for one in found if not isinstance(one, Gap)]
    return plain if len(plain) == count else _MALFORMED


def option(exchange: Exchange | None) -> list[Any] | Gap:
    """Read an ``Option``: a list of none or one.

    Spec: https://aptos.dev/move-reference/mainnet/move-stdlib/option
    """
    said = values(exchange, 1)
    if isinstance(said, Gap):
        return said
    inner = said[0].get("vec") if isinstance(said[0], dict) else None
    return inner if isinstance(inner, list) and len(inner) <= 1 else _MALFORMED


def supply(exchange: Exchange | None) -> int | Gap:
    """Read the supply of a fungible asset, 0 where it keeps none."""
    found = option(exchange)
    if isinstance(found, Gap):
        return found
    return number(found[0], _U128) if found else 0


def member(said: object, name: str) -> int | Gap:
    """Read an integer member of an object."""
    return number(said.get(name)) if isinstance(said, dict) else _MALFORMED


def digest(said: object, name: str) -> str:
    """Read 32 bytes in hex behind ``0x``, lower case; empty where they are not."""
    value = said.get(name) if isinstance(said, dict) else None
    if not isinstance(value, str) or value[:2] != "0x" or len(value) != 2 + _HASH_DIGITS:
        return ""
    try:
        return "0x" + bytes.fromhex(value[2:]).hex()
    except ValueError:
        return ""


def address(value: object) -> bytes | None:
    """Read an address, whose leading zeros may be missing."""
    try:
        return decode_address(value, {}) if isinstance(value, str) else None
    except AddressError:
        return None


def payers(exchange: Exchange | None, version: int) -> list[bytes]:
    """Return the senders of the user transactions up to ``version``, newest first."""
    said = read(exchange)
    if not isinstance(said, list):
        return []
    found: list[bytes] = []
    for one in reversed(said):
        if not isinstance(one, Mapping) or one.get("type") != "user_transaction":
            continue
        made = number(one.get("version"))
        sender = address(one.get("sender"))
        if sender is not None and not isinstance(made, Gap) and made <= version:
            found.append(sender)
    return list(dict.fromkeys(found))
