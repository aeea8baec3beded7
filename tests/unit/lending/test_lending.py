"""Lending and borrowing over a bus in memory: what an agent gets, and what it is told instead."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from nacl.public import PrivateKey

from appshield.contracts import encode
from appshield.contracts.agents import LockRecord
from appshield.contracts.audit import AuditEvent
from appshield.contracts.lending import BorrowKey, KeyLent
from appshield.contracts.streams import OBSERVATIONS, REPOSITORY_LOCKS
from appshield.custody import Custody
from appshield.errors import DamagedError, DeniedError, InvalidInputError, UnavailableError
from appshield.lending.sealing import opened_loan, sealed_loan
from appshield.objectstore import FolderAccess, FolderObjectStore
from appshield.repository import Reader
from appshield.vault import RepositoryAccess
from lending_scene import (
    BANK,
    ELSEWHERE,
    SHOP,
    OneVault,
    agent_on,
    lending,
    order_of,
    put_on_record,
    run_of,
)
from memory_bus import MemoryBus
from waiting import wait_until
from wanted_step import WantedStep


@pytest.fixture
def keys(tmp_path: Path) -> OneVault:
    return OneVault(tmp_path / "vault")


async def test_an_agent_opens_the_repository_of_its_order(keys: OneVault) -> None:
    """It holds it locked, and lets it go."""
    bus = MemoryBus("uploader")
    order = order_of(await put_on_record(bus, run_of(SHOP)))
    async with lending(bus, keys), agent_on(bus).held(order, WantedStep()) as held:
        assert Reader(held.repository)
        [record] = [one.value async for one in bus.bucket(REPOSITORY_LOCKS, LockRecord).items()]
        assert record.agent == "agents.uploader.test.node-1."
    assert await bus.bucket(REPOSITORY_LOCKS, LockRecord).keys() == []


async def test_another_applications_key_is_refused_and_that_is_on_record(keys: OneVault) -> None:
    """Whether its run is under way elsewhere, or it is asked for within the agent's own run."""
    bus = MemoryBus("uploader")
    own = await put_on_record(bus, run_of(SHOP))
    others = await put_on_record(bus, run_of(BANK, node=ELSEWHERE))
    async with lending(bus, keys):
        with pytest.raises(DeniedError, match=r"is not lent to node-1: step .* was not given to"):
            await agent_on(bus).borrowed(order_of(others))
        with pytest.raises(DeniedError, match="about another repository than a-bank"):
            await agent_on(bus).borrowed(order_of(own, app_id=BANK))
    refused = [one for one in bus.published(OBSERVATIONS) if isinstance(one, AuditEvent)]
    assert [(one.action, one.outcome, one.object) for one in refused[:1]] == [
        ("lend-key", "refused", BANK)
    ]
    assert not [one for _, one in bus.told if isinstance(one, KeyLent)]


async def test_a_key_is_not_lent_any_more_when_the_run_was_cancelled(keys: OneVault) -> None:
    """A message that comes late opens nothing."""
    bus = MemoryBus("uploader")
    order = order_of(await put_on_record(bus, run_of(SHOP)))
    await put_on_record(bus, run_of(SHOP), state="cancelled")
    async with lending(bus, keys):
        with pytest.raises(DeniedError, match="the run has cancelled"):
            await agent_on(bus).borrowed(order)


async def test_a_vault_that_is_away_fails_the_attempt_and_not_the_run(keys: OneVault) -> None:
    """What may be better the next time is told as such, in the words of who lends."""
    bus = MemoryBus("uploader")
    order = order_of(await put_on_record(bus, run_of(SHOP)))
    keys.failure = UnavailableError("the store is away", next_step="Look at it.")
    async with lending(bus, keys):
        with pytest.raises(UnavailableError, match=r"the store is away\. Look at it\."):
            await agent_on(bus).borrowed(order)
        keys.failure = None
        assert (await agent_on(bus).borrowed(order)).password == keys.password(SHOP)


async def test_nobody_who_lends_is_named_with_what_to_do(keys: OneVault) -> None:
    """The step is tried again; so is one whose lender comes back in time."""
    bus = MemoryBus("uploader")
    order = order_of(await put_on_record(bus, run_of(SHOP)))
    with pytest.raises(UnavailableError, match=r"no uploader has answered within 0\.05 s"):
        await agent_on(bus, answered_within_s=0.05).borrowed(order)
    asking = asyncio.create_task(agent_on(bus).borrowed(order))
    await asyncio.sleep(0)  # it asks before anybody lends
    async with lending(bus, keys):
        assert (await asking).password == keys.password(SHOP)


