"""Whose key a wallet obeys: the one in the contract's data, where the code is a known wallet's.

What a contract says of itself (``get_public_key``) is not asked, since any code may say anything.
The code's hash tells which contract it is, and with it where the key stands.

Not seen: plugins (V4) and extensions (V5) that may spend besides the key, multisig wallets and
other contracts: these show nobody. An account that was not deployed shows nothing, though the key
of a wallet whose address does not derive from it may still deploy it.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping

from chains.adapters.tvm import cells, wire
from chains.control import Authority, ControlFacts
from chains.model import Gap

KEY = "wallet-key"
KEY_BITS = 256
BEHIND_SEQNO, BEHIND_WALLET, BEHIND_FLAG, AT_START = 32, 64, 65, 0
"""Bits before the key: sequence number; with it the wallet's number; with a flag before both."""
_PLACES: Mapping[str, int] = {
    "oM/CxIruFqJx8s/AtzgtgXVs7LEBfQd/qqs7tgL2how=": BEHIND_SEQNO,  # V1R1
    "1JAvzJ+tdGmPqONTIgpo2g3PcuMryy657gQhfBfTBiw=": BEHIND_SEQNO,  # V1R2
    "WHzHie/xyE9G7DeX5F/ICaFP9a4k8eDHpqmcydyQYf8=": BEHIND_SEQNO,  # V1R3
    "XJpeaMEI4YchoHxC+ZVr+zmtd+xtYktgxXbsiO7mUyk=": BEHIND_SEQNO,  # V2R1
    "/pUw0yQ4Uwg+8u8LTCkIwKv2+hwx6iQ6rKpb+MfXU/E=": BEHIND_SEQNO,  # V2R2
    "thBBpYp5gLlG6PueGY48kE0keZ/6NldOpCUcQaVm9YE=": BEHIND_WALLET,  # V3R1
    "hNr6RJ+Ypph3ibojI1gHK8D3bcRSQAKl0JGLmnXS1Zk=": BEHIND_WALLET,  # V3R2
    "ZN1UgFUixb6KnbWc6gEFzPDQh4bKeb64y3nogKjXMi0=": BEHIND_WALLET,  # V4R1
    "/rX/aCDi/w2Ug+fg1iyBfYRniftK5YDIeIZtlZ2r1cA=": BEHIND_WALLET,  # V4R2
    "IINLe3KxEhR+Gy+0V7hOdNGjDwT3N9T2KmaOlVLSty8=": BEHIND_FLAG,  # V5R1
    "EayteVWEQJDyg78ji8FEmHH3g+fMCXlAjT9IWUg+hSU=": AT_START,  # Highload V3
}
"""By the hash of the code. Source: toncenter/ton-http-api-cpp src/converters/accounts.hpp,
https://docs.ton.org/v3/documentation/smart-contracts/contracts-specs/wallet-contracts; Highload V3:
okx/proof-of-reserves"""
PLACES = {b64decode(digest): place for digest, place in _PLACES.items()}


def read(account: wire.Account) -> ControlFacts | Gap:
    """Read whose key an account obeys."""
    if account.state == wire.UNINITIALISED:
        return ControlFacts(exists=False)
    if account.state == wire.FROZEN:
        return ControlFacts(exists=True, notes={"state": wire.FROZEN})
    try:
        code = cells.of_text(account.code)
        notes = {"code_hash": f"0x{code.digest.hex()}"}
        place = PLACES.get(code.digest)
        key = None if place is None else _key(cells.of_text(account.data), place)
    except cells.CellError as error:
        return Gap("malformed-answer", detail=str(error))
    if key is None:
        return ControlFacts(exists=True, notes=notes)
    way = Authority(kind=KEY, threshold=1, weights={f"0x{key:064x}": 1})
    return ControlFacts(exists=True, ways=(way,), notes=notes)


def _key(data: cells.Cell, place: int) -> int | None:
    """Return the key, ``None`` where the wallet takes no signatures; raises ``CellError``."""
    reader = cells.Reader(data)
    before = reader.take(place)
    may_sign = place != BEHIND_FLAG or before >> (BEHIND_FLAG - 1)
    key = reader.take(KEY_BITS)
    return key if may_sign else None
