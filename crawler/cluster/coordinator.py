"""The command's side of a cluster: hands out signatures and shards, and leases the endpoints.

Dask places the tasks, moves them when a worker joins or dies, and runs again what was lost. What
is read from a file of this machine, or scanned by a node that does one scan at a time, is asked
by the command itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

import msgspec
import pyarrow as pa

from chains import adapters
from chains.endpoints import EndpointSpec
from chains.model import ChainId, ChainSpec, Questions, Snapshot
from chains.transport import EndpointStatistics, RetryPolicy
from crawler.cluster import wire, work
from crawler.cluster.leases import Leases, Shares
from crawler.cluster.wire import Lease, Setup, ShardTask, Told
from crawler.crawling.engine import Engine, open_positions
from crawler.crawling.pins import Pinned
from crawler.errors import EnvironmentFault, UsageError
from crawler.examining.judges import Elsewhere, Judging
from crawler.examining.judging import Reading, compressed, message
from crawler.keeping.runs import RunDirectory, ShardEntry
from crawler.keeping.storage import RESUME, Url, links
from crawler.watching.progress import Progress

LASTING_S = 6.0
"""A lease; a worker that hears nothing for so long stops asking."""
ANSWER_S = 3.0
"""How long a worker may take to answer a lease."""
BRISK_S, CALM_S = 0.1, 2.0
"""Between two rounds of leases: while something changes, and while nothing does."""
WORKERS_S, VISIBLE_S = 30, 90.0
"""How long a first worker, and a file that a worker wrote, are waited for."""


class Cluster:
    """A Dask cluster that works for one command."""

    def __init__(self, address: str, *, plain: bool = False) -> None:
        wire.check_address(address, plain=plain)
        self.address = address
        self._plain = plain
        try:
            import distributed  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise UsageError(
                "--cluster needs more packages: pip install 'reserve-recount[cluster]'"
            ) from error
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # we say what matters
        self._dask: Any = distributed

    def client(self, *, asynchronous: bool) -> Any:
        """Return what connects within ``connecting``, when it is made or awaited."""
        return self._dask.Client(
            self.address,
            asynchronous=asynchronous,
            set_as_default=False,
            name="recount",
        )

    @contextlib.contextmanager
    def judges(self, reading: Reading) -> Iterator[Judging]:
        """Give what has the workers settle and judge tasks; raises ``EnvironmentFault``."""
        with self.connecting():
            client = self.client(asynchronous=False)
        with client:
            with self.losing():
                with self.connecting():
                    client.wait_for_workers(1, timeout=WORKERS_S)
                self.check_workers(client.nthreads())
                check_builds(client.run(work.identity, on_error="return"))
                packed = client.submit(work.as_is, compressed(reading), pure=False)
            here = dict(wire.build())
            executor = client.get_executor(pure=False)

            def judging(tasks: pa.RecordBatch) -> Elsewhere:
                with self.losing():
                    sent = executor.submit(work.judge, here, packed, message(tasks))
                return Elsewhere(sent, self.losing)

            yield judging

    def engine(
        self,
        run: RunDirectory,
        specs: Mapping[ChainId, Any],
        endpoints: Sequence[EndpointSpec],
        progress: Progress,
        retry: RetryPolicy | None = None,
    ) -> Engine:
        """Return an engine whose shards the workers ask."""
        return _Spread(run, specs, endpoints, progress, retry, cluster=self)

    def shared(
        self, specs: Mapping[ChainId, ChainSpec], endpoints: Sequence[EndpointSpec]
    ) -> tuple[EndpointSpec, ...]:
        """Return the endpoints that workers ask; raises ``ConfigError`` for a secret in one."""
        found = [one for one in endpoints if not asked_from_here(specs[one.chain], endpoints)]
        wire.check_secrets(found)
        return tuple(found)

    def check_workers(self, workers: Iterable[str]) -> tuple[str, ...]:
        """Return the workers' addresses; raises ``UsageError`` for one reached without TLS."""
        found = tuple(workers)
        for address in found:
            wire.check_address(address, plain=self._plain)
        return found

    @contextlib.contextmanager
    def connecting(self) -> Iterator[None]:
        """Turn what goes wrong at the beginning into one sentence."""
        try:
            yield
        except (TypeError, ValueError) as error:  # what Dask raises without certificates
            raise UsageError(
                f"--cluster {self.address}: {_first_line(error)}; tls:// needs certificates, see "
                "docs/cluster.md"
            ) from error
        except OSError as error:  # time-outs as well
            raise EnvironmentFault(
                f"no Dask scheduler with workers answers at {self.address} "
                f"({_first_line(error)}); start 'dask scheduler' and 'dask worker', then resume"
            ) from error

    @contextlib.contextmanager
    def losing(self) -> Iterator[None]:
        """Turn what goes wrong on the way into one sentence."""
        try:
            yield
        except self._dask.KilledWorker as error:
            raise EnvironmentFault(
                f"several workers died of the same task ({error.task}); look into their logs, "
                f"give them more memory, {RESUME}"
            ) from error
        except (CancelledError, OSError) as error:
            raise EnvironmentFault(
                f"the cluster at {self.address} was lost ({_first_line(error)}); start it again, "
                f"{RESUME}"
            ) from error


