"""Signatures are those of AWS: by its own published example, and by its SDK."""

# mypy: disable-error-code="no-untyped-call"
# (the SDK of AWS has no types)

import hashlib
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from appshield.objectstore import S3Credentials
from appshield.objectstore.signing import canonical_path, canonical_query, signed_headers

EMPTY = hashlib.sha256(b"").hexdigest()


def test_the_published_example_is_signed_as_published() -> None:
    """The GET Object example of the Amazon S3 API reference."""
    signed = signed_headers(
        "GET",
        "/test.txt",
        "",
        {"host": "examplebucket.s3.amazonaws.com", "range": "bytes=0-9"},
        payload_sha256=EMPTY,
        credentials=S3Credentials(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
        region="us-east-1",
        now=datetime(2013, 5, 24, tzinfo=UTC),
    )
    expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    assert signed["authorization"].endswith(f"Signature={expected}")


@pytest.mark.parametrize("token", [None, "a/token+of==sts"])
@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("PUT", "/bucket/data/ab/abcdef", {}),
        ("GET", "/bucket/", {"list-type": "2", "prefix": "a b/ü+&=", "continuation-token": "x/="}),
        ("HEAD", "/bucket/odd ü+%2F~'()*!", {}),
    ],
)
def test_requests_are_signed_as_the_sdk_signs_them(
    method: str, path: str, query: dict[str, str], token: str | None
) -> None:
    """Whatever the letters in path and query are."""
    credentials = S3Credentials("AKEXAMPLE", "secret/example", token)
    host = "s3.example.com:8443"
    ours = signed_headers(
        method,
        canonical_path(path),
        canonical_query(query),
        {"host": host, "if-none-match": "*"},
        payload_sha256=EMPTY,
        credentials=credentials,
        region="eu-north-1",
        now=datetime.now(UTC),
    )
    request = AWSRequest(
        method=method,
        url=f"https://{host}{quote(path, safe='/-_.~')}",
        params=query,
        headers={
            "if-none-match": "*",
            "X-Amz-Content-SHA256": EMPTY,
            "X-Amz-Date": ours["x-amz-date"],
        },
    )
    request.context["timestamp"] = ours["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    sdk = S3SigV4Auth(
        Credentials(credentials.access_key, credentials.secret_key, token), "s3", "eu-north-1"
    )
    to_sign = sdk.string_to_sign(request, sdk.canonical_request(request))
    assert ours["authorization"].endswith(f"Signature={sdk.signature(to_sign, request)}")
