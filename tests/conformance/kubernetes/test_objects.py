"""What an API server does with objects and kinds: the same claims of the fake and of a real one."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from appshield.errors import DeniedError, InvalidInputError, NotFoundError
from appshield.kubernetes import (
    AlreadyExistsError,
    Cluster,
    ClusterAccess,
    ConflictError,
    Kind,
    NamespaceTerminatingError,
    NotServedError,
    Object,
    kinds,
    listing,
)
from kubernetes_api import Api, config_map, gadgets
from waiting import wait_until


@asynccontextmanager
async def gadgets_served(cluster: Cluster) -> AsyncIterator[Kind]:
    group = f"test-{secrets.token_hex(4)}.appshield.io"
    definition = await cluster.create(kinds.CRD, gadgets(group))
    try:
        kind = Kind(group, "v1", "Gadget", "gadgets")
        await wait_until(lambda: served(cluster, kind), deadline_s=20, what="gadgets are served")
        yield kind
    finally:
        await cluster.delete(kinds.CRD, definition["metadata"]["name"])


async def served(cluster: Cluster, kind: Kind) -> bool:
    try:
        await cluster.list(kind)
    except NotServedError:
        return False
    return True


async def test_what_was_created_can_be_read_listed_and_deleted(
    cluster: Cluster, namespace: str
) -> None:
    """An object lives from create to delete, and is the same whoever reads it."""
    created = await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    assert await cluster.get(kinds.CONFIG_MAP, "one", namespace) == created
    listed = await cluster.list(
        kinds.CONFIG_MAP, namespace=namespace, label_selector="appshield.io/test"
    )
    assert listed == [created]
    assert await cluster.delete(kinds.CONFIG_MAP, "one", namespace=namespace)
    assert await cluster.get(kinds.CONFIG_MAP, "one", namespace) is None


async def test_a_second_create_of_a_name_is_refused(cluster: Cluster, namespace: str) -> None:
    """Names are taken once."""
    await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    with pytest.raises(AlreadyExistsError, match="create configmaps one in namespace"):
        await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)


async def test_deleting_what_is_not_there_is_no_error(cluster: Cluster, namespace: str) -> None:
    """A delete can be repeated."""
    assert not await cluster.delete(kinds.CONFIG_MAP, "none", namespace=namespace)


async def test_a_uid_protects_a_successor_of_the_same_name(
    cluster: Cluster, namespace: str
) -> None:
    """A delete that means one object leaves another of its name alone."""
    await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    gone = "00000000-0000-0000-0000-000000000000"
    assert not await cluster.delete(kinds.CONFIG_MAP, "one", namespace=namespace, uid=gone)
    kept = await cluster.get(kinds.CONFIG_MAP, "one", namespace)
    assert kept is not None
    uid = kept["metadata"]["uid"]
    assert await cluster.delete(kinds.CONFIG_MAP, "one", namespace=namespace, uid=uid)


async def test_a_dry_run_changes_nothing(cluster: Cluster, namespace: str) -> None:
    """Creating and applying can be tried."""
    tried = await cluster.create(
        kinds.CONFIG_MAP, config_map("one"), namespace=namespace, dry_run=True
    )
    assert tried["data"] == {"value": "1"}
    await cluster.apply(kinds.CONFIG_MAP, config_map("two"), namespace=namespace, dry_run=True)
    for name in ("one", "two"):
        assert await cluster.get(kinds.CONFIG_MAP, name, namespace) is None


async def test_applying_again_changes_nothing_and_applying_more_changes_that(
    cluster: Cluster, namespace: str
) -> None:
    """Server-side apply makes the object be as said."""
    first = await cluster.apply(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    again = await cluster.apply(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    more = config_map("one", data="2")
    changed = await cluster.apply(kinds.CONFIG_MAP, more, namespace=namespace)
    assert changed["data"] == {"value": "2"}
    assert changed["metadata"]["uid"] == first["metadata"]["uid"]


async def test_a_patch_of_an_old_version_is_a_conflict(cluster: Cluster, namespace: str) -> None:
    """A resource version in a patch is a precondition."""
    old = await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    await cluster.merge_patch(
        kinds.CONFIG_MAP, "one", {"data": {"value": "2"}}, namespace=namespace
    )
    version = old["metadata"]["resourceVersion"]
    patch: Object = {"metadata": {"resourceVersion": version}, "data": {"value": "3"}}
    with pytest.raises(ConflictError):
        await cluster.merge_patch(kinds.CONFIG_MAP, "one", patch, namespace=namespace)


async def test_a_null_in_a_patch_removes_the_field(cluster: Cluster, namespace: str) -> None:
    """Patches are JSON merge patches."""
    await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    patch: Object = {"data": {"value": None, "other": "2"}}
    changed = await cluster.merge_patch(kinds.CONFIG_MAP, "one", patch, namespace=namespace)
    assert changed["data"] == {"other": "2"}


async def test_replacing_leaves_nothing_of_what_was_there(cluster: Cluster, namespace: str) -> None:
    """Also what somebody else wrote goes; an old version in the body is a conflict."""
    old = await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    await cluster.merge_patch(
        kinds.CONFIG_MAP, "one", {"data": {"other": "2"}}, namespace=namespace
    )
    body = config_map("one", data="3")
    tried = await cluster.replace(kinds.CONFIG_MAP, body, namespace=namespace, dry_run=True)
    assert tried["data"] == {"value": "3"}
    stale = body | {"metadata": {**body["metadata"], "resourceVersion": _version(old)}}
    with pytest.raises(ConflictError):
        await cluster.replace(kinds.CONFIG_MAP, stale, namespace=namespace)
    replaced = await cluster.replace(kinds.CONFIG_MAP, body, namespace=namespace)
    assert replaced["data"] == {"value": "3"}
    with pytest.raises(NotFoundError):
        await cluster.replace(kinds.CONFIG_MAP, config_map("none"), namespace=namespace)


async def test_what_has_changed_meanwhile_is_not_deleted(cluster: Cluster, namespace: str) -> None:
    """A delete can name the state that it means, and be tried."""
    old = await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    new = await cluster.merge_patch(
        kinds.CONFIG_MAP, "one", {"data": {"value": "2"}}, namespace=namespace
    )
    with pytest.raises(ConflictError):
        await cluster.delete(
            kinds.CONFIG_MAP, "one", namespace=namespace, resource_version=_version(old)
        )
    assert await cluster.delete(
        kinds.CONFIG_MAP,
        "one",
        namespace=namespace,
        resource_version=_version(new),
        dry_run=True,
    )
    assert await cluster.get(kinds.CONFIG_MAP, "one", namespace) is not None


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


async def test_a_long_list_comes_in_pages_and_whole(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paging is invisible, and every object says what it is."""
    monkeypatch.setattr(listing, "PAGE_LIMIT", 5)
    for number in range(12):
        body = config_map(f"n{number:02}")
        await cluster.create(kinds.CONFIG_MAP, body, namespace=namespace)
    listed = await cluster.list(
        kinds.CONFIG_MAP, namespace=namespace, label_selector="appshield.io/test=1"
    )
    assert [obj["metadata"]["name"] for obj in listed] == [f"n{n:02}" for n in range(12)]
    assert {(obj["apiVersion"], obj["kind"]) for obj in listed} == {("v1", "ConfigMap")}


