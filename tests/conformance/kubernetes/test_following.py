"""Waiting and watching: the same claims of the fake and of a real API server."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from appshield.errors import DeadlineError
from appshield.kubernetes import (
    Cluster,
    KeepingReflector,
    Kind,
    Object,
    Reflector,
    Selection,
    kinds,
    ready,
)
from kubernetes_api import Api, config_map, gadgets, through_proxy
from mirror import Mirror
from waiting import wait_until


@asynccontextmanager
async def reflecting(reflector: KeepingReflector[Object]) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reflector.run(stopping))
        try:
            yield
        finally:
            stopping.set()


async def test_waiting_ends_with_the_change_that_was_waited_for(
    cluster: Cluster, namespace: str
) -> None:
    """An object that is not there yet can be waited for, and so can its change."""

    def has_two(obj: Object | None) -> bool:
        return obj is not None and obj["data"]["value"] == "2"

    async with asyncio.TaskGroup() as tasks:
        waiter = tasks.create_task(
            cluster.wait_for(
                kinds.CONFIG_MAP, "one", namespace, has_two, timeout_s=20, what="at two"
            )
        )
        await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
        patch: Object = {"data": {"value": "2"}}
        await cluster.merge_patch(kinds.CONFIG_MAP, "one", patch, namespace=namespace)
    assert waiter.result()["data"] == {"value": "2"}


async def test_waiting_for_an_object_to_go_returns_its_last_state(
    cluster: Cluster, namespace: str
) -> None:
    """Deletion is a state that can be waited for."""
    created = await cluster.create(kinds.CONFIG_MAP, config_map("one"), namespace=namespace)
    async with asyncio.TaskGroup() as tasks:
        waiter = tasks.create_task(
            cluster.wait_for(
                kinds.CONFIG_MAP,
                "one",
                namespace,
                lambda obj: obj is None,
                timeout_s=20,
                what="gone",
            )
        )
        await cluster.delete(kinds.CONFIG_MAP, "one", namespace=namespace)
    assert waiter.result() in ({}, created)


async def test_waiting_too_long_names_the_object_and_the_reason(
    cluster: Cluster, namespace: str
) -> None:
    """A deadline says what was missing."""
    pending: Object = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none",
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    await cluster.create(kinds.PVC, pending, namespace=namespace)
    with pytest.raises(DeadlineError) as caught:
        await cluster.wait_for(
            kinds.PVC,
            "data",
            namespace,
            lambda obj: obj is not None and ready(obj).state == "ready",
            timeout_s=0.5,
            what="bound",
        )
    text = str(caught.value)
    assert f"persistentvolumeclaims data in namespace {namespace} was not bound" in text
    assert "it is not bound to a volume" in text


async def test_a_reflector_brings_the_set_and_then_each_change(
    cluster: Cluster, namespace: str
) -> None:
    """First everything in one call, then what happens, in order."""
    await cluster.create(kinds.CONFIG_MAP, config_map("a"), namespace=namespace)
    mirror = Mirror()
    reflector = Reflector(
        cluster,
        kinds.CONFIG_MAP,
        namespace=namespace,
        label_selector="appshield.io/test",
        sink=mirror,
    )
    async with reflecting(reflector):
        await wait_until(lambda: reflector.synced, deadline_s=20, what="the set came")
        assert mirror.calls == [("replace", "a")]
        assert mirror.objects["a"]["kind"] == "ConfigMap"
        await cluster.create(kinds.CONFIG_MAP, config_map("b"), namespace=namespace)
        patch: Object = {"data": {"value": "2"}}
        await cluster.merge_patch(kinds.CONFIG_MAP, "b", patch, namespace=namespace)
        await cluster.delete(kinds.CONFIG_MAP, "a", namespace=namespace)
        await wait_until(lambda: mirror.names == {"b"}, deadline_s=20, what="a is gone")
    assert mirror.calls[1:] == [("changed", "b"), ("changed", "b"), ("deleted", "a")]


async def test_metadata_alone_is_sent_where_no_more_is_asked_for(
    cluster: Cluster, namespace: str
) -> None:
    """In the set and in changes; each object says of which kind it is."""
    await cluster.create(kinds.CONFIG_MAP, config_map("a"), namespace=namespace)
    mirror = Mirror()
    selection = Selection(namespace, "appshield.io/test", metadata_only=True)
    reflector = KeepingReflector(
        cluster, kinds.CONFIG_MAP, selection, sink=mirror, keep=lambda obj: obj
    )
    async with reflecting(reflector):
        await wait_until(lambda: reflector.synced, deadline_s=20, what="the set came")
        await cluster.create(kinds.CONFIG_MAP, config_map("b"), namespace=namespace)
        await wait_until(lambda: mirror.names == {"a", "b"}, deadline_s=20, what="b came")
    for obj in mirror.objects.values():
        assert obj.keys() == {"apiVersion", "kind", "metadata"}
        assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")


async def test_an_object_that_leaves_the_selection_is_gone(
    cluster: Cluster, namespace: str
) -> None:
    """Losing the label is, for the reader, a deletion."""
    await cluster.create(kinds.CONFIG_MAP, config_map("a"), namespace=namespace)
    mirror = Mirror()
    reflector = Reflector(
        cluster,
        kinds.CONFIG_MAP,
        namespace=namespace,
        label_selector="appshield.io/test",
        sink=mirror,
    )
    async with reflecting(reflector):
        await wait_until(lambda: mirror.names == {"a"}, deadline_s=20, what="the set came")
        patch: Object = {"metadata": {"labels": None}}
        await cluster.merge_patch(kinds.CONFIG_MAP, "a", patch, namespace=namespace)
        await wait_until(lambda: not mirror.names, deadline_s=20, what="a left")


async def test_a_reflector_outlives_cut_connections_and_misses_nothing(
    api: Api, cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    """What changed and went away behind a broken line is known afterwards."""
    for name in ("a", "b"):
        await cluster.create(kinds.CONFIG_MAP, config_map(name), namespace=namespace)
    mirror = Mirror()
    async with through_proxy(api.kubeconfig, tmp_path) as (proxy, far):
        reflector = Reflector(
            far,
            kinds.CONFIG_MAP,
            namespace=namespace,
            label_selector="appshield.io/test",
            sink=mirror,
        )
        async with reflecting(reflector):
            await wait_until(lambda: mirror.names == {"a", "b"}, deadline_s=20, what="the set")
            proxy.refusing = True
            proxy.cut()
            await cluster.delete(kinds.CONFIG_MAP, "a", namespace=namespace)
            await cluster.create(kinds.CONFIG_MAP, config_map("c"), namespace=namespace)
            await wait_until(lambda: reflector.problem, deadline_s=20, what="it noticed")
            proxy.refusing = False
            await wait_until(lambda: mirror.names == {"b", "c"}, deadline_s=30, what="it is back")
            assert reflector.synced


async def test_a_reflector_waits_for_a_definition_that_is_missing(
    cluster: Cluster, namespace: str
) -> None:
    """No definition is no error and no empty set; when it comes, objects follow."""
    group = f"test-{secrets.token_hex(4)}.appshield.io"
    kind = Kind(group, "v1", "Gadget", "gadgets")
    mirror = Mirror()
    reflector = Reflector(cluster, kind, sink=mirror)
    async with reflecting(reflector):
        await wait_until(lambda: reflector.problem, deadline_s=20, what="it noticed")
        assert not reflector.synced
        assert mirror.calls == []
        await cluster.create(kinds.CRD, gadgets(group))
        try:
            await wait_until(lambda: reflector.synced, deadline_s=40, what="it is synced")
            assert mirror.calls == [("replace", "")]
        finally:
            await cluster.delete(kinds.CRD, f"gadgets.{group}")
