"""What the name of an image says: registry, repository, tag, digest."""

import re
from typing import Self

import msgspec

from appshield.errors import InvalidInputError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
HOST = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_REPOSITORY = re.compile(r"[a-z0-9]+([._/-]+[a-z0-9]+)*")
_DEFAULT_HOST = "docker.io"
_DEFAULT_FOLDER = "library/"


class ImageReference(msgspec.Struct, frozen=True):
    """An image by digest, as its name `host/repository:tag@digest` says; the tag may be empty."""

    host: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def of(cls, image: str) -> Self:
        """Read the name of an image as a container has it.

        Raises:
            InvalidInputError: it is none, or names no digest.
        """
        name, _, digest = image.partition("@")
        first, slash, rest = name.partition("/")
        has_host = slash and ("." in first or ":" in first or first == "localhost")
        host, path = (first, rest) if has_host else (_DEFAULT_HOST, name)
        repository, _, tag = path.partition(":")
        if host == _DEFAULT_HOST and "/" not in repository:
            repository = _DEFAULT_FOLDER + repository
        parts = ((DIGEST, digest), (HOST, host), (_REPOSITORY, repository))
        if not all(form.fullmatch(part) for form, part in parts):
            raise InvalidInputError(
                f"{image!r} names no image by its digest",
                why="the name of such an image is REGISTRY/REPOSITORY:TAG@sha256:DIGEST",
            )
        return cls(host, repository, tag, digest)

    def at(self, host: str, digest: str = "") -> str:
        """Write the name of the same image at another registry, or by another of its digests."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{host}/{self.repository}{tag}@{digest or self.digest}"
