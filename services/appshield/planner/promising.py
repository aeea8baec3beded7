"""Promises: messages written together with the state that causes them, published after it."""

from datetime import datetime

import msgspec

from appshield.contracts import encode, subjects
from appshield.contracts.message import Message
from appshield.contracts.runs import OutboxEntry, Run, Wait, WaitOver


def promise(message: Message) -> OutboxEntry:
    """Promise to publish a message on its own subject."""
    return OutboxEntry(
        subject=message.subject(),
        message_id=message.message_id(),
        body=msgspec.Raw(encode(message)),
    )


def promise_timer(name: str, message: Message, at: datetime) -> OutboxEntry:
    """Promise that `message` arrives at `at`; the same name again replaces the timer."""
    return OutboxEntry(
        subject=subjects.timer(name),
        message_id=f"{message.message_id()}.{int(at.timestamp() * 1000)}",
        body=msgspec.Raw(encode(message)),
        at=at,
    )


def step_timer(run_id: str, step: str) -> str:
    """Name the timer of a step."""
    return f"step.{run_id}.{step}"


def promise_wait(run: Run, wait: Wait | None) -> tuple[OutboxEntry, ...]:
    """Promise that it is told when a run has waited long enough; nothing for one that does not."""
    if wait is None or wait.until is None:
        return ()
    over = WaitOver(app=run.app, run=run.id, at=wait.until)
    return (promise_timer(f"wait.{run.id}", over, wait.until),)
