"""Signing a request for S3: AWS Signature Version 4, as a pure function.

Source: "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)" in the
Amazon S3 API reference. The tests compare it with botocore's.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from appshield.objectstore.location import S3Credentials

ALGORITHM = "AWS4-HMAC-SHA256"


def canonical_path(path: str) -> str:
    """Return a path as it is signed and sent: everything but unreserved letters and `/` escaped."""
    return quote(path, safe="/-_.~")


def canonical_query(query: Mapping[str, str]) -> str:
    """Return a query as it is signed and sent: escaped, in order of the names."""
    escaped = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in query.items())
    return "&".join(f"{name}={value}" for name, value in escaped)


def signed_headers(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    *,
    payload_sha256: str,
    credentials: S3Credentials,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """Return `headers` (which hold `host`, names in lower case) with those that sign them all.

    `path` and `query` are canonical; `payload_sha256` is in hex; `now` is in UTC.
    """
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, "x-amz-content-sha256": payload_sha256, "x-amz-date": moment}
    if credentials.session_token:
        signed["x-amz-security-token"] = credentials.session_token
    names = sorted(signed)
    lines = "".join(f"{name}:{signed[name].strip()}\n" for name in names)
    listed = ";".join(names)
    request = "\n".join((method, path, query, lines, listed, payload_sha256))
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = _key(credentials.secret_key, scope)
    signature = _mac(key, f"{ALGORITHM}\n{moment}\n{scope}\n{digest}").hex()
    signed["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={listed}, Signature={signature}"
    )
    return signed


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