async def test_selectors_choose(cluster: Cluster, namespace: str) -> None:
    """Labels and the name select objects, in one namespace and in all."""
    mark = secrets.token_hex(4)
    for name, tier in (("a", "web"), ("b", "db"), ("c", "web")):
        body = config_map(name, labels={"tier": tier, "mark": mark})
        await cluster.create(kinds.CONFIG_MAP, body, namespace=namespace)

    async def names(label_selector: str, *, where: str = "", field_selector: str = "") -> set[str]:
        found = await cluster.list(
            kinds.CONFIG_MAP,
            namespace=where,
            label_selector=label_selector,
            field_selector=field_selector,
        )
        return {obj["metadata"]["name"] for obj in found}

    assert await names(f"mark={mark},tier=web") == {"a", "c"}
    assert await names(f"mark={mark},tier in (db, cache)") == {"b"}
    assert await names(f"mark={mark},tier!=web", where=namespace) == {"b"}
    assert await names(f"mark={mark}", field_selector="metadata.name=c") == {"c"}


async def test_discovery_finds_kinds_by_any_of_their_names(cluster: Cluster) -> None:
    """Kinds come from the server, in the version that it prefers."""
    found = await cluster.kinds()
    assert kinds.DEPLOYMENT in found
    assert kinds.NAMESPACE in found
    assert await cluster.kind_of("apps/v1", "Deployment") == kinds.DEPLOYMENT
    assert await cluster.kind_named("deployments.apps") == kinds.DEPLOYMENT
    assert await cluster.kind_named("statefulsets") == kinds.STATEFUL_SET
    assert await cluster.kind_named("pods") == kinds.POD
    assert await cluster.unavailable_groups() == ()


async def test_an_unknown_kind_is_named_in_the_error(cluster: Cluster) -> None:
    """Neither a name nor an apiVersion is guessed."""
    with pytest.raises(NotFoundError, match=r"knows no kind widgets\.example\.com"):
        await cluster.kind_named("widgets.example.com")
    with pytest.raises(NotFoundError, match=r"Widget of example\.com/v1"):
        await cluster.kind_of("example.com/v1", "Widget")


