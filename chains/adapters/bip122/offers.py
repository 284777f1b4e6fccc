"""What the servers of one chain of the family offer, by how the chain is declared.

Not every node writes dumps or scans its coins, and an Electrum server shows its blocks only where a
block's hash can be computed. What is declared is what the network's usual software can do; a dump
that somebody made in another way is read all the same.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chains.adapter import Capabilities, Effort
from chains.adapters.bip122 import deltas, electrum, rolling
from chains.adapters.bip122.params import Params
from chains.model import Method

_ELECTRUM = Effort(
    over_lines=True, each="0", a_batch=3, calls_each="2", calls_a_batch=1, batch=rolling.GROUP
)
"""The tip, the balances, the histories."""
_ROLLED = msgspec.structs.replace(
    _ELECTRUM, late=True, each=f"2/{electrum.TRANSACTIONS}", calls_each="4"
)
"""And of each script a transaction since, and the one that it spends."""
_INDEX = Effort(each="0", a_batch=1, calls_each="0", calls_a_batch=3, batch=deltas.GROUP)
"""The changes of a group of addresses between two looks at the block."""


def offered(usual: Capabilities, params: Params) -> Capabilities:
    """Return the family's capabilities, cut to those of one chain. Pure."""
    how: dict[Method, str] = {}
    if params.dumps and params.set_hashes:
        heights = ", ".join(str(height) for height in sorted(params.set_hashes))
        how[Method.PROOF] = f"a dump whose set has the hash that others found, of {heights}"
    if params.dumps:
        how[Method.BULK] = "a file that dumptxoutset wrote at the height"
    if params.address_index:
        how[Method.STATE] = "by a node's address index, every change up to the height"
    elif params.scans:
        how[Method.STATE] = "by scantxoutset of a node while its tip is the block"
    if params.header_checked:
        how[Method.UNTOUCHED] = "by an Electrum server, of scripts that nothing moved since"
        how[Method.ROLLED_BACK] = "by an Electrum server, the transactions since taken back"
    return usual.only(*how, how=how, history=_history(params), **_asked(params))


def _history(params: Params) -> str:
    """Name what reaches back: an address index and Electrum servers do to any height."""
    if params.address_index or (params.header_checked and not params.dumps):
        return "exact"
    return "bulk" if params.dumps else "tip"


def _asked(params: Params) -> dict[str, Any]:
    """Say how requests are counted: of a node that dumps or scans, and of an Electrum server."""
    if params.address_index:
        return {"batch": deltas.GROUP, "efforts": (_INDEX,)}
    efforts = {"efforts": (_ELECTRUM, _ROLLED)} if params.header_checked else {}
    if params.dumps or params.scans:
        return efforts
    return {**efforts, "batch": _ELECTRUM.batch, "requests_a_batch": _ELECTRUM.a_batch}
