"""Unit tests of the repository open hundreds of them."""

import pytest


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the derivation of a key from a password cost nothing; its strength has own tests."""
    monkeypatch.setattr("appshield.repository.keys.SCRYPT_N", 2)
