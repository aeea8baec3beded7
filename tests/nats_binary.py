"""The NATS command line `nats`, for tests: built once from the Go module proxy."""

from pathlib import Path

import pytest

from go_programs import built_program


def built_nats() -> Path:
    """Return the program, built now if it is not there."""
    return built_program(
        "nats", module="github.com/nats-io/natscli", version="0.3.0", package="./nats"
    )


@pytest.fixture(scope="session")
def nats_cli() -> Path:
    """The program `nats`."""
    return built_nats()
