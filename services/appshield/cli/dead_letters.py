"""`appshield dead`: messages that could not be handled, to look at and to send again."""

from typing import Annotated

from cyclopts import Parameter

from appshield.bus import DeadLetter, DeadLetters
from appshield.cli.options import Output
from appshield.cli.output import note, say, say_json, say_table, time_text
from appshield.cli.reaching import OPERATOR, Reach
from appshield.errors import InvalidInputError


async def show(
    *,
    service: Annotated[str, Parameter(help="Only those of one service.")] = "",
    output: Output = "text",
) -> None:
    """List the messages that could not be handled, and why."""
    async with Reach.here().bus() as bus:
        letters = await DeadLetters(bus).list(service)
    if output == "json":
        say_json(letters)
        return
    say_table(
        ("NUMBER", "SERVICE", "PARKED AT", "DELIVERIES", "SUBJECT", "REASON"),
        [_row(letter) for letter in letters],
        empty="there are no dead letters",
    )


async def replay(
    numbers: Annotated[list[int] | None, Parameter(name="NUMBER", help="Which, by number.")] = None,
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="All of them.")] = False,
) -> None:
    """Send messages again where they were, as new ones; replaying twice sends once."""
    if bool(numbers) == all_:
        raise InvalidInputError(
            "it is not clear what to replay", next_step="Give numbers, or --all."
        )
    async with Reach.here().bus(OPERATOR) as bus:
        letters = DeadLetters(bus)
        chosen = numbers or [letter.sequence for letter in await letters.list()]
        for number in chosen:
            receipt = await letters.replay(number)
            say(f"{number} replayed into {receipt.stream} as {receipt.sequence}")
    if not chosen:
        note("there are no dead letters")


def _row(letter: DeadLetter) -> tuple[str, ...]:
    return (
        str(letter.sequence),
        letter.service,
        time_text(letter.parked_at),
        str(letter.deliveries),
        letter.subject,
        letter.reason,
    )