async def test_a_new_definition_is_found_without_being_told(cluster: Cluster) -> None:
    """A kind that came after the first look is found by looking again."""
    await cluster.kinds()
    async with gadgets_served(cluster) as kind:

        async def found() -> bool:
            try:
                return await cluster.kind_named(kind.resource) == kind
            except NotFoundError:
                return False

        await wait_until(found, deadline_s=20, what="discovery knows gadgets")
        assert await cluster.kind_of(kind.api_version, "Gadget") == kind


async def test_a_kind_that_is_not_served_is_not_an_object_that_is_missing(
    cluster: Cluster, namespace: str
) -> None:
    """A missing definition says nothing about objects."""
    nowhere = Kind("nowhere.example.com", "v1", "Thing", "things")
    with pytest.raises(NotServedError):
        await cluster.get(nowhere, "one", namespace)
    with pytest.raises(NotServedError):
        await cluster.delete(nowhere, "one", namespace=namespace)
    with pytest.raises(NotServedError):
        await cluster.list(nowhere, namespace=namespace)


async def test_a_status_is_written_by_its_own_door(cluster: Cluster, namespace: str) -> None:
    """patch_status changes only the status, merge_patch everything else."""
    async with gadgets_served(cluster) as kind:
        body: Object = {
            "apiVersion": kind.api_version,
            "kind": "Gadget",
            "metadata": {"name": "g"},
            "spec": {"size": 1},
        }
        await cluster.create(kind, body, namespace=namespace)
        await cluster.patch_status(kind, "g", {"phase": "Ready"}, namespace=namespace)
        patch: Object = {"spec": {"size": 2}, "status": {"phase": "No"}}
        await cluster.merge_patch(kind, "g", patch, namespace=namespace)
        found = await cluster.get(kind, "g", namespace)
        assert found is not None
        assert found["spec"] == {"size": 2}
        assert found["status"] == {"phase": "Ready"}
        assert found["metadata"]["generation"] == 2
        with pytest.raises(NotFoundError):
            await cluster.patch_status(kind, "none", {"phase": "Ready"}, namespace=namespace)


async def test_a_terminating_namespace_accepts_nothing_and_says_so(
    api: Api, cluster: Cluster, namespace: str
) -> None:
    """A create in a namespace that is being deleted has an error of its own."""
    await api.terminate(cluster, namespace)
    with pytest.raises(NamespaceTerminatingError, match="the namespace is being deleted"):
        await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    with pytest.raises(NamespaceTerminatingError):
        await cluster.apply(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)


async def test_a_namespace_that_is_not_there_is_named(cluster: Cluster) -> None:
    """A create in no namespace is not a kind that is not served."""
    with pytest.raises(NotFoundError, match="nowhere") as caught:
        await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace="nowhere")
    assert not isinstance(caught.value, NotServedError)


async def test_a_body_that_does_not_fit_its_kind_is_invalid(
    cluster: Cluster, namespace: str
) -> None:
    """The server's refusal of an input is an input error."""
    with pytest.raises(InvalidInputError):
        await cluster.create(kinds.SECRET, config_map("one"), namespace=namespace)


async def test_the_cluster_has_one_identity(cluster: Cluster) -> None:
    """The uid of kube-system names the cluster."""
    uid = await cluster.uid()
    assert len(uid) == 36
    assert await cluster.uid() == uid


async def test_an_event_that_repeats_is_counted(cluster: Cluster, namespace: str) -> None:
    """The same event twice is one object with count 2."""
    about = await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    for _ in range(2):
        await cluster.record_event(about, reason="BackupDone", message="v1", warning=False)
    (event,) = [
        event
        for event in await cluster.list(kinds.EVENT, namespace=namespace)
        if event["involvedObject"]["uid"] == about["metadata"]["uid"]
    ]
    assert (event["count"], event["reason"], event["type"]) == (2, "BackupDone", "Normal")


async def test_strangers_are_turned_away(api: Api, tmp_path: Path) -> None:
    """Wrong credentials end the connecting with an error that names server, file and context."""
    document = yaml.safe_load(await asyncio.to_thread(Path(api.kubeconfig).read_text))
    for user in document["users"]:
        user["user"] = {"token": "planted-secret"}
    path = tmp_path / "stranger"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(DeniedError) as caught:
        async with Cluster.connect(ClusterAccess(kubeconfig=str(path))):
            pass
    text = str(caught.value)
    assert str(path) in text
    assert document["current-context"] in text
    assert document["clusters"][0]["cluster"]["server"] in text
    assert "planted-secret" not in text
