"""Sessions end in time, survive a restart, and are known by nothing but their names."""

import json
from datetime import UTC, datetime, timedelta

import msgspec

from appshield.contracts.sessions import KeptSession
from appshield.contracts.streams import SESSIONS
from appshield.gateway.access.sessions import AS_TOLD_LIVES, IDLE, LIVES, Sessions
from appshield.gateway.api.frame.callers import Caller
from appshield.gateway.api.frame.logins import Session
from fixed_clock import FixedClock
from memory_bus import MemoryBus

AT = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Session(caller=Caller(name="ann", groups=("sales",)), bearer="a token")
TOLD = Session(caller=Caller(name="oidc:bob", how="oidc"), as_told=True)


class World:
    """Sessions over a bus and a clock."""

    def __init__(self) -> None:
        self.bus, self.clock = MemoryBus(), FixedClock(AT)
        self.sessions = Sessions(self.bus, self.clock)

    async def used_until(self, name: str, lives: timedelta) -> timedelta:
        """Use a session often; return after how long it had ended."""
        while await self.sessions.of(name) is not None:
            self.clock.at += timedelta(minutes=30)
            assert self.clock.at <= AT + lives
        return self.clock.at - AT


async def test_a_session_is_known_after_a_restart() -> None:
    """With all that it holds."""
    world = World()
    name = await world.sessions.begin(ANN)
    again = Sessions(world.bus, world.clock)
    assert await again.of(name) == ANN


async def test_a_session_ends_after_its_life_even_when_it_is_used() -> None:
    """A stolen cookie is of no use for ever; what a provider once said is believed for less."""
    world = World()
    assert await world.used_until(await world.sessions.begin(ANN), LIVES) == LIVES
    world = World()
    told = await world.used_until(await world.sessions.begin(TOLD), LIVES)
    assert told == AS_TOLD_LIVES < LIVES


async def test_a_session_that_nobody_uses_ends() -> None:
    """And stays so, also for a clock that goes back."""
    world = World()
    name = await world.sessions.begin(ANN)
    world.clock.at = AT + IDLE - timedelta(seconds=1)
    assert await world.sessions.of(name)
    world.clock.at += IDLE
    assert await world.sessions.of(name) is None
    world.clock.at = AT
    assert await world.sessions.of(name) is None


async def test_use_is_not_noted_with_every_request() -> None:
    """A page that asks often writes seldom."""
    world = World()
    name = await world.sessions.begin(ANN)
    bucket = world.bus.bucket(SESSIONS, KeptSession)
    for _ in range(20):
        await world.sessions.of(name)
        world.clock.at += timedelta(seconds=5)
    (entry,) = [one async for one in bucket.items()]
    assert entry.revision == 2


async def test_who_logs_out_is_out() -> None:
    """The name is of no use any more; other sessions go on."""
    sessions = World().sessions
    name, other = await sessions.begin(ANN), await sessions.begin(TOLD)
    await sessions.end(name)
    assert (await sessions.of(name), await sessions.of(other)) == (None, TOLD)


async def test_names_are_long_and_made_at_random() -> None:
    """Nobody guesses one."""
    sessions = World().sessions
    names = {await sessions.begin(ANN) for _ in range(100)}
    assert len(names) == 100
    assert min(map(len, names)) >= 43
    assert await sessions.of("") is None
    assert await sessions.of("made-up") is None


async def test_who_reads_the_bus_learns_nothing() -> None:
    """No name, no token, nobody; and what was sealed for one session opens no other."""
    world = World()
    name, other = await world.sessions.begin(ANN), await world.sessions.begin(TOLD)
    bucket = world.bus.bucket(SESSIONS, KeptSession)
    entries = {entry.key: entry.value async for entry in bucket.items()}
    written = json.dumps(msgspec.to_builtins(entries))
    for secret in (name, other, "a token", "ann", "sales"):
        assert secret not in written
        assert secret.encode() not in b"".join(one.sealed for one in entries.values())
    first, second = entries
    await bucket.put(first, entries[second])
    await bucket.put(second, entries[first])
    assert (await world.sessions.of(name), await world.sessions.of(other)) == (None, None)


def test_a_session_shows_nothing_of_its_token() -> None:
    """It may come into a log."""
    assert "a token" not in repr(ANN)
