"""Where the files of a run lie: in a directory, of this machine or shared, or in an object store.

Files are named relative to the run, with slashes. What is written comes from a temporary file of
this machine and is there whole or not at all: ``replacing`` puts it in place of what is there,
``creating`` only where nothing is, so that of several machines that finish the same work one
wins. Neither assumes that the storage can rename; a directory of this machine does.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from crawler.errors import EnvironmentFault, UsageError

OBJECT_STORES = ("s3", "memory")
"""Schemes whose storage creates an object only if it is absent, in one step, and was tried."""
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class AlreadyThere(Exception):
    """A file that was to be created is there already; somebody else was faster."""


class Url:
    """The place of a run in an object store, with the little of ``Path`` that a run needs."""

    def __init__(self, text: str) -> None:
        self._text = text.rstrip("/")

    @property
    def name(self) -> str:
        """The last part."""
        return self._text.rpartition("/")[2]

    def __truediv__(self, name: str) -> Url:
        return Url(f"{self._text}/{name}")

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Url) and str(other) == str(self)

    def __hash__(self) -> int:
        return hash(self._text)


RunPlace = Path | Url


def check_text(path: Path) -> str:
    """Return a path as text; raises ``UsageError`` where it has bytes that are no UTF-8."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{text}: a name in it is not UTF-8; rename it, or link to it") from error
    return text


def is_stream(path: Path) -> bool:
    """Tell whether a path is a pipe, a socket or a device, which can be read but once if at all."""
    return path.is_fifo() or path.is_socket() or path.is_char_device()


def place_of(text: str) -> RunPlace:
    """Read the place of a run as the user writes it; raises ``UsageError``.

    A path, ``file:///path``, or ``s3://bucket/name``. Credentials do not belong into it.
    """
    if "://" not in text:
        if text.partition(":")[0] in ("file", *OBJECT_STORES) and ":" in text:
            raise UsageError(
                f"{text}: a path, file:///path or s3://bucket/name was expected; a directory of "
                f"this name is ./{text}"
            )
        return Path(text)
    parts = urlsplit(text)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise UsageError(f"{text}: must name a directory of this machine: file:///path")
        return Path(unquote(parts.path))
    if parts.scheme not in OBJECT_STORES:
        raise UsageError(
            f"a run cannot lie at {parts.scheme}://: a path, file:// or s3:// was expected; "
            "recount needs a storage that creates a file only where none is"
        )
    if "@" in parts.netloc or parts.query or parts.fragment or not parts.netloc:
        raise UsageError(
            f"{parts.scheme}://{parts.hostname or ''}/…: must be {parts.scheme}://bucket/name and "
            "nothing more; credentials come from the environment"
        )
    return Url(text)


