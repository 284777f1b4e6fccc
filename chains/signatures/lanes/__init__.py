"""The quick lane: whole columns of rows settled at once, where nothing about them is in doubt.

It can say one thing only: that the judge (``chains.signatures.judge``) binds a row, with the same
scheme, keys and detail. It refuses nothing. Every row that it does not settle goes to the judge:
one that is wrong, one in a form that is rare, one of a chain without a lane.

The lane of a family of schemes (``chains.signatures.NAME``) is the module NAME of this package and
has one function::

    def settle(rows: SignedAddresses, scheme: str) -> Iterable[Settled]

It is found by being there. It must take digests, recovery ids and bounds from the family's module,
where the judge takes them. ``rows`` are of one chain and one text, name no owners, and carry at
least one signature each. Only a row's first candidate scheme is tried: where that one binds, the
judge looks no further either.

Importing a lane brings in numba and, the first time, compiles: import only for long lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from chains import signatures
from chains.signatures.lanes.model import Settled, SignedAddresses, as_binary, as_lists

__all__ = ["Lane", "Settled", "SignedAddresses", "as_binary", "as_lists", "bring_in", "lane"]

Lane = Callable[[SignedAddresses], Iterable[Settled]]


def lane(schemes: Sequence[str]) -> tuple[str, Lane] | None:
    """Return the first candidate's stable name and lane; ``None`` where it has none.

    Raises ``Unavailable`` or ``ImportError`` where the machine code cannot be had.
    """
    if not schemes:
        return None
    name = signatures.ALIASES.get(schemes[0], schemes[0])
    family = signatures.family_of(name)
    if family is None or not signatures.SCHEMES[name].origin:
        return None
    settle = _settle(family)
    return None if settle is None else (name, lambda rows: settle(rows, name))


def bring_in() -> None:
    """Import all lanes, which takes a good part of a second.

    Raises ``Unavailable`` or ``ImportError`` where the machine code cannot be had.
    """
    for found in iter_modules(__path__, f"{__name__}."):
        import_module(found.name)


@lru_cache(maxsize=256)
def _settle(family: str) -> Callable[[SignedAddresses, str], Iterable[Settled]] | None:
    qualified = f"{__name__}.{family}"
    if find_spec(qualified) is None:
        return None
    found: Callable[[SignedAddresses, str], Iterable[Settled]] = import_module(qualified).settle
    return found
