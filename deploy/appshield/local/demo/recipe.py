"""What an image is made of, as a value: the same recipe is built once and kept."""

import hashlib
from collections.abc import Mapping

import msgspec

BUILDER_VERSION = 1
"""Raised whenever the same recipe would give other bytes, so that kept images are not used."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the project itself puts into the image."""

    content: str
    mode: int = 0o644


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """An empty folder that belongs to the image's user."""

    mode: int = 0o755


class ImageRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """An image: Debian packages, what is taken away, what is added, and how it starts.

    Paths are relative to the root; `without` are patterns of them. The image runs as `account`,
    with the numbers `user` and `group`. Each of `tags` is an image of its own, with the same
    files and with an environment that it adds to the common one.
    """

    name: str
    packages: tuple[str, ...]
    account: str
    user: int
    group: int
    entrypoint: tuple[str, ...]
    without: tuple[str, ...] = ()
    add: Mapping[str, File | Folder] = msgspec.field(default_factory=dict)
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    tags: Mapping[str, Mapping[str, str]]

    def key(self) -> str:
        """Return the name under which what is built of this recipe is kept."""
        text = msgspec.json.encode(self, order="deterministic")
        digest = hashlib.sha256(b"%d\n%s" % (BUILDER_VERSION, text)).hexdigest()
        return f"{self.name}-{digest[:16]}"
