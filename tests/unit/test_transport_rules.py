"""The transport's rules that need no socket: pauses, slots, redaction."""

from __future__ import annotations

import asyncio
import math
import time
from fractions import Fraction
from pathlib import Path

import pytest

from chains.endpoints import EndpointSpec
from chains.errors import ConfigError
from chains.model import ChainId, Request
from chains.pacing import Pace, Pause, Slot
from chains.stream import _is_notification
from chains.transport import LONGEST_PAUSE_S, HttpTransport, retry_after_seconds

pytestmark = pytest.mark.unit

CHAIN = ChainId("eip155:1")


def spec(name: str, **more: object) -> EndpointSpec:
    return EndpointSpec(name=name, chain=CHAIN, **{"url": f"http://{name}", **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("2", 2.0),
        (" 7 ", 7.0),
        ("60", 60.0),
        ("61", LONGEST_PAUSE_S),
        ("9" * 400, LONGEST_PAUSE_S),
        (None, None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("\u0662", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_capped(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text) == seconds


async def taken(slot: Slot, count: int) -> int:
    """How many of ``count`` takers are let in at once."""
    peak = 0
    release = asyncio.Event()

    async def hold() -> None:
        nonlocal peak
        async with slot.take():
            peak = max(peak, slot.active)
            await release.wait()

    tasks = [asyncio.create_task(hold()) for _ in range(count)]
    await asyncio.sleep(0.01)
    release.set()
    await asyncio.gather(*tasks)
    assert slot.active == 0
    return peak


async def test_a_slot_lets_in_no_more_than_its_limit() -> None:
    assert await taken(Slot(3), 10) == 3


async def test_push_back_halves_the_limit_down_to_one() -> None:
    slot = Slot(8)
    peaks = []
    for _ in range(5):
        slot.narrow(0.0)
        peaks.append(await taken(slot, 10))
    assert peaks == [4, 2, 1, 1, 1]


async def test_good_answers_widen_it_again_slowly_and_never_beyond_the_limit() -> None:
    slot = Slot(4)
    slot.narrow(0.0)
    slot.narrow(0.0)
    peaks = []
    for _ in range(30):
        slot.widen()
        peaks.append(await taken(slot, 10))
    assert peaks == sorted(peaks)
    assert (peaks[0], peaks[2], peaks[-1]) == (2, 2, 4)


async def test_a_pause_holds_everybody_back() -> None:
    slot = Slot(2)
    slot.narrow(0.05)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with slot.take():
        waited = loop.time() - started
    assert waited >= 0.045


async def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    slot = Slot(2)
    slot.narrow(0.05)
    slot.narrow(0.0)
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with slot.take():
        assert loop.time() - started >= 0.045


async def test_a_failing_holder_gives_its_place_back() -> None:
    slot = Slot(1)
    with pytest.raises(RuntimeError):
        async with slot.take():
            raise RuntimeError
    assert await taken(slot, 2) == 1


async def test_fewer_may_be_let_in_and_more_again() -> None:
    slot = Slot(8)
    peaks = []
    for most in (2, 8, 3):
        slot.allow(most)
        peaks.append(await taken(slot, 10))
    assert peaks == [2, 8, 3]


async def test_what_push_back_narrowed_stays_narrow_in_another_share() -> None:
    slot = Slot(8)
    slot.narrow(0.0)
    slot.allow(4)
    assert await taken(slot, 10) == 2
    slot.allow(0)
    slot.allow(8)
    assert await taken(slot, 10) == 2


async def test_nobody_gets_in_while_nothing_is_allowed() -> None:
    slot = Slot(2)
    slot.allow(0)
    assert slot.load == math.inf
    waiting = asyncio.create_task(taken(slot, 3))
    await asyncio.sleep(0.02)
    assert slot.active == 0
    slot.allow(1)
    assert await waiting == 1


def test_a_pause_ends_and_a_longer_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pause = Pause()
    assert pause.left == 0
    pause.begin(10)
    now += 4
    pause.begin(2)
    assert pause.left == 6
    pause.begin(20)
    assert pause.left == 20
    now += 20
    assert pause.left == 0
    pause.begin(5)
    pause.end()
    assert pause.left == 0


@pytest.mark.parametrize("step", [-1e9, -1, 60, 1e9])
def test_a_pause_is_over_where_the_clock_is_stepped(
    monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pause = Pause()
    pause.begin(10)
    now += step
    assert pause.left == 0
    pause.begin(10)
    assert pause.left == 10


async def paced(pace: Pace, seconds: float) -> int:
    """Count whom a pace lets through."""
    passed = 0

    async def go() -> None:
        nonlocal passed
        while True:
            await pace.wait()
            passed += 1

    task = asyncio.create_task(go())
    await asyncio.sleep(seconds)
    task.cancel()
    return passed


async def test_whoever_waits_at_an_old_rate_waits_at_the_new_one() -> None:
    async def five(pace: Pace) -> None:
        for _ in range(5):
            await pace.wait()

    pace = Pace(Fraction(1000))
    await pace.allow(Fraction(1, 100))
    waiting = asyncio.create_task(five(pace))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await pace.allow(Fraction(100))
    async with asyncio.timeout(60):  # at the old rate it would take five hundred seconds
        await waiting
    assert loop.time() - began > 0.03


async def test_several_calls_wait_for_each_of_them() -> None:
    loop = asyncio.get_running_loop()
    pace, began = Pace(Fraction(200)), loop.time()
    await pace.wait(300)
    assert loop.time() - began > 0.45  # a second's worth at once, then one every five milliseconds


async def test_as_many_calls_as_fit_need_not_wait() -> None:
    waiting = Pace(Fraction(200)).wait(200)
    with pytest.raises(StopIteration):  # it ends without having waited for anything
        waiting.send(None)


async def test_several_calls_wait_at_the_new_rate_for_those_that_are_left() -> None:
    pace = Pace(Fraction(1, 100))
    waiting = asyncio.create_task(pace.wait(3))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await pace.allow(Fraction(1000))
    async with asyncio.timeout(60):  # at the old rate it would take two hundred seconds
        await waiting


async def test_several_calls_are_not_overtaken_by_single_ones() -> None:
    pace, passed = Pace(Fraction(200)), []

    async def go(name: str, calls: int) -> None:
        await pace.wait(calls)
        passed.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name, calls in [*[("before", 1)] * 200, ("array", 100), *[("after", 1)] * 100]:
            tasks.create_task(go(name, calls))
    assert passed.index("array") == 200


async def test_changing_the_rate_lets_nobody_through_at_once() -> None:
    pace = Pace(Fraction(100))
    for rate in range(20, 40):
        await pace.allow(Fraction(rate))
        assert await paced(pace, 0) == 0
    await pace.allow(None)
    assert await paced(pace, 0.1) == 0


def test_primaries_come_first_and_other_chains_stay_away() -> None:
    other = EndpointSpec(name="z", chain=ChainId("eip155:56"), url="http://z")
    transport = HttpTransport(CHAIN, [spec("w", role="witness"), other, spec("b"), spec("a")])
    assert transport.endpoints == ("b", "a", "w")
    assert [transport.is_witness(name) for name in transport.endpoints] == [False, False, True]


def test_a_file_endpoint_gives_its_path(tmp_path: Path) -> None:
    file = tmp_path / "a dump.dat"
    transport = HttpTransport(CHAIN, [spec("f", url=file.as_uri()), spec("h")])
    assert transport.local_path("f") == file
    assert transport.local_path("h") is None


async def test_with_nobody_to_ask_the_exchange_says_so() -> None:
    found = await HttpTransport(CHAIN, []).exchange_any(Request(body=b"x"), [])
    assert (found.failure, found.endpoint, found.body) == ("no-usable-endpoint", "", b"")


async def test_outside_its_context_the_transport_sends_nothing() -> None:
    with pytest.raises(ConfigError):
        await HttpTransport(CHAIN, [spec("a")]).exchange(Request(), "a")


SECRET = "s3cr3t-k3y-0123456789"


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{SECRET}@host/rpc",
        f"https://{SECRET}@host/rpc",
        f"https://host/v2/{SECRET}",
        f"https://host/rpc?key={SECRET}",
        f"https://host/rpc?{SECRET}",
        f"https://host/rpc#{SECRET}",
    ],
)
def test_no_form_of_an_endpoint_shows_its_credentials(url: str) -> None:
    shown = spec("a", url=url, headers={"Authorization": f"Bearer {SECRET}"})
    transport = HttpTransport(CHAIN, [shown])
    for text in (repr(shown), str(shown), str(shown.redacted()), repr(transport), str([shown])):
        assert SECRET not in text
    assert SECRET not in repr(list(vars(transport).values()))
    assert "host" in repr(shown)


@pytest.mark.parametrize("line", [b'{"me\xffthod":1}', b'{"method":"\xff"}', b"{" * 100_000, b'{"'])
def test_a_line_that_cannot_be_read_is_an_answer_and_no_notification(line: bytes) -> None:
    assert not _is_notification(line)
    assert _is_notification(b'{"method":"blockchain.headers.subscribe"}')
