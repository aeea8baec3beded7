"""What versions hold, over REST: a repository on a real object store, records on a real bus."""

import asyncio
import io
import secrets
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote

import httpx
import pytest

from appshield.bus import Bus
from appshield.contracts.identities import AppRef
from appshield.doors.actions import READ_DATA, SEE_VERSIONS, Action
from appshield.gateway import opened_versions
from appshield.gateway.api.application import PATH
from appshield.gateway.api.resources.versions import listings
from appshield.kubernetes import Cluster
from appshield.kubernetes.kinds import VAULT
from appshield.objectstore import S3Credentials, S3Location
from appshield.vault import VaultAccess, new_root_key, open_vault
from fake_kubernetes import FakeKubernetes
from kept_versions import KeptVersions, Tree, named
from repository_content import noise
from rest_api import CLUSTER, RecordedActs, problem_of, rest_api, served, talking_to
from waiting import wait_until

BIG = noise(20 << 20)
HOSTILE = [
    b"..%2f..%2fetc%2fpasswd",
    b"a\nSet-Cookie: x=1\r\n",
    b'quote";filename=other.exe',
    b"n\xf6n",
    "\u202egpj.exe".encode(),
    "имя.txt".encode(),
    b"...",
    b"back\\slash",
]
NAMESPACE = "shop"


def right(action: Action) -> tuple[str, str, str]:
    return (action.verb, action.resource, NAMESPACE)


TABLE = {
    "viewer": frozenset({right(SEE_VERSIONS)}),
    "restorer": frozenset({right(SEE_VERSIONS), right(READ_DATA)}),
    "other": frozenset({(SEE_VERSIONS.verb, SEE_VERSIONS.resource, "bank")}),
}


@pytest.fixture
def access(s3_folder: S3Location, s3_credentials: S3Credentials) -> VaultAccess:
    made = VaultAccess("primary", s3_folder, s3_credentials, new_root_key())
    open_vault(made).initialize()
    return made


@pytest.fixture
def kept(bus: Bus, access: VaultAccess) -> KeptVersions:
    app_id = f"a-{secrets.token_hex(8)}"
    app = AppRef(cluster=CLUSTER, namespace=NAMESPACE, name=f"web-{secrets.token_hex(4)}")
    return KeptVersions(bus, access, app, app_id)


@dataclass(frozen=True, slots=True)
class Door:
    """The API over the kept versions as it is served, and what was audited."""

    address: str
    path: str
    audit: RecordedActs


@asynccontextmanager
async def door_to(kept: KeptVersions, cluster: Cluster | None = None) -> AsyncIterator[Door]:
    async def vaults(_name: str) -> VaultAccess:
        return kept.access

    audit = RecordedActs()
    application = rest_api(kept.bus, TABLE, cluster=cluster, vaults=vaults, auditor=audit)
    async with served(application) as address:
        path = f"{PATH}/applications/{NAMESPACE}/{kept.app.name}/versions"
        yield Door(address, path, audit)


@pytest.fixture
async def door(kept: KeptVersions) -> AsyncIterator[Door]:
    async with door_to(kept) as opened:
        yield opened


