"""What a log shows of an error: where it came from, and none of the values that were at hand."""

from collections.abc import Callable

import pytest
import structlog

from appshield.cli.output import quiet_logs
from appshield.service import set_up_logs


def to_a_machine() -> None:
    set_up_logs("gateway", form="json")


def to_a_person() -> None:
    set_up_logs("gateway", form="console")


@pytest.fixture(autouse=True)
def _as_before() -> object:
    before = structlog.get_config()
    yield
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)


@pytest.mark.parametrize("set_up", [to_a_machine, to_a_person, quiet_logs])
def test_a_traceback_shows_no_variables(
    set_up: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Tokens and keys are variables of whatever fails."""
    set_up()
    _fail_with("planted-secret")
    shown = capsys.readouterr().err
    assert "ValueError: something failed" in shown
    assert "planted-secret" not in shown


def _fail_with(bearer: str) -> None:
    try:
        _send({"authorization": f"Bearer {bearer}"})
    except ValueError as error:
        structlog.get_logger().error("a request failed", exc_info=error)


def _send(headers: dict[str, str]) -> None:
    raise ValueError("something failed" if headers else "")
