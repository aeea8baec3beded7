"""A location is checked when it is made, wherever it came from."""

import msgspec
import pytest

from appshield.errors import InvalidInputError
from appshield.objectstore import S3Location


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "s3.example.com",
        "ftp://s3.example.com",
        "https://",
        "https://user:password@s3.example.com",
        "https://s3.example.com/path",
        "https://s3.example.com?query",
        "http://127.0.0.1:port",
        "http://[::1",
    ],
)
def test_an_endpoint_that_is_no_plain_address_is_refused(endpoint: str) -> None:
    """The message shows how one looks, and repeats nothing that may hold a password."""
    with pytest.raises(InvalidInputError, match=r"https://s3\.example\.com") as raised:
        S3Location(endpoint, "a-bucket")
    assert "password" not in str(raised.value)


@pytest.mark.parametrize("bucket", ["", "ab", "a/b", "a?b", "a b"])
def test_a_bucket_that_cannot_be_is_refused(bucket: str) -> None:
    """Before any request is made."""
    with pytest.raises(InvalidInputError, match="bucket"):
        S3Location("http://127.0.0.1:8333", bucket)


def test_a_prefix_is_a_folder_inside_the_bucket() -> None:
    """With or without a slash at its end, never outside."""
    for prefix in ("a/b", "a/b/"):
        location = S3Location("http://127.0.0.1:8333", "a-bucket", prefix)
        assert str(location) == "http://127.0.0.1:8333/a-bucket/a/b/"
    with pytest.raises(InvalidInputError):
        S3Location("http://127.0.0.1:8333", "a-bucket", "../b")


def test_a_location_survives_json() -> None:
    """It can be kept in a file and comes back equal, the check included."""
    location = S3Location("https://s3.example.com", "a-bucket", "x", "eu-north-1", "virtual")
    assert msgspec.json.decode(msgspec.json.encode(location), type=S3Location) == location
    with pytest.raises(InvalidInputError):
        msgspec.json.decode(b'{"endpoint":"x","bucket":"a-bucket"}', type=S3Location)
