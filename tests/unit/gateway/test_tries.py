"""Of what was tried in vain, who and what are told, and a flood leaves its number."""

from appshield.gateway.api.frame.tries import (
    OF_ALL_MAX,
    OF_ONE_MAX,
    OF_STRANGERS_MAX,
    Tried,
    Tries,
)


def test_each_thing_that_somebody_tries_is_told_once_with_how_often_more() -> None:
    """Others, and other things, by themselves."""
    tries = Tries()
    begun = [tries.begun("ann", "GET /a", known=True) for _ in range(10)]
    assert begun == [Tried("ann", "GET /a"), *[None] * 9]
    assert tries.begun("ann", "GET /b", known=True) == Tried("ann", "GET /b")
    assert tries.begun("bob", "GET /a", known=True) == Tried("bob", "GET /a")
    assert tries.closed(Tried("ann", "GET /a"), known=True) == 9
    assert tries.begun("ann", "GET /a", known=True) == Tried("ann", "GET /a")
    assert tries.closed(Tried("ann", "GET /a"), known=True) == 0


def test_of_one_who_tries_too_many_things_it_is_told_who() -> None:
    """And nobody else is less told for that."""
    tries = Tries()
    begun = [tries.begun("ann", f"GET /{number}", known=True) for number in range(1_000)]
    told = [one for one in begun if one is not None]
    assert told[-1] == Tried("ann", "")
    assert len(told) == OF_ONE_MAX + 1
    assert tries.closed(Tried("ann", ""), known=True) == 1_000 - OF_ONE_MAX - 1
    assert tries.begun("bob", "GET /a", known=True) == Tried("bob", "GET /a")


def test_strangers_are_one_however_many_addresses_they_have() -> None:
    """Their number is told, and who is known is told all the same."""
    tries = Tries()
    begun = [tries.begun(f"10.0.0.{number}", "GET /", known=False) for number in range(500)]
    told = [one for one in begun if one is not None]
    assert len(told) == OF_STRANGERS_MAX + 1
    assert tries.closed(Tried("", ""), known=False) == 500 - OF_STRANGERS_MAX - 1
    assert tries.begun("ann", "GET /", known=True) is not None


def test_memory_has_a_bound_whoever_comes() -> None:
    """And is given back when windows close."""
    tries = Tries()
    begun = [tries.begun(f"user-{number}", "GET /", known=True) for number in range(10_000)]
    told = [one for one in begun if one is not None]
    assert len(told) == OF_ALL_MAX + 1
    for one in told:
        tries.closed(one, known=True)
    assert tries.begun("ann", "GET /", known=True) == Tried("ann", "GET /")
