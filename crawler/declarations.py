"""Reading the TOML files that people write: strictly, and with errors that name file and key.

Everything a person declares (chains, assets, policy, endpoints, liabilities) passes through
here. Three things are refused that TOML itself allows: numbers with a point (no float may come
near an amount, so shares and amounts are written as text), keys that nothing reads, and values
of another type than the record asks for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from chains.errors import ConfigError

T = TypeVar("T")

CAIP_2 = re.compile(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}")
"""Spec: https://chainagnostic.org/CAIPs/caip-2"""
CAIP_19 = re.compile(rf"({CAIP_2.pattern})/([-a-z0-9]{{3,8}}):([-.%a-zA-Z0-9]{{1,128}})")
"""Spec: https://chainagnostic.org/CAIPs/caip-19 (groups: chain, asset namespace, reference)"""

LARGEST_FILE = 4 << 20
"""Bytes; what ships has a twentieth of that."""
LONGEST_TEXT = 600
"""Characters of a key or of what is wrong with it: lists of known keys are shorter."""
_ENDLESS_KEY = re.compile(
    rb"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){64}"""
)
"""A key of so many parts (or such a text): the parser's time grows with the square of them."""

_DECIMAL = re.compile(r"[0-9]{1,78}(\.[0-9]{1,78})?")
_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def fault(file: str, key: str, problem: str) -> ConfigError:
    """Return the one error shape of declarations: ``file: key: problem``."""
    place = f"{file}: {_short(key)}" if key else file
    return ConfigError(f"{place}: {_short(problem)}")


def _short(text: str) -> str:
    """Leave out the middle of an endless value; its beginning and what was expected stay."""
    return text if len(text) <= LONGEST_TEXT else f"{text[:150]} … {text[-150:]}"


def read_bytes(path: Path, file: str) -> bytes:
    """Read a declaration; raises ``ConfigError`` where it cannot be read or is too large."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise fault(file, "", f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise fault(file, "", f"cannot be read ({error})") from error  # a NUL in its name
    if len(raw) > LARGEST_FILE:
        raise fault(file, "", f"has more than {LARGEST_FILE >> 20} MiB, which no declaration needs")
    return raw


def parse(raw: bytes, file: str) -> dict[str, Any]:
    """Parse TOML bytes; raises ``ConfigError`` for bad syntax (with its line) and for floats.

    A byte order mark at the start, as some editors write it, is no part of the text.
    """
    endless = _ENDLESS_KEY.search(raw)
    if endless is not None:
        line = raw[: endless.start()].count(b"\n") + 1
        raise fault(file, "", f"line {line}: a key of more than 64 parts")
    try:
        table = tomllib.loads(raw.decode("utf-8-sig"))
        with_a_point = next(_floats(table, ""), None)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise fault(file, "", f"line {line}: is not UTF-8 text") from error
    except RecursionError as error:
        raise fault(file, "", "is nested too deeply") from error
    except ValueError as error:  # bad syntax, or an integer of thousands of digits
        raise fault(file, "", f"is not valid TOML: {error}") from error
    if with_a_point is not None:
        raise fault(
            file,
            with_a_point,
            'is a number with a point or exponent; write it as text, for example "0.95"',
        )
    return table


def convert(value: Any, kind: type[T], file: str, key: str) -> T:
    """Turn a parsed value into a record; raises ``ConfigError`` naming file and key."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        match = _AT.match(str(error))
        what, path = (match["what"], match["path"] or "$") if match else (str(error), "$")
        inner = path.removeprefix("$").removeprefix(".")
        place = f"{key}.{inner}" if key and inner else key or inner
        raise fault(file, place, _plain(what, kind)) from error


def table_of(table: Mapping[str, Any], key: str, file: str) -> dict[str, Any]:
    """Return the sub-table ``key``, empty where absent; raises ``ConfigError`` for another type."""
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise fault(file, key, f"is {_toml_type(value)}; a table was expected")
    return value


def array_of(table: Mapping[str, Any], key: str, file: str) -> list[Any]:
    """Return the array ``key``, empty where absent; raises ``ConfigError`` for another type."""
    value = table.get(key, [])
    if not isinstance(value, list):
        raise fault(file, key, f"is {_toml_type(value)}; an array of tables was expected")
    return value


def only(table: Mapping[str, Any], known: tuple[str, ...], file: str) -> None:
    """Raise ``ConfigError`` for the first top-level key that nothing reads."""
    for key in table:
        if key not in known:
            raise fault(file, key, f"is not a key of this file; known keys: {', '.join(known)}")


def check_decimal(text: str, file: str, key: str) -> str:
    """Return ``text`` if it is a plain decimal number without sign or exponent."""
    if _DECIMAL.fullmatch(text) is None:
        raise fault(file, key, f'is {text!r}; a plain decimal as text was expected, like "0.95"')
    return text


def check_chain(text: str, file: str, key: str) -> str:
    """Return ``text`` if it is a CAIP-2 chain id."""
    if CAIP_2.fullmatch(text) is None:
        raise fault(file, key, f"is {text!r}; a CAIP-2 chain id was expected, like eip155:1")
    return text


def check_asset(text: str, file: str, key: str) -> str:
    """Return ``text`` if it is a CAIP-19 asset id."""
    if CAIP_19.fullmatch(text) is None:
        raise fault(
            file, key, f"is {text!r}; a CAIP-19 asset id was expected, like eip155:1/slip44:60"
        )
    return text


def quoted(key: str) -> str:
    """Return ``key`` as it stands in a TOML file."""
    return key if _BARE.fullmatch(key) else f'"{key}"'


def _floats(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, float):
        yield at
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _floats(inner, f"{at}.{quoted(key)}" if at else quoted(key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _floats(inner, f"{at}[{i}]")


def _plain(what: str, kind: Any) -> str:
    """Say msgspec's complaint in the words of the file."""
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if unknown:
        known = ", ".join(field.encode_name for field in msgspec.structs.fields(kind) if field.name)
        return f"has the key {unknown[1]!r}, which nothing reads; known keys: {known}"
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    if missing:
        return f"lacks the key {missing[1]!r}"
    return what[:1].lower() + what[1:]


def _toml_type(value: Any) -> str:
    names = {str: "text", bool: "a boolean", int: "a number", list: "an array", dict: "a table"}
    return names.get(type(value), type(value).__name__)