def asked_from_here(spec: ChainSpec, endpoints: Sequence[EndpointSpec]) -> bool:
    """Tell whether a chain is asked by the command: its sources are files or whole scans."""
    if spec.adapter == "none":
        return True
    files = any(one.is_file for one in endpoints if one.chain == spec.id)
    return files or adapters.load(spec.adapter).capabilities.whole


def check_builds(told: Mapping[str, Any]) -> None:
    """Raise ``EnvironmentFault`` where a worker runs another recount, or none."""
    for worker, identity in told.items():
        if isinstance(identity, BaseException):
            raise EnvironmentFault(
                f"worker {worker} cannot load recount ({_first_line(identity)}); install the same "
                "build of 'reserve-recount[cluster]' on every machine"
            )
        other = wire.difference(wire.build(), identity)
        if other:
            raise EnvironmentFault(
                f"worker {worker} runs another build of recount ({other}); install the same on "
                "every machine"
            )


def check_ready(told: Mapping[str, Any], run: RunDirectory) -> None:
    """Raise ``EnvironmentFault`` where a worker cannot work on a run."""
    check_builds({one: error for one, error in told.items() if isinstance(error, Exception)})
    for worker, problem in told.items():
        if problem:
            raise EnvironmentFault(
                f"worker {worker} cannot work on this run: {problem}. All machines must reach "
                f"{run.path} under this name, and have the same recount and the same secrets"
            )


