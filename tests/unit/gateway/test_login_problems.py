"""A login at a provider that came to nothing: the page has something to say of every reason."""

import re
from pathlib import Path
from typing import get_args

import pytest

from appshield.gateway.api.frame.logins import LoginProblem

WEB = Path(__file__).parents[3] / "services/appshield/gateway/web/src"
REASONS = get_args(LoginProblem)


def test_the_page_knows_every_reason_that_the_gateway_gives() -> None:
    """And none that it never gives."""
    source = (WEB / "api/session.ts").read_text()
    listed = re.search(r"LOGIN_PROBLEMS = \[(.*?)\]", source, re.DOTALL)
    assert listed is not None
    assert tuple(re.findall(r'"([a-z-]+)"', listed[1])) == REASONS


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_reason_has_a_text_and_a_next_step(language: str) -> None:
    """In each language."""
    texts = (WEB / f"i18n/{language}/shell.ts").read_text()
    wanted = [f"login.problem.{reason}{part}" for reason in REASONS for part in ("", ".next")]
    found = re.findall(r'"(login\.problem\.[a-z.-]+)":\s+"[^"]+"', texts)
    assert sorted(found) == sorted(wanted)
