"""Programs that selected tests need are made before the first test, not within its time limit.

What is missing is installed or built once; what cannot be is said by the tests that need it.
"""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from browsers import built_website, ensure_chromium
from compose_binary import built_compose
from containers import ensure_docker
from native_library import built_native
from nats_binary import built_nats
from restic_binary import built_restic, debian_package

NEEDED_BY: dict[str, tuple[str, Callable[[], Any]]] = {
    "restic": ("restic from its source, about two minutes the first time", built_restic),
    "nats_cli": ("the NATS command line from its source, about two minutes", built_nats),
    "docker_compose": ("docker compose from its source, about four minutes", built_compose),
    "debian_restic": ("Debian's restic", debian_package),
    "engine": ("Debian's container engine", ensure_docker),
    "browser": ("Debian's Chromium", ensure_chromium),
    "website_source": ("the web interface, about a minute the first time", built_website),
    "native_library": ("a compiler of Debian", built_native),
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make what the selected tests ask for, themselves or through other fixtures."""
    if session.config.option.collectonly:
        return
    wanted = {name for item in session.items for name in _fixtures_of(item)}
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    for fixture, (what, make) in NEEDED_BY.items():
        if fixture not in wanted:
            continue
        try:
            make()
        except (AssertionError, OSError, subprocess.CalledProcessError) as error:
            if terminal is not None:
                terminal.write_line(f"could not get {what}: {error}")


def _fixtures_of(item: pytest.Item) -> set[str]:
    names = {*getattr(item, "fixturenames", ())}
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    names |= {str(value) for value in parameters.values()}
    if any("in a container" in name for name in names):
        names.add("engine")
    return names