class _Spread(Engine):
    """An engine that lets the workers of a cluster ask."""

    def __init__(
        self,
        run: RunDirectory,
        specs: Mapping[ChainId, Any],
        endpoints: Sequence[EndpointSpec],
        progress: Progress,
        retry: RetryPolicy | None,
        *,
        cluster: Cluster,
    ) -> None:
        super().__init__(run, specs, endpoints, progress, retry)
        self._cluster = cluster
        shared = cluster.shared(specs, endpoints)
        self._leases = Leases(shared)
        self._setup = Setup(
            epoch=secrets.token_hex(8),
            build=dict(wire.build()),
            place=_shared_place(run),
            specs={spec.chain: specs[spec.chain] for spec in shared},
            endpoints=shared,
            retry=retry or RetryPolicy(),
        )
        self._told: dict[str, Told] = {}
        self._client: Any = None
        self._packed: Any = None
        self._stir = asyncio.Event()

    @property
    def statistics(self) -> Mapping[str, EndpointStatistics]:
        """What happened at each endpoint, here and in the workers that still could say so."""
        found = {name: [one] for name, one in super().statistics.items()}
        for told in self._told.values():
            for name, one in told.statistics.items():
                found.setdefault(name, []).append(one)
        return {name: _sum(several) for name, several in found.items()}

    async def crawl(
        self, plan: Sequence[tuple[ShardEntry, Questions]], pinned: Mapping[str, Pinned]
    ) -> None:
        """Ask whatever is not yet answered. Raises ``Fatal`` and ``EnvironmentFault``."""
        if all(self._asks_itself(questions.chain) for _, questions in plan):
            await super().crawl(plan, pinned)
            return
        if self._client is None:
            await self._stack.enter_async_context(self._working())
        asking = asyncio.create_task(super().crawl(plan, pinned))
        leasing = asyncio.create_task(self._leasing())
        try:
            await asyncio.wait((asking, leasing), return_when=asyncio.FIRST_COMPLETED)
            with self._cluster.losing():
                (leasing if leasing.done() else asking).result()
        finally:
            for task in (asking, leasing):
                task.cancel()
            await asyncio.gather(asking, leasing, return_exceptions=True)
        await asyncio.gather(*(self._lease(one, {}) for one in self._told))  # their last news

    def shards_at_once(self, chain: ChainId) -> int:
        """Return how many shards of a moment are with the workers."""
        if self._asks_itself(chain):
            return super().shards_at_once(chain)
        return self._leases.width(chain)

    async def complete(self, entry: ShardEntry, questions: Questions, at: Snapshot) -> None:
        """Have a worker bring a shard as far as it comes."""
        if self._asks_itself(at.chain) or not at.endpoints:
            await super().complete(entry, questions, at)
            return
        if not open_positions(self._run, entry.digest, questions):
            return
        task = msgspec.json.encode(ShardTask(entry=entry, at=at))
        key = f"recount-{entry.digest[:16]}-{self._setup.epoch}"
        submitted = self._client.submit(work.complete, self._packed, task, key=key, pure=False)
        self._stir.set()
        await self._visible(entry, await self._outcome(submitted))

    def _asks_itself(self, chain: ChainId) -> bool:
        return asked_from_here(self._specs[chain], self._endpoints)

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """Connect, begin on every worker, and end on every worker."""
        cluster = self._cluster
        with cluster.connecting():
            client = await cluster.client(asynchronous=True)
        async with client:
            with cluster.connecting():
                await client.wait_for_workers(1, timeout=WORKERS_S)
            cluster.check_workers(await client.nthreads())
            self._client = client
            packed = msgspec.json.encode(self._setup)
            check_ready(await client.run(work.begin, packed, on_error="return"), self._run)
            self._packed = client.submit(work.as_is, packed, pure=False)
            try:
                yield
            finally:
                with contextlib.suppress(OSError, CancelledError):
                    async with asyncio.timeout(ANSWER_S):
                        await client.run(work.end, self._setup.epoch, on_error="return")

    async def _outcome(self, submitted: Any) -> int:
        """Wait for a shard; raises ``EnvironmentFault`` where the cluster lost it for good."""
        with self._cluster.losing():
            try:
                attempts: int = await submitted
            except ImportError as error:
                check_builds({"that was given a shard": error})
                raise
            return attempts

    async def _leasing(self) -> None:
        """Lease the endpoints to the workers, round after round."""
        pause = BRISK_S
        before: Mapping[str, Shares] = {}
        while True:
            self._stir.clear()
            workers = self._cluster.check_workers(await self._client.nthreads())
            wanted = {one: self._told.get(one, Told()).wanted for one in workers}
            targets = self._leases.targets(wanted)
            giving = [one for one in workers if self._leases.gives_up(one, targets[one])]
            taking = [one for one in workers if one not in giving]
            for group in (giving, taking):
                await asyncio.gather(*(self._lease(one, targets[one]) for one in group))
            pause = BRISK_S if targets != before else min(CALM_S, pause * 1.5)
            before = targets
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stir.wait()
                pause = BRISK_S

    async def _lease(self, worker: str, target: Shares) -> None:
        """Renew one worker's lease; silence is answered by letting it run out."""
        now = time.monotonic()
        shares = self._leases.grant(worker, target, now, now + ANSWER_S + LASTING_S)
        lease = Lease(epoch=self._setup.epoch, shares=shares, lasting_s=LASTING_S)
        answers: Mapping[str, Any] = {}
        with contextlib.suppress(OSError):
            async with asyncio.timeout(ANSWER_S):
                answers = await self._client.run(
                    work.hear, msgspec.json.encode(lease), workers=[worker], on_error="return"
                )
        answer = answers.get(worker)
        if isinstance(answer, bytes):
            told = wire.read(answer, Told)
            if told is None:
                return  # nonsense is silence
            until = time.monotonic() + LASTING_S
            self._leases.heard(worker, shares, told.under_way, until)
            self._told[worker] = told

    async def _visible(self, entry: ShardEntry, attempts: int) -> None:
        """Wait until this machine sees what a worker stored; raises ``EnvironmentFault``.

        A network file system may take a while to show a file that another machine made.
        """
        patience = time.monotonic() + VISIBLE_S
        while len(self._run.attempts(entry.digest)) < attempts:
            if time.monotonic() > patience:
                raise EnvironmentFault(
                    f"a worker has stored answers of shard {entry.digest[:12]} which are not at "
                    f"{self._run.path} for this machine; the storage must be the same for all. "
                    "Mend that, then resume"
                )
            await asyncio.sleep(0.2)


def _shared_place(run: RunDirectory) -> str:
    """Return the place of a run as workers are told; raises ``EnvironmentFault``/``UsageError``."""
    if isinstance(run.path, Url):
        if str(run.path).startswith("memory:"):
            raise UsageError(f"{run.path} is the memory of this process; no worker sees it")
        return str(run.path)
    if not links(run.path):
        raise EnvironmentFault(
            f"the file system of {run.path} has no hard links, by which two machines agree who was "
            "first; choose another one, or an object store"
        )
    return str(run.path.resolve())


def _sum(several: Sequence[EndpointStatistics]) -> EndpointStatistics:
    fields = EndpointStatistics.__struct_fields__
    return EndpointStatistics(
        **{name: sum(getattr(one, name) for one in several) for name in fields}
    )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0][:300]
