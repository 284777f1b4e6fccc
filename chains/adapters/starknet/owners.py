"""Who controls a Starknet account: what account contracts say of their key.

Accounts are contracts, each with entry points of its own. Known are those of OpenZeppelin
(``get_public_key``), Argent (``get_owner`` with ``get_guardian``, before Cairo 1 ``getSigner`` with
``getGuardian``: unconfirmed) and Braavos (``get_public_key`` with ``get_signers``). One key
controls the account alone if

- there is exactly one key, whatever entry points name it;
- it is named as an owner only beside an answer that there is no guardian, because other
  contracts have owners too, and with a guardian the owner's key alone is not enough;
- the owner is a key of the STARK curve, where the account says (``get_owner_type`` 0);
- ``get_signers`` names the same key and no stronger ones (secp256r1, WebAuthn).

Everything else (several owners, a guardian, a contract that reverts) is a note and no way.

Source: OpenZeppelin/cairo-contracts packages/account/src/account.cairo;
argentlabs/argent-contracts-starknet src/multiowner_account/{owner,guardian}_manager.cairo;
myBraavos/braavos-account-cairo src/signers/interface.cairo
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.adapters.starknet import wire
from chains.adapters.starknet.wire import Fault
from chains.control import Authority, ControlFacts
from chains.model import Gap
from chains.signatures.starknet import selector

WAY = "account-key"
KEYS = ("get_public_key", "getPublicKey")
OWNERS = ("get_owner", "getSigner")
GUARDIANS = ("get_guardian", "getGuardian")
OWNER_TYPE, SIGNERS = "get_owner_type", "get_signers"
ENTRY_POINTS = (*KEYS, *OWNERS, *GUARDIANS, OWNER_TYPE, SIGNERS)
QUESTIONS = 1 + len(ENTRY_POINTS)
"""Calls per account."""
STARK = (0,)
"""``SignerType::Starknet``. Source: argent-contracts-starknet src/signer/signer_signature.cairo"""

Words = tuple[int, ...]


def questions(account: int, block: str) -> list[tuple[str, Any]]:
    """Return the calls about one account."""
    asked = (wire.call(account, hex(selector(name)), (), block) for name in ENTRY_POINTS)
    return [wire.class_hash(account, block), *asked]


def read(said: Sequence[Any | Fault | Gap]) -> ControlFacts | Gap:
    """Read the answers to ``questions``; ``exists=False`` where there is no contract."""
    contract, *rest = said
    if isinstance(contract, Gap):
        return contract
    if isinstance(contract, Fault):
        absent = contract.code == wire.NO_CONTRACT
        return ControlFacts(exists=False) if absent else contract.gap
    if not wire.felt(contract):
        return Gap("malformed-answer", retryable=True, detail="the class hash")
    answered: dict[str, Words] = {}
    refused: list[str] = []
    for name, one in zip(ENTRY_POINTS, rest, strict=True):
        if isinstance(one, Fault) and one.is_missing:
            continue
        if isinstance(one, Fault) and one.code == wire.CONTRACT_ERROR:
            refused.append(name)
            continue
        words = None if isinstance(one, Fault | Gap) else wire.felts(one)
        if words is None:
            return one.gap if isinstance(one, Fault) else _gap(one)
        answered[name] = words
    if refused:
        return ControlFacts(exists=True, notes={"reverted": ", ".join(refused)})
    return _facts(answered)


def _facts(answered: Mapping[str, Words]) -> ControlFacts:
    """Conclude from what the contract answered."""
    guardians = {answered[name] for name in GUARDIANS if name in answered}
    if guardians - {(0,)}:
        return ControlFacts(exists=True, notes={"guardian": "set, or not understood"})
    named = KEYS + OWNERS if guardians else KEYS
    keys = {answered[name] for name in named if name in answered}
    if len(keys) != 1:
        return ControlFacts(exists=True, notes={"keys": f"{len(keys)} answers"})
    (words,) = keys
    if len(words) != 1 or not words[0]:
        return ControlFacts(exists=True, notes={"keys": "not one key of the STARK curve"})
    if answered.get(OWNER_TYPE, STARK) != STARK:
        return ControlFacts(exists=True, notes={"owner": "not a key of the STARK curve"})
    if answered.get(SIGNERS, (1, *words, 0, 0)) != (1, *words, 0, 0):
        return ControlFacts(exists=True, notes={"signers": "others beside the key"})
    way = Authority(kind=WAY, threshold=1, weights={f"0x{words[0]:064x}": 1})
    return ControlFacts(exists=True, ways=(way,))


def _gap(said: Any) -> Gap:
    if isinstance(said, Gap):
        return said
    return Gap("malformed-answer", retryable=True, detail="the result of a call")
