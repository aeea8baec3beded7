"""An answer goes to whoever waits for it, at once, and to nobody else."""

from types import SimpleNamespace
from typing import cast

from nats.aio.msg import Msg

from appshield.bus.answers import Answers
from appshield.bus.inbox import Incoming
from appshield.errors import UnavailableError


def message(subject: str, data: bytes = b"answer") -> Msg:
    return cast("Msg", SimpleNamespace(subject=subject, reply="", data=data, headers=None))


async def test_each_answer_goes_to_who_asked_for_it() -> None:
    """Whatever their order; a second one to the same question is dropped."""
    answers = Answers()
    with answers.awaited("first") as (one, first), answers.awaited("second") as (other, second):
        answers.receive(message(f"_INBOX.place.{other}", b"second"))
        answers.receive(message(f"_INBOX.place.{one}", b"first"))
        answers.receive(message(f"_INBOX.place.{one}", b"again"))
        found = await first, await second
    assert [one.body for one in found if isinstance(one, Incoming)] == [b"first", b"second"]


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped() -> None:
    """Whoever asked has given up."""
    answers = Answers()
    with answers.awaited("first") as (name, answer):
        pass
    answers.receive(message(f"_INBOX.place.{name}"))
    assert not answer.done()


async def test_an_error_ends_those_who_asked_there_and_an_outage_all() -> None:
    """The subject of a refusal comes in small letters."""
    answers, refused, lost = Answers(), UnavailableError("refused"), UnavailableError("lost")
    with answers.awaited("Some.Subject") as (_, one), answers.awaited("other") as (_, other):
        answers.end("some.subject", refused)
        assert (await one, other.done()) == (refused, False)
        answers.end_all(lost)
        assert (await one, await other) == (refused, lost)
