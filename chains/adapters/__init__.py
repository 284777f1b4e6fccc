"""What reads balances from a chain, one module or package per CAIP-2 namespace.

There is no registry: the name that ``config/chains.toml`` gives as ``adapter`` is the name
of the module here, imported when first needed.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast, runtime_checkable

from chains.adapter import Capabilities, ChainAdapter
from chains.errors import ConfigError
from chains.model import ChainSpec

_NAME = re.compile(r"[a-z0-9]+\Z")


@cache
def load(name: str) -> type[ChainAdapter]:
    """Return the adapter class of this name; raises ``ConfigError`` if there is none."""
    qualified = f"{__name__}.{name}"
    if _NAME.match(name) is None or find_spec(qualified) is None:
        raise ConfigError(
            f"there is no adapter named {name!r}; expected the name of a module in chains/adapters"
        )
    return cast("type[ChainAdapter]", import_module(qualified).Adapter)


@runtime_checkable
class Differs(Protocol):
    """An adapter class that can do more on some of its chains than on others."""

    def capable(self, spec: ChainSpec) -> Capabilities:
        """Return what it can do on this chain, as the chain is declared."""
        ...


def capabilities(spec: ChainSpec) -> Capabilities:
    """Return what can be done on this very chain; raises ``ConfigError``."""
    adapter: object = load(spec.adapter)
    return (
        adapter.capable(spec) if isinstance(adapter, Differs) else load(spec.adapter).capabilities
    )
