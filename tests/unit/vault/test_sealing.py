"""A seal opens for the right key, purpose and name, and for nothing else."""

import pytest

from appshield.errors import DamagedError
from appshield.vault.root_key import RootKeyError
from appshield.vault.sealing import Seal

ROOT_KEY = bytes(range(32))


def test_what_was_sealed_opens() -> None:
    """And its content is not in the sealed bytes."""
    sealed = Seal(ROOT_KEY).close(b"content", purpose="pin", name="a/b")
    assert Seal(ROOT_KEY).open(sealed, purpose="pin", name="a/b") == b"content"
    assert b"content" not in sealed


def test_the_same_content_is_never_sealed_twice_alike() -> None:
    """Whoever sees the bucket cannot tell that two contents are equal."""
    seal = Seal(ROOT_KEY)
    assert seal.close(b"x", purpose="p", name="n") != seal.close(b"x", purpose="p", name="n")


@pytest.mark.parametrize(
    ("key", "purpose", "name"),
    [(bytes(32), "p", "n"), (ROOT_KEY, "other", "n"), (ROOT_KEY, "p", "other")],
)
def test_another_key_purpose_or_name_does_not_open_it(key: bytes, purpose: str, name: str) -> None:
    """Objects cannot be swapped or reused for something else."""
    sealed = Seal(ROOT_KEY).close(b"content", purpose="p", name="n")
    with pytest.raises(DamagedError, match=name):
        Seal(key).open(sealed, purpose=purpose, name=name)


def test_every_flipped_bit_and_every_cut_is_found() -> None:
    """Nothing altered opens."""
    seal = Seal(ROOT_KEY)
    sealed = seal.close(b"content", purpose="p", name="n")
    for at in range(len(sealed)):
        altered = bytearray(sealed)
        altered[at] ^= 1
        for damaged in (bytes(altered), sealed[:at]):
            with pytest.raises(DamagedError):
                seal.open(damaged, purpose="p", name="n")


def test_the_format_stays_readable() -> None:
    """A sealed object of the first format opens for ever, and fingerprints stay the same."""
    sealed = bytes.fromhex("016465666768696a6b6c6d6e6f03598166dc5075b79ebbf4ddb98dc8d53e6f3e1223b7")
    assert Seal(ROOT_KEY).open(sealed, purpose="pin", name="a/b") == b"golden"
    assert Seal(ROOT_KEY).fingerprint() == "9def4f0a1158d085"
    assert Seal(ROOT_KEY).alias("x", purpose="names") == "a1baa7ee9103d3436c34d69ff35d0dfc"


def test_a_short_key_is_refused_and_no_key_is_shown() -> None:
    """The representation of a seal says nothing."""
    with pytest.raises(RootKeyError, match="31"):
        Seal(bytes(31))
    assert ROOT_KEY.hex() not in repr(Seal(ROOT_KEY))
