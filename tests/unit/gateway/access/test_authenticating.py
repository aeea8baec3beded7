"""Whoever shows something is recognized by it, or told that it is nothing."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from appshield.errors import DeniedError, UnavailableError
from appshield.gateway.access.authenticating import Authenticating, Limits
from appshield.gateway.access.limits import Buckets
from appshield.gateway.access.login_links import new_code
from appshield.gateway.access.sessions import Sessions
from appshield.gateway.api.frame.callers import (
    Caller,
    Credentials,
    TooManyRequestsError,
    UnauthenticatedError,
)
from appshield.service import SystemClock
from memory_bus import MemoryBus
from moving_time import MovingTime

ADDRESS = "192.0.2.7"
ANN, BOB, LOCAL = Caller(name="ann"), Caller(name="oidc:bob", how="oidc"), Caller(name="me")


class GivenTokens:
    """Knows the tokens that it was given; asks nobody."""

    def __init__(self, known: Mapping[str, Caller]) -> None:
        self.known = dict(known)
        self.asked: list[str] = []

    def knows(self, token: str) -> bool:
        return token in self.known and token in self.asked

    def concerned(self, token: str) -> bool:
        return token.startswith("provider-")

    async def caller(self, token: str) -> Caller:
        self.asked.append(token)
        if token not in self.known:
            raise UnauthenticatedError("unknown")
        return self.known[token]


class LocalPerson:
    """The local user; away when told so."""

    def __init__(self) -> None:
        self.away = False

    async def caller(self) -> Caller:
        if self.away:
            raise UnavailableError("away")
        return LOCAL


class World:
    """Authenticating over what a test can change."""

    def __init__(self, folder: Path, *, burst: int = 1000, failures: int = 3) -> None:
        self.time = MovingTime()
        self.folder = folder / "logins"
        self.cluster = GivenTokens({"ann-token": ANN})
        self.provider = GivenTokens({"provider-bob": BOB})
        self.local = LocalPerson()
        self.authenticating = Authenticating(
            cluster=self.cluster,
            oidc=self.provider,
            local=self.local,
            sessions=Sessions(MemoryBus(), SystemClock()),
            limits=Limits(
                requests=Buckets(per_s=1, burst=burst, now_s=self.time),
                failures=Buckets(per_s=0.1, burst=failures, now_s=self.time),
            ),
            login_folder=self.folder,
        )

    async def who(
        self,
        *,
        bearer: str = "",
        session: str = "",
        changes: bool = False,
        own_header: bool = False,
    ) -> Caller:
        """Recognize whoever shows this."""
        return await self.authenticating.caller(
            Credentials(
                bearer=bearer,
                session=session,
                address=ADDRESS,
                changes=changes,
                own_header=own_header,
            )
        )

    async def logged_in(self, *, token: str = "") -> str:
        """Log in with a token, else with a link."""
        code = "" if token else new_code(self.folder)
        return await self.log_in(code, token)

    async def log_in(self, code: str, token: str = "") -> str:
        """Log in with what is shown."""
        session = await self.authenticating.recognize(code=code, bearer=token, address=ADDRESS)
        return await self.authenticating.begin(session)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_token_goes_to_whoever_made_it(world: World) -> None:
    """One that says it is of the provider is not shown to the cluster, nor the other way round."""
    assert await world.who(bearer="ann-token") == Caller(name="ann", address=ADDRESS)
    assert (await world.who(bearer="provider-bob")).name == "oidc:bob"
    world.cluster.known["provider-eve"] = ANN
    with pytest.raises(UnauthenticatedError):
        await world.who(bearer="provider-eve")
    assert (world.cluster.asked, world.provider.asked) == (
        ["ann-token"],
        ["provider-bob", "provider-eve"],
    )


async def test_who_shows_nothing_is_nobody(world: World) -> None:
    """And learns how to become somebody."""
    with pytest.raises(UnauthenticatedError, match="appshield web"):
        await world.who()
    with pytest.raises(UnauthenticatedError, match="session has ended"):
        await world.who(session="made-up")


async def test_a_link_logs_the_local_user_in_once(world: World) -> None:
    """As the cluster knows them."""
    code = new_code(world.folder)
    session = await world.log_in(code)
    assert await world.who(session=session) == Caller(name="me", how="session", address=ADDRESS)
    with pytest.raises(UnauthenticatedError, match="used already"):
        await world.log_in(code)


async def test_a_session_ends_with_the_token_that_it_was_begun_with(world: World) -> None:
    """A deleted account is out at once, in browsers, too."""
    session = await world.logged_in(token="ann-token")
    assert await world.who(session=session) == Caller(name="ann", how="session", address=ADDRESS)
    del world.cluster.known["ann-token"]
    with pytest.raises(UnauthenticatedError):
        await world.who(session=session)
    world.cluster.known["ann-token"] = ANN
    with pytest.raises(UnauthenticatedError, match="session has ended"):
        await world.who(session=session)


async def test_a_session_alone_changes_nothing(world: World) -> None:
    """A page of somebody else makes browsers send the cookie, and cannot set the header."""
    session = await world.logged_in()
    with pytest.raises(DeniedError, match="lacks the header X-AppShield"):
        await world.who(session=session, changes=True)
    assert await world.who(session=session, changes=True, own_header=True)
    assert await world.who(session=session)
    assert await world.who(bearer="ann-token", changes=True)


async def test_who_logs_out_is_nobody(world: World) -> None:
    """The cookie is of no use any more."""
    session = await world.logged_in()
    ended = await world.authenticating.end(session)
    assert (ended and ended.caller) == LOCAL
    assert await world.authenticating.end(session) is None
    with pytest.raises(UnauthenticatedError):
        await world.who(session=session)


async def test_a_session_survives_that_the_cluster_is_away(world: World) -> None:
    """It is only not known meanwhile who that is."""
    session = await world.logged_in()
    world.local.away = True
    with pytest.raises(UnavailableError):
        await world.who(session=session)
    world.local.away = False
    assert await world.who(session=session)


async def test_bad_tokens_are_soon_not_listened_to_and_good_ones_are(world: World) -> None:
    """The cluster is spared; who was known a moment ago goes on; time heals."""
    await world.who(bearer="ann-token")
    for number in range(3):
        with pytest.raises(UnauthenticatedError):
            await world.who(bearer=f"bad-{number}")
    with pytest.raises(TooManyRequestsError, match=ADDRESS) as refused:
        await world.who(bearer="bad-3")
    assert refused.value.retry_after_s == 10
    assert "bad-3" not in world.cluster.asked
    assert await world.who(bearer="ann-token")
    assert await world.who(bearer="provider-bob")  # verified here, and never seen before
    with pytest.raises(TooManyRequestsError, match=ADDRESS):
        await world.who(bearer="provider-eve")
    world.time.now_s += 10
    with pytest.raises(UnauthenticatedError):
        await world.who(bearer="bad-4")


async def test_bad_links_are_soon_not_listened_to(world: World) -> None:
    """Nor is a good one then."""
    for _ in range(3):
        with pytest.raises(UnauthenticatedError):
            await world.log_in("bad")
    with pytest.raises(TooManyRequestsError):
        await world.logged_in()


async def test_an_old_cookie_locks_nobody_out(world: World) -> None:
    """A page that was open while the gateway started again asks on and on."""
    for _ in range(20):
        with pytest.raises(UnauthenticatedError):
            await world.who(session="of-before")
    assert await world.logged_in()


async def test_each_caller_has_a_limit_of_their_own(tmp_path: Path) -> None:
    """However they are recognized; the answer says when to ask again."""
    world = World(tmp_path, burst=2)
    for _ in range(2):
        await world.who(bearer="ann-token")
    with pytest.raises(TooManyRequestsError, match="ann asks too often") as refused:
        await world.who(bearer="ann-token")
    assert refused.value.retry_after_s == 1
    assert await world.who(bearer="provider-bob")


async def test_without_a_folder_there_are_no_links(world: World) -> None:
    """In a cluster people have tokens."""
    code = new_code(world.folder)
    authenticating = Authenticating(
        cluster=world.cluster,
        oidc=None,
        local=world.local,
        sessions=Sessions(MemoryBus(), SystemClock()),
        limits=Limits(requests=Buckets(per_s=1, burst=1), failures=Buckets(per_s=1, burst=1)),
        login_folder=None,
    )
    with pytest.raises(UnauthenticatedError):
        await authenticating.recognize(code=code, bearer="", address=ADDRESS)
