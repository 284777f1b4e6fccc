"""Cut one line of a published list into fields.

Plain comma-separated text goes through pyarrow; only lines that hold a quote, a brace or a
bracket come here. OKX writes JSON objects and bracketed lists into its key column without
quoting them, commas and all:

    …,{"key1":"02ab","key2":"03cd"},…      …,[5221…ae,5221…ae],…      …,{""key1"":""02ab""},…

A field that begins with ``{`` or ``[`` therefore reaches to its matching end, when a comma
or the end of the line follows; otherwise it is plain text. Quoted fields follow RFC 4180.
"""

from __future__ import annotations

import json
import re

_CLOSES = {"{": "}", "[": "]"}
_SPECIAL = re.compile(r'["{\[]')
_STRUCTURE = re.compile(r'["{}\[\]]')
_IN_STRING = re.compile(r'["\\]')


class SplitError(Exception):
    """The line cannot be cut; ``str()`` is a short sentence for the row's ``problem``."""


class UnclosedQuoteError(SplitError):
    """A quoted field does not end on this line; it may end on a following one."""


def split_line(text: str) -> list[str]:
    """Cut the fields of one record, without its line end. Raises ``SplitError``."""
    fields: list[str] = []
    start = 0
    while mark := _SPECIAL.search(text, start):
        opening = text.rfind(",", start, mark.start()) + 1
        if opening:
            fields += text[start : opening - 1].split(",")
        value, end = _field(text, opening or start)
        fields.append(value)
        if end >= len(text):
            return fields
        start = end + 1
    return fields + text[start:].split(",")


def split_signatures(text: str) -> list[str]:
    """Cut a column that holds any number of signatures: a JSON array, or ``a;b;c``.

    Empty texts are left out. Raises ``SplitError`` when a bracket opens no array of texts, or
    when a text is none in Unicode: JSON can escape half a surrogate pair.
    """
    if not text.lstrip(" ").startswith("["):
        return [part for part in text.split(";") if part]
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        parts = None
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise SplitError("signatures is neither a JSON array of texts nor texts joined by ';'")
    try:
        "".join(parts).encode()
    except UnicodeEncodeError:
        raise SplitError("a signature holds half a surrogate pair") from None
    return [part for part in parts if part]


def _field(text: str, start: int) -> tuple[str, int]:
    """Cut one field and say where it ends (at a comma or the end of the text)."""
    if text.startswith('"', start):
        return _quoted(text, start)
    opening = start
    while text.startswith(" ", opening):
        opening += 1
    if opening < len(text) and text[opening] in _CLOSES:
        end = _after_match(text, opening)
        if end is not None and _ends(text, end):
            stop = _comma(text, end)
            return _undoubled(text[start:stop]), stop
    stop = _comma(text, start)
    return text[start:stop], stop


def _comma(text: str, start: int) -> int:
    stop = text.find(",", start)
    return len(text) if stop < 0 else stop


def _ends(text: str, end: int) -> bool:
    """Tell whether a field may end here: only spaces up to a comma or the end of the text."""
    return not text[end : _comma(text, end)].strip(" ")


def _quoted(text: str, start: int) -> tuple[str, int]:
    at = start + 1
    while True:
        at = text.find('"', at)
        if at < 0:
            raise UnclosedQuoteError("a quoted field is never closed")
        if not text.startswith('""', at):
            break
        at += 2
    if _ends(text, at + 1):
        return text[start + 1 : at].replace('""', '"'), _comma(text, at + 1)
    carelessly = _quoted_without_doubling(text, start)
    if carelessly is None:
        raise SplitError("text follows a closing quote")
    return carelessly


def _quoted_without_doubling(text: str, start: int) -> tuple[str, int] | None:
    """Cut ``"{"a":"b"}"``: an object put between quotes whose own quotes were not doubled."""
    if start + 1 >= len(text) or text[start + 1] not in _CLOSES:
        return None
    end = _after_match(text, start + 1)
    if end is None or not text.startswith('"', end) or not _ends(text, end + 1):
        return None
    return text[start + 1 : end], _comma(text, end + 1)


def _after_match(text: str, start: int) -> int | None:
    """Find the place behind the bracket that closes the one at ``start``, or ``None``."""
    expected: list[str] = []
    at = start
    while match := _STRUCTURE.search(text, at):
        at = match.end()
        mark = match[0]
        if mark == '"':
            behind = _after_string(text, at)
            if behind is None:
                return None
            at = behind
        elif mark in _CLOSES:
            expected.append(_CLOSES[mark])
        elif mark != expected.pop():
            return None
        elif not expected:
            return at
    return None


def _after_string(text: str, start: int) -> int | None:
    """Find the place behind the quote that ends a JSON string begun before ``start``."""
    at = start
    while match := _IN_STRING.search(text, at):
        if match[0] == '"':
            return match.end()
        at = match.end() + 1
    return None


def _undoubled(text: str) -> str:
    """Undo doubled quotes in an object that was not quoted."""
    if '""' not in text or _is_json(text):
        return text
    single = text.replace('""', '"')
    return single if _is_json(single) else text


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
