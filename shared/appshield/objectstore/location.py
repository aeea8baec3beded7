"""Where a bucket is, and who asks: plain values, checked when they are made."""

from typing import Literal
from urllib.parse import urlsplit

import msgspec

from appshield.errors import InvalidInputError
from appshield.objectstore.port import folder_of


class S3Location(msgspec.Struct, frozen=True):
    """A folder in a bucket of an S3-compatible service."""

    endpoint: str
    """`http://host:port` or `https://host`, without a path."""
    bucket: str
    prefix: str = ""
    """Folder in the bucket below which everything is kept; empty for the whole bucket."""
    region: str = "us-east-1"
    addressing: Literal["path", "virtual"] = "path"
    """`path`: endpoint/bucket/name. `virtual`: bucket.endpoint/name."""
    ca_file: str | None = None
    """PEM file of the authorities to trust for https; None for those of the system."""
    ca_pem: str | None = None
    """Or their certificates themselves, as PEM."""

    def __post_init__(self) -> None:
        try:
            url = urlsplit(self.endpoint)
            plain = url.port != 0 and url.path in {"", "/"} and not (url.query or url.fragment)
        except ValueError:
            url, plain = urlsplit(""), False
        if url.scheme not in {"http", "https"} or not url.hostname or url.username or not plain:
            raise InvalidInputError(
                "the endpoint of an object store is not a plain http or https address",
                next_step="Write it like https://s3.example.com or http://127.0.0.1:8333",
            )
        if len(self.bucket) < 3 or set(self.bucket) & set("/\\?#% "):
            raise InvalidInputError(
                f"{self.bucket!r} cannot be a bucket",
                why="a bucket has at least 3 letters, digits, dots or dashes",
            )
        folder_of(self.prefix)

    def __str__(self) -> str:
        return f"{self.endpoint}/{self.bucket}/{folder_of(self.prefix)}"


class S3Credentials(msgspec.Struct, frozen=True):
    """An access key. Its secret parts appear in no representation."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"S3Credentials(access_key={self.access_key!r}, secret_key=…)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("access_key", self.access_key)]
