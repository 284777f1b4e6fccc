"""A second opinion on scripts: bitcoinlib derives them too, and must agree.

Our own code turns an address into a script and a set of keys into a multisig address. For a
sample of both this module asks bitcoinlib, an implementation that shares no code with ours,
and lists every difference. A difference is a defect in one of the two: it is reported and
decides nothing by itself.

Importing bitcoinlib writes a data directory, by default under HOME. Here that directory is a
temporary one, removed at exit, with its log turned off; the import happens on first use only.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import msgspec

from chains.errors import ConfigError

SAMPLE = 64
"""So many addresses are asked about by default."""
_DIRECTORY = "BCL_DATA_DIR"
_CONFIG = "[logs]\nenable_bitcoinlib_logging = False\n"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What we say and what bitcoinlib says. ``theirs`` is its error where it has no answer."""

    what: str
    ours: str
    theirs: str


def addresses(
    pairs: Sequence[tuple[str, bytes]], *, network: str = "bitcoin", sample: int = SAMPLE
) -> list[Difference]:
    """Compare (address text, our scriptPubKey) for a fixed sample; returns the differences.

    ``network`` is bitcoinlib's name (``bitcoin``, ``litecoin``, ``dogecoin``, ``regtest``…);
    raises ``ConfigError`` for one that it does not know. The sample depends on the pairs only.
    """
    _known(network)
    chosen = sorted(set(pairs))
    if len(chosen) > sample:
        chosen = sorted(random.Random(0).sample(chosen, sample))  # noqa: S311 - not a secret
    found = []
    for text, script in chosen:
        theirs = _ask(partial(_script_of, text, network))
        if theirs != script.hex():
            found.append(Difference(what=text, ours=script.hex(), theirs=theirs))
    return found


def multisig(
    address: str, keys: Sequence[bytes], threshold: int, *, network: str = "bitcoin"
) -> list[Difference]:
    """Compare the address of an m-of-n script over ``keys``, in the order in which they stand.

    Tried as P2SH, P2WSH and P2SH-P2WSH; there is a difference when none gives ``address``.
    """
    _known(network)
    derive = partial(_multisig_address, keys, threshold, network)
    theirs = {form: _ask(partial(derive, form)) for form in ("p2sh", "p2wsh", "p2sh-p2wsh")}
    if address in theirs.values():
        return []
    told = ", ".join(f"{form}: {text}" for form, text in theirs.items())
    return [Difference(what=f"{threshold} of {len(keys)} keys", ours=address, theirs=told)]


def bitcoinlib(module: str) -> ModuleType:
    """Import a module of bitcoinlib so that it keeps its files in a temporary directory."""
    name = f"bitcoinlib.{module}"
    if "bitcoinlib" in sys.modules:
        return import_module(name)
    directory = tempfile.mkdtemp(prefix="recount-bitcoinlib-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    (Path(directory) / "config.ini").write_text(_CONFIG, encoding="utf-8")
    before = os.environ.get(_DIRECTORY)
    os.environ[_DIRECTORY] = directory
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy's old style, a file left open
            return import_module(name)
    finally:
        if before is None:
            del os.environ[_DIRECTORY]
        else:
            os.environ[_DIRECTORY] = before


def _known(network: str) -> None:
    if not bitcoinlib("networks").network_defined(network):
        raise ConfigError(f"bitcoinlib knows no network {network!r}")


def _ask(question: Callable[[], str]) -> str:
    """Return the answer, or the library's error as text: whatever it raises is its opinion."""
    try:
        return question()
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"[:200]


def _script_of(text: str, network: str) -> str:
    """Ask for a script. bitcoinlib refuses bech32 in capitals, which BIP 173 allows."""
    plain = text.lower() if text.isupper() else text
    output = bitcoinlib("transactions").Output(0, address=plain, network=network)
    return str(output.lock_script.hex())


def _multisig_address(keys: Sequence[bytes], threshold: int, network: str, form: str) -> str:
    library = bitcoinlib("keys")
    script = (
        bitcoinlib("scripts")
        .Script(
            keys=[library.Key(key.hex(), network=network) for key in keys],
            sigs_required=threshold,
            script_types=["multisig"],
        )
        .serialize()
    )
    hash160 = bitcoinlib("encoding").hash160
    witness = hashlib.sha256(script).digest()
    if form == "p2wsh":
        hashed, kind, encoding = witness, "p2wsh", "bech32"
    elif form == "p2sh":
        hashed, kind, encoding = hash160(script), "p2sh", "base58"
    else:
        hashed, kind, encoding = hash160(b"\x00\x20" + witness), "p2sh", "base58"
    address = library.Address(
        hashed_data=hashed, script_type=kind, network=network, encoding=encoding
    )
    return str(address.address)
