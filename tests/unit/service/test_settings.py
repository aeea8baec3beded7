"""Settings come from the environment, typed, with everything that is wrong told at once."""

from pathlib import Path

import pytest

from appshield.errors import InvalidInputError
from appshield.service import ServiceSettings, read_settings


class Group(ServiceSettings, frozen=True, kw_only=True):
    root: Path = Path("/default")
    names: tuple[str, ...] = ()
    keep: bool = False


PREFIX = "APPSHIELD_X_"
NEEDED = {"APPSHIELD_X_NATS_URL": "nats://here", "APPSHIELD_X_CLUSTER": "c"}


def read(**more: str) -> Group:
    return read_settings(Group, {**NEEDED, **more, "PATH": "/bin", "APPSHIELD_Y_Z": "1"}, PREFIX)


def test_values_get_the_types_of_their_fields() -> None:
    """Numbers, paths, truth and lists by comma; other programs' variables are no concern."""
    found = read(
        APPSHIELD_X_HEALTH_PORT="8080",
        APPSHIELD_X_ROOT="/somewhere",
        APPSHIELD_X_NAMES="a, b,,c",
        APPSHIELD_X_KEEP="true",
        APPSHIELD_X_STOP_DEADLINE_S="2.5",
    )
    assert (found.health_port, found.root, found.names) == (
        8080,
        Path("/somewhere"),
        ("a", "b", "c"),
    )
    assert (found.keep, found.stop_deadline_s, found.nats_url) == (True, 2.5, "nats://here")


def test_what_is_not_set_has_its_default() -> None:
    """Only what cannot be guessed has to be said."""
    found = read()
    assert (found.root, found.names, found.keep) == (Path("/default"), (), False)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """A missing, a misspelt, an impossible and an unknown one, each by its variable."""
    with pytest.raises(InvalidInputError) as caught:
        read_settings(
            Group,
            {
                "APPSHIELD_X_NATS_URLS": "nats://here",
                "APPSHIELD_X_CLUSTER": "c",
                "APPSHIELD_X_HEALTH_PORT": "many",
                "APPSHIELD_X_LOG_LEVEL": "loud",
                "APPSHIELD_X_COLOUR": "blue",
            },
            PREFIX,
        )
    text = str(caught.value)
    assert "APPSHIELD_X_NATS_URLS is unknown; did you mean APPSHIELD_X_NATS_URL?" in text
    assert "APPSHIELD_X_NATS_URL is missing" in text
    assert "APPSHIELD_X_HEALTH_PORT='many'" in text
    assert "APPSHIELD_X_LOG_LEVEL='loud'" in text
    assert "APPSHIELD_X_COLOUR is unknown" in text
    assert text.endswith("Correct these environment variables and start again.")
