"""A run in an object store, through fsspec.

An object is there whole or not at all, and nothing is renamed: a new file is one conditional
write, a changed one (manifest, report) one unconditional write. The lock is an object too. Unlike
a POSIX lock it outlives a coordinator that was killed: it says who made it, is taken over where
that process has surely ended, and must be deleted by hand where nobody can tell.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.storage import RESUME, AlreadyThere, Url, environment_faults

LOCK = "lock"
NEEDED = {"s3": "s3fs"}
"""The package that fsspec needs for a scheme, where it needs one."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


_NO_PROCESS = 1 << 31
"""Numbers of processes are below it."""


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock: a process of a machine since it was started."""

    host: str
    boot: str
    process: int
    since: str


class ObjectStore:
    """The objects below one prefix."""

    def __init__(self, place: Url) -> None:
        self._place = place
        scheme = str(place).partition("://")[0]
        try:
            import fsspec  # noqa: PLC0415 - an extra

            self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False)
        except ImportError as error:
            package = f" {NEEDED[scheme]}" if scheme in NEEDED else ""
            raise UsageError(
                f"a run at {scheme}:// needs more packages: "
                f"pip install 'reserve-recount[cluster]'{package}"
            ) from error
        self._root = str(place).partition("://")[2]

    def holds(self, name: str) -> bool:
        """Tell whether there is such an object."""
        with self._faults(name):
            return bool(self._files.exists(self._at(name)))

    def names(self, folder: str) -> list[str]:
        """Names of what lies directly in ``folder``, sorted."""
        try:
            with self._faults(folder, passing=FileNotFoundError):
                found = self._files.ls(self._at(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(str(one).rstrip("/").rpartition("/")[2] for one in found)

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[Path]:
        """Fetch the object into a temporary file."""
        with tempfile.TemporaryDirectory(prefix="recount-") as folder:
            path = Path(folder) / "object"
            with self._faults(name, passing=FileNotFoundError):
                self._files.get_file(self._at(name), str(path))
            yield path

    def replacing(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Put the object in one write."""
        return self._put(name, "overwrite")

    def creating(self, name: str) -> contextlib.AbstractContextManager[Path]:
        """Put the object in one conditional write."""
        return self._put(name, "create")

    def prepare(self, folders: Sequence[str]) -> None:
        """Do nothing: an object store has no folders."""

    def lock(self) -> Callable[[], None]:
        """Create the lock; raises ``EnvironmentFault`` where another process may hold it."""
        own = Holder(socket.gethostname(), _boot(), os.getpid(), datetime.now(UTC).isoformat())
        try:
            self._write(LOCK, own)
        except AlreadyThere:
            self._take_over()
            self._write(LOCK, own)
        try:
            self._write(LOCK, own)  # must fail now
        except AlreadyThere:
            return self._unlock
        self._unlock()
        raise EnvironmentFault(
            f"the store of {self._place} writes over an object that was to be created only where "
            "none is (If-None-Match is not honoured): two machines could undo each other's work"
        )

    def _write(self, name: str, holder: Holder) -> None:
        with self.creating(name) as path:
            path.write_bytes(msgspec.json.encode(holder))

    def _take_over(self) -> None:
        """Delete the lock of a process of this machine that has ended."""
        place = self._place / LOCK
        try:
            with self.reading(LOCK) as path:
                holder = msgspec.json.decode(path.read_bytes(), type=Holder)
        except FileNotFoundError:
            return  # given back a moment ago
        except (ValueError, RecursionError) as error:
            raise EnvironmentFault(f"{place} is no lock of recount: {error}") from error
        if not 0 < holder.process < _NO_PROCESS:
            raise EnvironmentFault(
                f"{place} is no lock of recount: {holder.process} is the number of no process"
            )
        here = (holder.host, holder.boot) == (socket.gethostname(), _boot())
        if not here or _runs(holder.process):
            raise EnvironmentFault(
                f"process {holder.process} on {holder.host} works on {self._place} since "
                f"{holder.since}; wait for it or stop it. If it has ended without giving the lock "
                f"back, delete {place}"
            )
        self._unlock()

    def _unlock(self) -> None:
        with (
            contextlib.suppress(FileNotFoundError),
            self._faults(LOCK, passing=FileNotFoundError),
        ):
            self._files.rm_file(self._at(LOCK))

    @contextlib.contextmanager
    def _put(self, name: str, mode: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="recount-") as folder:
            path = Path(folder) / "object"
            with environment_faults(Path(folder)):
                yield path
            try:
                with self._faults(name, passing=FileExistsError):
                    self._upload(path, self._at(name), mode)
            except FileExistsError as error:
                raise AlreadyThere(str(self._place / name)) from error

    def _upload(self, path: Path, target: str, mode: str) -> None:
        if mode == "create":
            self._files.pipe_file(target, path.read_bytes(), mode=mode)
        else:
            self._files.put_file(str(path), target)

    @contextlib.contextmanager
    def _faults(self, name: str, passing: type[OSError] | tuple[()] = ()) -> Iterator[None]:
        """Turn whatever the store's library raises into one sentence, but for ``passing``."""
        try:
            yield
        except passing:
            raise
        except Exception as error:  # each library has its own family
            raise EnvironmentFault(
                f"cannot reach {self._place / name}: {type(error).__name__}: {error}; mend that, "
                f"{RESUME}"
            ) from error

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}".rstrip("/")


def _boot() -> str:
    """Return what is another text after each start of a machine, ``""`` where it is unknown."""
    with contextlib.suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return ""


def _runs(process: int) -> bool:
    """Tell whether a process of this machine runs, as far as we may see."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