@pytest.fixture
async def client(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with talking_to(door.address, "restorer") as opened:
        yield opened


async def all_pages(client: httpx.AsyncClient, path: str) -> list[dict[str, object]]:
    """Read a list to its end."""
    items: list[dict[str, object]] = []
    cursor = ""
    while True:
        mark = "&" if "?" in path else "?"
        answer = await client.get(f"{path}{mark}cursor={cursor}" if cursor else path)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        cursor = page["next"]
        if not cursor:
            return items


async def test_a_folder_of_any_size_comes_in_pages(
    kept: KeptVersions, door: Door, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each entry once, in order, with and without what is below; other lists refuse a cursor."""
    many: Tree = {b"f%05d" % number: b"" for number in range(1500)}
    await kept.keep(1, {b"volumes": {b"data": many | {b"a": {b"x": {b"y": b"1"}}, b"a-b": b"2"}}})
    files = f"{door.path}/1/files"
    found = await all_pages(client, f"{files}?path=volumes/data&limit=500")
    names = [one["path"] for one in found]
    assert names == sorted(f"volumes/data/{name.decode()}" for name in [*many, b"a", b"a-b"])
    below = await all_pages(client, f"{files}?path=volumes/data&recursive=true&limit=7&history=")
    assert [one["path"] for one in below[:4]] == [
        f"volumes/data/{name}" for name in ("a", "a/x", "a/x/y", "a-b")
    ]
    assert len(below) == len(many) + 4
    fitting = await all_pages(client, f"{files}?pattern=f0149?&limit=3")
    assert len(fitting) == 10
    monkeypatch.setattr(listings, "LOOKED_AT_MAX", 100)
    assert await all_pages(client, f"{files}?pattern=f0149?") == fitting
    assert await all_pages(client, f"{files}?pattern=none") == []
    page = (await client.get(f"{files}?path=volumes/data&limit=1")).json()
    for cursor in (page["next"], "x", "%00", "é"):
        answer = await client.get(f"{files}?path=manifests&cursor={cursor}")
        assert (answer.status_code, answer.json()["detail"][:10]) == (400, "the cursor")
    assert (await client.get(f"{files}?path=none")).status_code == 404


async def test_hostile_names_are_listed_and_taken_under_safe_ones(
    kept: KeptVersions, door: Door, client: httpx.AsyncClient
) -> None:
    """By their exact bytes; the header that names the file cannot be broken out of."""
    await kept.keep(1, {b"volumes": {b"data": {name: name for name in HOSTILE}}})
    found = await all_pages(client, f"{door.path}/1/files?path=volumes/data")
    assert {one["exact_path"] for one in found} == {
        quote_from_bytes(b"volumes/data/" + name) for name in HOSTILE
    }
    for one in found:
        answer = await client.get(f"{door.path}/1/content?path={one['exact_path']}")
        assert answer.content in HOSTILE
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        told = answer.headers["content-disposition"]
        assert told.startswith('attachment; filename="')
        assert told.count('"') == 2
        assert told.isascii()
        assert told.isprintable()
        names = (told.split('"')[1], unquote(told.rpartition("''")[2]))
        for name in names:
            assert name == name.strip(". ")
            assert name.isprintable()
            assert not any(letter in name for letter in '/\\"\u202e')
        assert "%" not in names[0]
    for path in ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "volumes/../../../etc/passwd"):
        assert (await client.get(f"{door.path}/1/content?path={path}")).status_code == 404
    assert (await client.get(f"{door.path}/1/content?path=a%00b")).status_code == 400


async def test_a_file_is_taken_whole_or_in_part(
    kept: KeptVersions, door: Door, client: httpx.AsyncClient
) -> None:
    """Of several chunks; as it was stored, and only what changed is sent again."""
    await kept.keep(1, {b"volumes": {b"data": {b"big": BIG, b"empty": b""}}})
    path = f"{door.path}/1/content?path=volumes/data/big"
    whole = await client.get(path)
    assert whole.content == BIG
    assert int(whole.headers["content-length"]) == len(BIG)
    for asked, start, end in (
        ("bytes=0-9", 0, 10),
        (f"bytes=9000000-{9000000 + 3_000_000}", 9_000_000, 12_000_001),
        ("bytes=-5", len(BIG) - 5, len(BIG)),
        (f"bytes={len(BIG) - 1}-", len(BIG) - 1, len(BIG)),
    ):
        part = await client.get(path, headers={"Range": asked})
        assert part.status_code == 206
        assert part.content == BIG[start:end]
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BIG)}"
    behind = await client.get(path, headers={"Range": f"bytes={len(BIG)}-"})
    assert (behind.status_code, behind.headers["content-range"]) == (416, f"bytes */{len(BIG)}")
    known = await client.get(path, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    stale = await client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
    assert stale.status_code == 200
    empty = await client.get(f"{door.path}/1/content?path=volumes/data/empty")
    assert (empty.status_code, empty.content) == (200, b"")


async def test_a_folder_is_taken_as_an_archive(
    kept: KeptVersions, door: Door, client: httpx.AsyncClient
) -> None:
    """With all that is below it; without a path the whole version."""
    await kept.keep(1, {b"volumes": {b"data": {b"etc": {b"a": b"1", b"big": BIG}}}})
    answer = await client.get(f"{door.path}/1/content?path=volumes/data")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert 'filename="data.tar"' in answer.headers["content-disposition"]
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        big = archive.extractfile("etc/big")
        assert big is not None
        assert big.read() == BIG
        assert archive.getnames() == ["etc", "etc/a", "etc/big"]
    whole = await client.get(f"{door.path}/1/content")
    with tarfile.open(fileobj=io.BytesIO(whole.content)) as archive:
        assert "appshield/application.json" in archive.getnames()


async def test_taking_data_needs_its_own_right_and_is_audited(
    kept: KeptVersions, door: Door
) -> None:
    """Who may only see versions learns names; other teams learn nothing, not even what exists."""
    await kept.keep(1, {b"volumes": {b"data": {b"a": b"1"}}})
    content = f"{door.path}/1/content?path=volumes/data/a"
    async with talking_to(door.address, "viewer") as client:
        assert (await client.get(f"{door.path}/1/files?path=volumes/data")).status_code == 200
        refused = await client.get(content)
        assert refused.status_code == 403
        assert "get versions/data.appshield.io" in str(problem_of(refused.content)["detail"])
    async with talking_to(door.address, "other") as client:
        none = f"{PATH}/applications/{NAMESPACE}/none/versions/1/files"
        told = [
            problem_of((await client.get(path)).content)
            for path in (f"{door.path}/1/files", none, content, f"{door.path}/1/objects")
        ]
        assert {problem["status"] for problem in told} == {403}
    assert {act.outcome for act in door.audit.acts} == {"denied"}
    denied = len(door.audit.acts)
    async with talking_to(door.address, "restorer") as client:
        assert (await client.get(content)).content == b"1"
    (act,) = door.audit.acts[denied:]
    assert (act.caller.name, act.action, act.outcome) == ("restorer", "read-data", "allowed")
    assert (act.versions, act.paths) == ((1,), ("volumes/data/a",))


async def test_versions_are_compared(kept: KeptVersions, door: Door) -> None:
    """Names for whoever sees versions, fields for whoever may read data, secrets for nobody."""
    settings = named("ConfigMap", "settings", data={"colour": "red"})
    secret = named("Secret", "keys", data={"password": "c2VjcmV0LXRleHQ="})
    changed = named("ConfigMap", "settings", data={"colour": "blue"})
    rotated = named("Secret", "keys", data={"password": "b3RoZXItdGV4dA=="})
    await kept.keep(1, {b"volumes": {b"data": {b"a": b"1", b"gone": b"1"}}}, settings, secret)
    await kept.keep(2, {b"volumes": {b"data": {b"a": b"2", b"new": b"1"}}}, changed, rotated)
    async with talking_to(door.address, "restorer") as client:
        found = await all_pages(client, f"{door.path}/1/diff/2?limit=2")
        told = {str(one["path"]): one for one in found}
        assert {path: one["change"] for path, one in told.items() if "volumes" in path} == {
            "volumes/data/a": "changed",
            "volumes/data/gone": "removed",
            "volumes/data/new": "added",
        }
        assert told["manifests/configmap/settings.json"]["fields"] == ["/data/colour: red -> blue"]
        assert "digest" in str(told["manifests/secret/keys.json"]["fields"])
        only = await all_pages(client, f"{door.path}/1/diff/2?what=objects")
        assert all(str(one["path"]).startswith("manifests/") for one in only)
        whole = str(found)
        assert not any(text in whole for text in ("c2VjcmV0LXRleHQ", "b3RoZXItdGV4dA"))
    assert {act.versions for act in door.audit.acts} == {(1, 2)}
    async with talking_to(door.address, "viewer") as client:
        seen = await all_pages(client, f"{door.path}/1/diff/2")
        assert {one["path"] for one in seen} == set(told)
        assert all(one["fields"] == [] for one in seen)


async def test_objects_and_parts_of_a_version_are_told(
    kept: KeptVersions, door: Door, client: httpx.AsyncClient
) -> None:
    """By kind and name, with the path by which the manifest can be taken."""
    await kept.keep(1, {}, named("ConfigMap", "settings"), named("Role", "system:reader"))
    found = await all_pages(client, f"{door.path}/1/objects")
    assert [(one["kind"], one["name"]) for one in found] == [
        ("configmap", "settings"),
        ("role", "system:reader"),
    ]
    manifest = await client.get(f"{door.path}/1/content?path={found[1]['exact_path']}")
    assert manifest.json()["metadata"]["name"] == "system:reader"
    parts = (await client.get(f"{door.path}/1/parts")).json()
    assert parts["components"] == parts["images"] == []
    await kept.keep(2, {})
    assert await all_pages(client, f"{door.path}/2/objects") == []


async def test_what_is_damaged_is_a_problem_and_no_bug(
    kept: KeptVersions, door: Door, client: httpx.AsyncClient
) -> None:
    """Also when the Vault has lost the version, or cannot be reached at all."""
    await kept.keep(1, {b"volumes": {b"data": {b"big": BIG}}})
    store = kept.repository.store
    packs = sorted(store.list("data/"), key=lambda one: -one.size_bytes)
    for pack in packs:
        content = bytearray(await asyncio.to_thread(store.get, pack.name))
        content[100:200] = bytes(100)
        await asyncio.to_thread(store.put, pack.name, bytes(content))
    answer = await client.get(f"{door.path}/1/content?path=volumes/data/big")
    assert answer.status_code == 502
    assert "damaged" in str(problem_of(answer.content)["detail"])
    for name in [one.name for one in store.list("snapshots/")]:
        await asyncio.to_thread(store.delete, name)
    async with door_to(kept) as anew, talking_to(anew.address, "restorer") as fresh:
        gone = await fresh.get(f"{anew.path}/1/files")
        assert gone.status_code == 404
        assert "cannot be read in the Vault" in gone.json()["detail"]


async def test_a_vault_tells_its_space_growth_and_integrity(kept: KeptVersions) -> None:
    """What is stored twice counts once, and what can be compressed takes less."""
    text = b"a line of text that is like the others\n" * 100_000
    await kept.keep(1, {b"volumes": {b"data": {b"text": text}}})
    await kept.keep(2, {b"volumes": {b"data": {b"text": text, b"more": b"1"}}})
    async with FakeKubernetes() as fake, fake.cluster() as cluster:
        fake.serve(VAULT)
        fake.put(vault_object(kept.access))
        async with door_to(kept, cluster) as door, talking_to(door.address) as client:
            (listed,) = (await client.get(f"{PATH}/vaults")).json()["items"]
            assert listed["bucket"] == kept.access.location.bucket
            detail = (await client.get(f"{PATH}/vaults/{kept.access.name}")).json()
            space = detail["space"]
            (mine,) = [one for one in space["applications"] if one["history"] == kept.app_id]
            assert mine["known"]
            assert space["plain_bytes"] > len(text)
            assert space["compression"] > 5
            assert space["stored_bytes"] < space["size_bytes"]
            assert detail["growth"][-1]["versions"] >= 2
            whole = {one["history"]: one for one in detail["integrity"]}[kept.app_id]
            assert (whole["versions"], whole["damaged_versions"]) == (2, [])
        async with door_to(kept, cluster) as door, talking_to(door.address, "viewer") as client:
            assert (await client.get(f"{PATH}/vaults")).status_code == 403


def vault_object(access: VaultAccess) -> dict[str, object]:
    reference = {"namespace": "appshield-system", "name": "secret"}
    spec = {
        "endpoint": access.location.endpoint,
        "bucket": access.location.bucket,
        "prefix": access.location.prefix,
        "credentialsSecret": reference,
        "keySecret": reference,
    }
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Vault",
        "metadata": {"name": access.name},
        "spec": spec,
    }


async def test_browsing_opens_a_repository_once(kept: KeptVersions) -> None:
    """For many requests at once, and again only when a version is newer than what was opened."""
    await kept.keep(1, {b"a": b"1"})
    asked: list[str] = []

    async def vaults(name: str) -> VaultAccess:
        asked.append(name)
        return kept.access

    async with served(rest_api(kept.bus, TABLE, vaults=vaults)) as address:
        path = f"{PATH}/applications/{NAMESPACE}/{kept.app.name}/versions"
        async with talking_to(address, "restorer") as client:
            answers = await asyncio.gather(
                *(client.get(f"{path}/1/content?path=a") for _ in range(10))
            )
            assert {answer.content for answer in answers} == {b"1"}
            assert len(asked) == 1
            await kept.keep(2, {b"a": b"2"})
            assert (await client.get(f"{path}/2/content?path=a")).content == b"2"
            assert (await client.get(f"{path}/1/content?path=a")).content == b"1"
            assert len(asked) == 2


async def test_streams_that_nobody_takes_are_bounded(
    kept: KeptVersions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes beyond them is told to try again, and is served when one has gone."""
    monkeypatch.setattr(opened_versions, "STREAM_WAITS_S", 0.2)
    await kept.keep(1, {b"big": BIG, b"small": b"1"})
    async with door_to(kept) as door, talking_to(door.address, "restorer") as client:
        path = f"{door.path}/1/content?path="
        async with AsyncExitStack() as stack:
            for _ in range(opened_versions.STREAMS_MAX):
                taken = await stack.enter_async_context(client.stream("GET", path + "big"))
                assert taken.status_code == 200
            refused = await client.get(path + "small")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        await wait_until(
            lambda: _is_served(client, path + "small"), deadline_s=20, what="a stream has ended"
        )


async def _is_served(client: httpx.AsyncClient, path: str) -> bool:
    return (await client.get(path)).status_code == 200
