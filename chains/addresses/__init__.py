"""Between the text form of an address and its canonical bytes, one module per format.

The format of a chain is named by ``ChainSpec.address`` and is the name of a module of
this package; ``ChainSpec.address_params`` gives it what it needs (version bytes,
human-readable parts). A format module has two functions::

    def decode(text: str, params: Mapping[str, Any]) -> bytes
    def encode(account: bytes, params: Mapping[str, Any]) -> str

Two texts of one account decode to the same bytes; that is how duplicates are found.
A module may also have ``decode_column``, for whole columns (see the function of that name).
Nothing is trimmed, and no letter case is folded unless the format itself ignores case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, cast

from chains.bulk import Bytes, Flags, Texts
from chains.model import ChainSpec

_MODULE_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


class AddressError(ValueError):
    """The text is no address of this network.

    ``code`` is ``bad-address`` where the text is wrong, ``unsupported-address-type`` where
    it may be right but recount has no rule for this type of address or format.
    """

    def __init__(self, message: str, *, code: str = "bad-address") -> None:
        super().__init__(message)
        self.code = code


class AddressFormat(Protocol):
    """What a format module offers."""

    def decode(self, text: str, params: Mapping[str, Any]) -> bytes:
        """Return the canonical bytes of ``text``; raises ``AddressError``."""
        ...

    def encode(self, account: bytes, params: Mapping[str, Any]) -> str:
        """Return the canonical text of ``account``; raises ``AddressError``."""
        ...


def decode(spec: ChainSpec, text: str) -> bytes:
    """Return the canonical bytes of an address of this chain.

    Raises ``AddressError`` with its ``code``.
    """
    return _format(spec.address).decode(text, spec.address_params)


def encode(spec: ChainSpec, account: bytes) -> str:
    """Return the canonical text of an account of this chain.

    Raises ``AddressError`` where the bytes cannot be an account of this format.
    """
    return _format(spec.address).encode(account, spec.address_params)


def decode_column(spec: ChainSpec, column: Texts) -> tuple[Bytes, Flags] | None:
    """Return the canonical bytes of many addresses, one account a row, and which were decoded.

    A text that is left out may still be an address: ``decode`` decides. ``None`` where the format
    has no such rule for whole columns.
    """
    of_column = getattr(_format(spec.address), "decode_column", None)
    return None if of_column is None else of_column(column, spec.address_params)


@lru_cache(maxsize=64)
def _format(name: str) -> AddressFormat:
    """Import the format module of this name; raises ``AddressError`` if there is none."""
    qualified = f"{__name__}.{name}"
    if _MODULE_NAME.match(name) is not None and find_spec(qualified) is not None:
        module = import_module(qualified)
        if hasattr(module, "decode") and hasattr(module, "encode"):
            return cast("AddressFormat", module)
    raise AddressError(
        f"recount has no rule for the address format {name!r}", code="unsupported-address-type"
    )
