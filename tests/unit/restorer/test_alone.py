"""Two loaders never write one volume, whatever a process that was stopped believes."""

import os
from pathlib import Path

import pytest

from appshield.errors import UnavailableError
from appshield.restorer.devices import alone


def test_a_second_loader_of_a_volume_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    """Each has opened the directory itself, as two processes would."""
    first, second = (os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY) for _ in range(2))
    refused = pytest.raises(UnavailableError, match="another loader")
    try:
        with alone(first, "data"), refused, alone(second, "data"):
            raise AssertionError("both write")
        with alone(second, "data"):
            assert os.fstat(second)
    finally:
        os.close(first)
        os.close(second)