class Storage(Protocol):
    """The files of one run."""

    def holds(self, name: str) -> bool:
        """Tell whether there is such a file."""
        ...

    def names(self, folder: str) -> list[str]:
        """Names of what lies directly in ``folder``, sorted; none where there is no folder."""
        ...

    def reading(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give a path of this machine to read from; raises ``OSError`` where there is no file."""
        ...

    def replacing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Give a path to write to; when the block succeeds, that is the file ``name``."""
        ...

    def creating(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Do as ``replacing``, but raise ``AlreadyThere`` where the file exists."""
        ...

    def prepare(self, folders: Sequence[str]) -> None:
        """Make folders where the storage has such."""
        ...

    def lock(self) -> Callable[[], None]:
        """Keep a second coordinator out; returns what gives the lock back."""
        ...


def storage_at(place: RunPlace) -> Storage:
    """Return the storage of a run; raises ``UsageError`` where a library is missing."""
    if isinstance(place, Path):
        return Directory(place)
    from crawler.keeping.objects import ObjectStore  # noqa: PLC0415 - fsspec, only where it is asked for

    return ObjectStore(place)


class Directory:
    """A directory of this machine, or one that several machines share under the same path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def holds(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return (self._path / name).exists()

    def names(self, folder: str) -> list[str]:
        """Names of what lies directly in ``folder``, sorted."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sorted(os.listdir(self._path / folder))  # noqa: PTH208 - names are all we need
        return []

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Give the file itself."""
        yield self._path / name

    def replacing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Write beside, sync, rename."""
        return replacing(self._path / name)

    def creating(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Write beside, sync, link: of several who do so, one succeeds, on NFS as well."""
        return creating(self._path / name)

    def prepare(self, folders: Sequence[str]) -> None:
        """Make the folders."""
        try:
            with environment_faults(self._path):
                for folder in folders:
                    (self._path / folder).mkdir(parents=True, exist_ok=True)
        except RecursionError as error:
            raise UsageError(
                "too many directories would have to be made, one in another"
            ) from error

    def lock(self) -> Callable[[], None]:
        """Take a POSIX lock, which ends with this process at the latest."""
        with environment_faults(self._path):
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            handle = os.open(self._path / "lock", flags, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise EnvironmentFault(
                f"another process works on {self._path}; wait for it or stop it"
            ) from error
        for leftover in self._path.rglob(".*.part"):
            leftover.unlink(missing_ok=True)
        return lambda: os.close(handle)


def safe_name(name: str) -> bool:
    """Tell whether a file's name stays inside the run."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts


RESUME = "then resume: nothing that was finished is lost"
"""How sentences end about what stopped a run and can be mended."""


@contextlib.contextmanager
def _beside(target: Path, then: str = RESUME) -> Iterator[Path]:
    """Give a path beside ``target`` that nobody else has, on whatever machine; remove it after."""
    beside = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with environment_faults(target, then):
            yield beside
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(target: Path, then: str = RESUME) -> Iterator[Path]:
    """Give a path beside ``target``; sync it and rename it when the block succeeds.

    ``then`` is what the user is to do after a failure has been mended.
    """
    with _beside(target, then) as beside:
        yield beside
        sync(beside)
        beside.rename(target)
        sync(target.parent)


@contextlib.contextmanager
def put_in_place(target: Path, then: str) -> Iterator[Path]:
    """Do as ``replacing`` for a place that the user names.

    What a link leads to is replaced, not the link; pipes and devices are written to as they are.
    """
    is_special = target.exists() and not target.is_file()
    if is_special or target.absolute().is_relative_to("/dev"):
        with environment_faults(target, then):
            yield target
        return
    with replacing(Path(os.path.realpath(target)), then) as beside:
        yield beside


@contextlib.contextmanager
def creating(target: Path) -> Iterator[Path]:
    """Do as ``replacing``, but raise ``AlreadyThere`` where ``target`` exists.

    Where the file system knows no links, nothing but a look protects ``target``: enough for one
    machine, and ``links`` tells several beforehand.
    """
    with _beside(target) as beside:
        yield beside
        sync(beside)
        try:
            os.link(beside, target)
        except FileExistsError as error:
            raise AlreadyThere(str(target)) from error
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if target.exists():
                raise AlreadyThere(str(target)) from error
            beside.rename(target)
        sync(target.parent)


def links(path: Path) -> bool:
    """Tell whether the file system of a directory can link; raises ``EnvironmentFault``."""
    with _beside(path / "links") as one, _beside(path / "links") as other:
        one.touch()
        try:
            os.link(one, other)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return False
        return True


@contextlib.contextmanager
def environment_faults(place: Path, then: str = RESUME) -> Iterator[None]:
    """Turn file-system errors into one sentence for the user; ``then`` is what helps."""
    try:
        yield
    except OSError as error:
        mend = "free space or fix permissions"
        if error.errno == errno.ENOENT and not place.parent.exists():
            mend = f"make the directory {place.parent}"
        raise EnvironmentFault(
            f"cannot write {place}: {error.strerror or error}; {mend}, {then}"
        ) from error


def sync(path: Path) -> None:
    """Flush a file or directory to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
