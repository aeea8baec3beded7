"""`docker compose`, the plugin of the container engine: built once from the Go module proxy."""

from pathlib import Path

import pytest

from go_programs import built_program


def built_compose() -> Path:
    """Return the plugin, built now if it is not there; it runs without the engine."""
    return built_program(
        "docker-compose", module="github.com/docker/compose/v2", version="2.38.2", package="./cmd"
    )


@pytest.fixture(scope="session")
def docker_compose() -> Path:
    """The program behind `docker compose`."""
    return built_compose()