async def test_a_word_that_is_not_from_the_agent_it_names_is_not_heard(keys: OneVault) -> None:
    """The server lets each agent ask on its own subject only, and that one counts."""
    bus = MemoryBus("uploader")
    run = await put_on_record(bus, run_of(SHOP))
    ours = PrivateKey.generate()
    asked = BorrowKey(
        app=run.app,
        service="uploader",
        node="node-1",
        request_id="q",
        run=run.id,
        step=run.steps[0].name,
        attempt=1,
        epoch=3,
        app_id=SHOP,
        vault="main",
        public_key=bytes(ours.public_key),
    )
    async with lending(bus, keys):
        await bus.tell(asked.subject().replace("node-1", "node-2"), asked)
        await agent_on(bus).borrowed(order_of(run))  # by now the other would be answered, too
    answers = [one for _, one in bus.told if isinstance(one, KeyLent)]
    assert [one.request_id == "q" for one in answers] == [False]


async def test_nothing_that_is_told_can_be_read_by_others(keys: OneVault) -> None:
    """Neither the password nor the place stands in it."""
    bus = MemoryBus("uploader")
    order = order_of(await put_on_record(bus, run_of(SHOP)))
    async with lending(bus, keys):
        lent = await agent_on(bus).borrowed(order)
    words = b"".join(encode(message) for _, message in bus.told)
    assert b"appshield.v1.key_lent" in words
    assert lent.password.encode() not in words
    assert repr(lent) == "RepositoryAccess(…)"


def test_a_loan_opens_for_its_request_and_its_key_alone() -> None:
    """Altered, for another, or of another request it is damaged; a key that is none is told."""
    access, ours = RepositoryAccess(FolderAccess("/x"), "secret"), PrivateKey.generate()
    sealed = sealed_loan(access, request_id="q", public_key=bytes(ours.public_key))
    assert opened_loan(sealed, request_id="q", private_key=ours) == access
    with pytest.raises(DamagedError, match="not the one that was asked for"):
        opened_loan(sealed, request_id="other", private_key=ours)
    for wrong, key in ((sealed, PrivateKey.generate()), (sealed[:-1] + b"\0", ours), (b"", ours)):
        with pytest.raises(DamagedError, match="does not open"):
            opened_loan(wrong, request_id="q", private_key=key)
    with pytest.raises(InvalidInputError, match="is none"):
        sealed_loan(access, request_id="q", public_key=b"short")


@pytest.mark.parametrize("who", ["who sweeps", "who locks alone"])
async def test_a_lock_that_an_agent_may_not_delete_is_removed_by_who_may(
    who: str, keys: OneVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, though the agent lives: it has let the lock go."""
    bus = MemoryBus("uploader")
    order = order_of(await put_on_record(bus, run_of(SHOP)))
    locks = FolderObjectStore(Path(keys.store.folder) / "applications" / SHOP / "repository")

    def refuse(_: FolderObjectStore, name: str) -> None:
        raise DeniedError(f"this key may not delete {name}")

    with monkeypatch.context() as patch:
        patch.setattr(FolderObjectStore, "delete", refuse)
        async with lending(bus, keys), agent_on(bus).held(order, WantedStep()):
            pass
    assert len(list(locks.list("locks"))) == 1
    custody = Custody(bus=bus, vaults=keys, worker="uploader")
    if who == "who sweeps":
        stopping = asyncio.Event()
        sweeping = asyncio.create_task(custody.keep_swept(stopping))
        await wait_until(lambda: not list(locks.list("locks")), deadline_s=30, what="removed")
        stopping.set()
        await sweeping
    else:
        async with custody.held_alone("main", SHOP):
            pass
    assert list(locks.list("locks")) == []
    assert await bus.bucket(REPOSITORY_LOCKS, LockRecord).keys() == []


async def test_an_agents_word_about_the_locks_of_others_counts_for_nothing(keys: OneVault) -> None:
    """A record counts where its own key says, and for what can be a lock."""
    bus = MemoryBus("uploader")
    bucket = bus.bucket(REPOSITORY_LOCKS, LockRecord)
    custody = Custody(bus=bus, vaults=keys, worker="uploader")
    async with custody.held("main", SHOP) as held:
        [entry] = [one async for one in bucket.items()]
        gone = msgspec.structs.replace(entry.value, let_go=True)
        await bucket.put(f"agents.uploader.test.node-1.{entry.key}", gone)
        beside = msgspec.structs.replace(
            gone, agent="agents.uploader.test.node-1.", lock_id="keys/x"
        )
        await bucket.put(beside.key(), beside)
        assert await custody.sweep() == 0
        held.lock.ensure_held()
