"""A failure says why in the hook's own words, without what the hook was trusted with."""

import base64

import pytest

from appshield.capture import CapturedComponent, CapturedHook, Discretion
from appshield.capture.discretion import TOLD_CHARACTERS_MAX

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "db"},
    "data": {"password": base64.b64encode(b"correct horse\nbattery staple").decode()},
}
WORKLOAD = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db"},
    "spec": {
        "template": {
            "spec": {"containers": [{"name": "main", "env": [{"name": "T", "value": "tok-99"}]}]}
        }
    },
}


def component(*command: str) -> CapturedComponent:
    return CapturedComponent(name="db", dump=CapturedHook(command=command))


@pytest.mark.parametrize(
    "secret",
    [
        "correct horse",
        "battery staple",
        base64.b64encode(b"correct horse\nbattery staple").decode(),
        "tok-99",
    ],
)
def test_values_of_the_application_are_hidden(secret: str) -> None:
    """Of Secrets line by line and as they are written down, of environments as they stand."""
    told = Discretion.of([SECRET, WORKLOAD], []).told(f"cannot log in with <{secret}> here\n")
    assert told == "cannot log in with <[hidden]> here"


@pytest.mark.parametrize(
    ("command", "words", "told"),
    [
        (("dump", "--password=hunter2-hunter2"), "bad hunter2-hunter2", "bad [hidden]"),
        (("dump", "-phunter2-hunter2"), "bad hunter2-hunter2", "bad [hidden]"),
        (("dump", "hunter2-hunter2"), "bad hunter2-hunter2", "bad [hidden]"),
        (("sh", "-c", "pg_dumpall -U admin"), "sh: pg_dumpall: not found", "="),
        (("sh", "-c", "a && mysqldump x"), "sh: mysqldump: not found", "="),
        (("cat", "/data/rows/file"), "cat: /data/rows/file: No such file", "="),
        (("sh", "-c", "login 'aGVs/bG8hISE='"), "+ login aGVs/bG8hISE=", "+ login [hidden]="),
        (("psql", "postgres://me:hunter2-hunter2@db/x"), "hunter2-hunter2?", "[hidden]?"),
    ],
)
def test_of_a_command_the_programs_and_paths_may_be_told(
    command: tuple[str, ...], words: str, told: str
) -> None:
    """What is left says what went wrong; what was passed as a value does not appear."""
    assert Discretion.of([], [component(*command)]).told(words) == (words if told == "=" else told)


def test_a_secret_that_the_end_would_cut_in_half_is_hidden_whole() -> None:
    """Hiding comes before cutting; what is told has a limit."""
    told = Discretion.of([SECRET], []).told("correct horse" + "." * (TOLD_CHARACTERS_MAX - 3))
    assert "horse" not in told
    assert len(told) == TOLD_CHARACTERS_MAX


def test_a_secret_within_another_does_not_leave_the_rest_of_it() -> None:
    """The longest is hidden first."""
    assert Discretion(["pass", "pass-and-more"]).told("x pass-and-more y") == "x [hidden] y"
