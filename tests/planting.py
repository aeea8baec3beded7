"""Looking for planted secrets wherever AppShield writes: bus, bucket, logs."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

import msgspec

from appshield.contracts import streams
from appshield.local.up import PRIMARY
from appshield.vault.finding import ClusterVaults
from appshield.vault.vault import store_of
from installation import Installation


def forms(secret: str) -> Iterator[bytes]:
    """Give the secret as it stands and as it would stand within something in base64."""
    yield secret.encode()
    for before in range(3):
        whole = base64.b64encode(b"." * before + secret.encode()).rstrip(b"=")
        inner = whole[(before * 8 + 5) // 6 :][:-1]  # without letters that neighbours share
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


async def told(installation: Installation) -> AsyncIterator[tuple[str, bytes]]:
    """Give everything that AppShield has written outside the cluster, with where it stands."""
    for stream in streams.STREAMS:
        async for stored in installation.bus.read(stream):
            headers = " ".join(f"{name}: {value}" for name, value in stored.headers.items())
            yield f"{stream.name} {stored.subject}", headers.encode() + stored.body
    for bucket in streams.BUCKETS:
        async for entry in installation.bus.bucket(bucket, msgspec.Raw).items():
            yield f"{bucket.name} {entry.key}", bytes(entry.value)
    access = await ClusterVaults(installation.cluster).access(PRIMARY)
    store = store_of(access)
    for found in await asyncio.to_thread(lambda: list(store.list(""))):
        yield f"bucket {found.name}", await asyncio.to_thread(store.get, found.name)
    for file in _files(installation.home.logs, installation.home.bus / "data"):
        yield str(file), await asyncio.to_thread(file.read_bytes)


def _files(*folders: Path) -> Iterator[Path]:
    """Name the logs, and the files of the bus, which keep what was removed for a while."""
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file())


async def search(installation: Installation, secrets: Iterable[str]) -> list[str]:
    """Say where any of the secrets stands, in any form."""
    wanted = {form: secret for secret in secrets for form in forms(secret)}
    return [
        f"{secret!r} in {place}"
        async for place, content in told(installation)
        for form, secret in wanted.items()
        if form in content
    ]
