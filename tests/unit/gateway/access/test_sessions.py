"""Sessions end in time, are bounded, and are known by nothing but their names."""

from appshield.gateway.access.sessions import Session, Sessions
from moving_time import MovingTime

TOKEN = Session(bearer="a token")


def test_a_session_ends_after_its_life_even_when_it_is_used() -> None:
    """A stolen cookie is of no use for ever."""
    time = MovingTime()
    sessions = Sessions(lives_s=100, idle_s=30, now_s=time)
    name = sessions.begin(TOKEN)
    for now_s in range(0, 100, 20):
        time.now_s = now_s
        assert sessions.of(name) == TOKEN
    time.now_s = 100
    assert sessions.of(name) is None


def test_a_session_that_nobody_uses_ends() -> None:
    """And stays so."""
    time = MovingTime()
    sessions = Sessions(lives_s=100, idle_s=30, now_s=time)
    name = sessions.begin(TOKEN)
    time.now_s = 30
    assert sessions.of(name) is None
    time.now_s = 1
    assert sessions.of(name) is None


def test_who_logs_out_is_out() -> None:
    """The name is of no use any more; other sessions go on."""
    sessions = Sessions()
    name, other = sessions.begin(TOKEN), sessions.begin(Session())
    sessions.end(name)
    assert (sessions.of(name), sessions.of(other)) == (None, Session())


def test_names_are_long_and_made_at_random() -> None:
    """Nobody guesses one."""
    sessions = Sessions()
    names = {sessions.begin(TOKEN) for _ in range(100)}
    assert len(names) == 100
    assert min(map(len, names)) >= 43
    assert sessions.of("") is None


def test_the_number_of_sessions_is_bounded() -> None:
    """Those that were not used for longest go first."""
    sessions = Sessions(entries_max=2)
    first, second = sessions.begin(TOKEN), sessions.begin(TOKEN)
    sessions.of(first)
    third = sessions.begin(TOKEN)
    assert [sessions.of(name) is not None for name in (first, second, third)] == [
        True,
        False,
        True,
    ]


def test_a_session_shows_nothing_of_its_token() -> None:
    """It may come into a log."""
    assert "a token" not in repr(TOKEN)
