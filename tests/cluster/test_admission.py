"""Documents do not lend AppShield's rights: real accounts of the real cluster are refused.

Each writer is a service account with a token of its own and with just the rights that the test
gives it; the API server applies the policies that were installed with the kinds.
"""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from appshield.errors import DeniedError
from appshield.kubernetes import Cluster, ClusterAccess, Kind, Object, kinds
from appshield.kubernetes.identity import own_identity
from appshield.kubernetes.requests import Call
from appshield.language.admission import READER, RESTORED_KINDS
from appshield.language.requesters import (
    REQUESTED_BY,
    REQUESTED_GROUPS,
    RUN_ANYWAY,
    Requester,
    annotations_for,
)
from appshield.language.writers import (
    WRITTEN_BY,
    WRITTEN_GENERATION,
    writer_annotations,
    writer_of,
)
from appshield.local.cluster import ClusterFacts
from appshield.watcher.kinds import install_kinds
from kubernetes_api import namespace_in
from waiting import wait_until

RBAC = "rbac.authorization.k8s.io"
ROLE_BINDING = Kind(RBAC, "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE_BINDING = Kind(
    RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
VERBS = ("get", "create", "update", "patch")
OURS = ("applications", "backups", "restores", "policies", "profiles")
WRITES = (("appshield.io", OURS, VERBS),)
READS_DATA = ("appshield.io", ["versions/data"], ["get"])
HOOK = {"command": ["true"]}
COMPONENT = {"name": "db", "workload": {"kind": "StatefulSet", "name": "db"}}
WITH_HOOK = {"components": [{**COMPONENT, "quiesce": HOOK, "resume": HOOK}]}
ALONE = {"resources": {"follow": False}}

Rights = Sequence[tuple[str, Sequence[str], Sequence[str]]]


class Place:
    """A namespace, and accounts in it."""

    def __init__(self, admin: Cluster, facts: ClusterFacts, namespace: str, folder: Path) -> None:
        self.admin = admin
        self.namespace = namespace
        self._kubeconfig = facts.kubeconfig
        self._folder = folder

    @asynccontextmanager
    async def account(
        self,
        *rights: tuple[str, Sequence[str], Sequence[str]],
        everywhere: Rights = (),
        writes: Rights = WRITES,
    ) -> AsyncIterator[Cluster]:
        """Connect as a new account that may write documents, and has these rights besides."""
        name = f"writer-{secrets.token_hex(3)}"
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        await self.admin.create(kinds.SERVICE_ACCOUNT, account, namespace=self.namespace)
        await self._give(name, (*writes, *rights), everywhere=False)
        if everywhere:
            await self._give(name, (*WRITES, *everywhere), everywhere=True)
        token = await self._token(name)
        access = ClusterAccess(kubeconfig=str(self._kubeconfig_of(name, token)))
        async with Cluster.connect(access) as cluster:
            yield cluster

    async def _give(self, account: str, rights: Rights, *, everywhere: bool) -> None:
        name = f"{self.namespace}-{account}-{'all' if everywhere else 'here'}"
        role: Object = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [
                {"apiGroups": [group], "resources": list(plurals), "verbs": list(verbs)}
                for group, plurals, verbs in rights
            ],
        }
        await self.admin.create(kinds.CLUSTER_ROLE, role)
        await self.bind(name, account, everywhere=everywhere)

    async def bind(self, role: str, account: str, *, everywhere: bool) -> None:
        """Give an account a role, here or everywhere."""
        binding: Object = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
            "metadata": {"name": f"{self.namespace}-{account}-{role}"[:63].rstrip("-")},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": self.namespace}],
        }
        if everywhere:
            await self.admin.create(CLUSTER_ROLE_BINDING, binding)
        else:
            await self.admin.create(ROLE_BINDING, binding, namespace=self.namespace)

    async def _token(self, account: str) -> str:
        call = Call(
            method="POST",
            path=kinds.SERVICE_ACCOUNT.path(self.namespace, account, "token"),
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
            doing="ask for a token",
            confidential=True,
        )
        answer = await self.admin.requests.send(call)
        return str(answer["status"]["token"])

    def _kubeconfig_of(self, name: str, token: str) -> Path:
        config = yaml.safe_load(self._kubeconfig.read_text())
        for user in config["users"]:
            user["user"] = {"token": token}
        path = self._folder / name
        path.write_text(json.dumps(config))
        return path


@pytest.fixture
async def place(local_cluster: ClusterFacts, tmp_path: Path) -> AsyncIterator[Place]:
    access = ClusterAccess(kubeconfig=str(local_cluster.kubeconfig))
    async with Cluster.connect(access) as admin:
        await install_kinds(admin)
        async with namespace_in(admin) as namespace:
            made = Place(admin, local_cluster, namespace, tmp_path)
            await _until_in_force(made)
            yield made


async def _until_in_force(place: Place) -> None:
    """Policies take effect a moment after they were stored; rights too."""
    async with place.account() as writer:

        async def refused() -> bool:
            try:
                await _try(writer, place.namespace, WITH_HOOK | ALONE)
            except DeniedError as error:
                return "pods/exec" in str(error)
            return False

        await wait_until(refused, deadline_s=60, what="the policies are in force")


async def _try(
    cluster: Cluster, namespace: str, spec: dict[str, Any], kind: Kind = kinds.APPLICATION
) -> Object:
    body: Object = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": "shop"},
        "spec": spec,
    }
    target = namespace if kind.namespaced else ""
    return await cluster.create(kind, body, namespace=target, dry_run=True)


async def test_who_writes_a_hook_may_run_commands_in_those_pods(place: Place) -> None:
    """Else a document would be a way into pods; the refusal says which right is missing."""
    async with place.account() as writer:
        with pytest.raises(DeniedError, match="may not create pods/exec in namespace test-"):
            await _try(writer, place.namespace, WITH_HOOK | ALONE)
        assert await _try(writer, place.namespace, {"components": [COMPONENT], **ALONE})
    async with place.account(("", ["pods/exec"], ["create"])) as writer:
        assert await _try(writer, place.namespace, WITH_HOOK | ALONE)


async def test_who_changes_anything_but_the_hooks_needs_no_right_to_run_commands(
    place: Place,
) -> None:
    """The hooks were written by somebody who had it."""
    body: Object = {
        "apiVersion": kinds.APPLICATION.api_version,
        "kind": "Application",
        "metadata": {"name": "kept"},
        "spec": WITH_HOOK,
    }
    await place.admin.create(kinds.APPLICATION, body, namespace=place.namespace)
    async with place.account() as writer:
        patch: Object = {"spec": {"criticality": "gold"}}
        await writer.merge_patch(kinds.APPLICATION, "kept", patch, namespace=place.namespace)
        resume = {"command": ["rm", "-rf", "/data"]}
        changed = {"components": [{**COMPONENT, "quiesce": HOOK, "resume": resume}]}
        with pytest.raises(DeniedError, match="pods/exec"):
            await writer.merge_patch(
                kinds.APPLICATION, "kept", {"spec": changed}, namespace=place.namespace
            )


async def test_who_captures_shared_objects_may_read_them(place: Place) -> None:
    """Unless the document leaves them out; the refusal names the role and both ways out."""
    async with place.account() as writer:
        with pytest.raises(DeniedError, match=f"ask for the role {READER}, or write"):
            await _try(writer, place.namespace, {"type": "web"})
        assert await _try(writer, place.namespace, ALONE)
    everything = ["customresourcedefinitions.apiextensions.k8s.io", "clusterroles"]
    everything += ["clusterrolebindings", "*.storage.k8s.io", "volumesnapshotclasses"]
    everything += ["priorityclasses", "runtimeclasses", "ingressclasses", "gatewayclasses"]
    async with place.account() as writer:
        left_out = {"resources": {"exclude": everything}}
        assert await _try(writer, place.namespace, left_out)
        some = [one for one in everything if one != "clusterroles"]
        with pytest.raises(DeniedError, match=r"may not list clusterroles\.rbac"):
            await _try(writer, place.namespace, {"resources": {"exclude": some}})
    (role,) = [one for one in await place.admin.list(kinds.CLUSTER_ROLE) if _is_reader(one)]
    rights = [(r["apiGroups"][0], r["resources"], r["verbs"]) for r in role["rules"]]
    async with place.account(everywhere=rights) as writer:
        assert await _try(writer, place.namespace, {"type": "web"})


async def test_who_restores_may_read_what_a_version_holds(place: Place) -> None:
    """As at the other doors: creating a Restore is no way to what somebody else has saved."""
    rights = [(group, [plural], ["create"]) for group, plural in RESTORED_KINDS]
    wish = {"application": "shop", "version": "last-good"}
    async with place.account(*rights) as writer:
        with pytest.raises(
            DeniedError, match=r"may not get versions/data\.appshield\.io in .* test-"
        ):
            await _try(writer, place.namespace, wish, kinds.RESTORE)
    async with place.account(READS_DATA, *rights) as restorer:
        assert await _try(restorer, place.namespace, wish, kinds.RESTORE)


async def test_who_restores_may_create_what_a_version_holds(place: Place) -> None:
    """In the namespace that it comes back into."""
    rights = [READS_DATA, *((group, [plural], ["create"]) for group, plural in RESTORED_KINDS)]
    wish = {"application": "shop", "version": "last-good"}
    async with place.account(*rights) as restorer:
        assert await _try(restorer, place.namespace, wish, kinds.RESTORE)
        with pytest.raises(DeniedError, match=r"may not create restores\.appshield\.io in .* defa"):
            await _try(restorer, place.namespace, {**wish, "to": "default"}, kinds.RESTORE)
    some = [right for right in rights if right[1] != ["secrets"]]
    async with place.account(*some) as restorer:
        with pytest.raises(DeniedError, match="may not create secrets in namespace"):
            await _try(restorer, place.namespace, wish, kinds.RESTORE)


async def test_who_restores_a_part_needs_the_rights_for_that_part(place: Place) -> None:
    """Whatever paths may reach is asked for; a wildcard may reach everything."""
    some = [READS_DATA, ("", ["configmaps"], ["create"]), ("apps", ["deployments"], ["create"])]
    enough = ["manifests/configmap/settings.json", "manifests/deployment.apps", "dumps/db"]
    too_much = {
        "manifests": "secrets",
        "manifests/secret/key.json": "secrets",
        "manifests/secret": "secrets",
        "manifests//secret/key.json": "secrets",
        "manifests/secret/a\nb.json": "secrets",
        "manifests/*/key.json": "secrets",
        "manifests/[s]ecret/key.json": "secrets",
        "**": "secrets",
        "*/secret": "secrets",
        "volumes/data/etc": "persistentvolumeclaims",
        "manifests/rolebinding.rbac.authorization.k8s.io/x.json": "rolebindings",
    }
    async with place.account(*some) as restorer:
        wish: dict[str, Any] = {"application": "shop", "version": "1"}
        assert await _try(restorer, place.namespace, {**wish, "paths": enough}, kinds.RESTORE)
        for path, plural in too_much.items():
            spec = {**wish, "paths": [*enough, path]}
            with pytest.raises(DeniedError, match=f"may not create {plural}"):
                await _try(restorer, place.namespace, spec, kinds.RESTORE)
        onto = {**wish, "paths": enough, "existing": "update"}
        with pytest.raises(DeniedError, match="may not create and update configmaps"):
            await _try(restorer, place.namespace, onto, kinds.RESTORE)


async def test_who_has_an_old_backup_made_may_make_backups(place: Place) -> None:
    """The right to create one is asked for by the API server; the annotation is as good as that."""
    body: Object = {
        "apiVersion": kinds.BACKUP.api_version,
        "kind": "Backup",
        "metadata": {"name": "old"},
        "spec": {"application": "shop"},
    }
    await place.admin.create(kinds.BACKUP, body, namespace=place.namespace)
    anyway: Object = {"metadata": {"annotations": {RUN_ANYWAY: "true"}}}
    changes_only = [("appshield.io", ["backups"], ["get", "patch"])]
    async with place.account(*changes_only, writes=()) as writer:
        with pytest.raises(
            DeniedError, match=r"may not create backups\.appshield\.io in namespace"
        ):
            await writer.merge_patch(kinds.BACKUP, "old", anyway, namespace=place.namespace)
        with pytest.raises(DeniedError):
            await _try(writer, place.namespace, {"application": "shop"}, kinds.BACKUP)
    async with place.account() as writer:
        await writer.merge_patch(kinds.BACKUP, "old", anyway, namespace=place.namespace)


async def test_who_lets_an_old_restore_be_done_may_restore(place: Place) -> None:
    """The annotation is as good as a new object."""
    body: Object = {
        "apiVersion": kinds.RESTORE.api_version,
        "kind": "Restore",
        "metadata": {"name": "old"},
        "spec": {"application": "shop", "version": "1"},
    }
    await place.admin.create(kinds.RESTORE, body, namespace=place.namespace)
    anyway: Object = {"metadata": {"annotations": {RUN_ANYWAY: "true"}}}
    other: Object = {"metadata": {"annotations": {"any": "other"}}}
    async with place.account() as writer:
        await writer.merge_patch(kinds.RESTORE, "old", other, namespace=place.namespace)
        with pytest.raises(DeniedError, match="may not get versions/data"):
            await writer.merge_patch(kinds.RESTORE, "old", anyway, namespace=place.namespace)
    rights = [READS_DATA, *((group, [plural], ["create"]) for group, plural in RESTORED_KINDS)]
    async with place.account(*rights) as writer:
        await writer.merge_patch(kinds.RESTORE, "old", anyway, namespace=place.namespace)


@pytest.mark.parametrize(
    "forged",
    [
        {REQUESTED_BY: "system:admin"},
        {REQUESTED_BY: "system:admin", REQUESTED_GROUPS: "system:masters"},
        {REQUESTED_GROUPS: "system:masters"},
    ],
    ids=["name", "name-and-group", "group"],
)
async def test_nobody_asks_in_the_name_of_somebody_else(
    place: Place, forged: dict[str, str]
) -> None:
    """Refused by the API server; where AppShield is there, what is so stands there instead."""
    body: Object = {
        "apiVersion": kinds.BACKUP.api_version,
        "kind": "Backup",
        "metadata": {"name": "forged", "annotations": forged},
        "spec": {"application": "shop"},
    }
    async with place.account() as writer:
        own = await own_identity(writer)
        true = annotations_for(Requester(own.username, own.groups))
        creating = writer.create(kinds.BACKUP, body, namespace=place.namespace, dry_run=True)
        made = await _unless_forged(creating)
        assert made is None or made["metadata"]["annotations"].items() >= true.items()
        honest: Object = {**body, "metadata": {"name": "honest", "annotations": true}}
        made = await writer.create(kinds.BACKUP, honest, namespace=place.namespace)
        assert made["metadata"]["annotations"].items() >= true.items()
        for other in (forged, dict.fromkeys(true)):
            found = await _annotated(place, writer, kinds.BACKUP, "honest", other)
            assert found["metadata"]["annotations"].items() >= true.items()


@pytest.mark.parametrize(
    "forged",
    [
        {WRITTEN_BY: "system:admin", WRITTEN_GENERATION: "1"},
        {WRITTEN_BY: "system:admin"},
        {WRITTEN_GENERATION: "1"},
    ],
    ids=["name-and-generation", "name", "generation"],
)
async def test_nobody_writes_a_document_in_the_name_of_somebody_else(
    place: Place, forged: dict[str, str]
) -> None:
    """Nor puts their own name on what somebody else has written, or on what is to come."""
    body: Object = {
        "apiVersion": kinds.APPLICATION.api_version,
        "kind": "Application",
        "metadata": {"name": "forged", "annotations": forged},
        "spec": ALONE,
    }
    async with place.account() as writer:
        own = (await own_identity(writer)).username
        creating = writer.create(kinds.APPLICATION, body, namespace=place.namespace, dry_run=True)
        made = await _unless_forged(creating)
        assert made is None or writer_of(made) == own
        for generation in (1, 2, 3):
            true = writer_annotations(own, generation)
            body["metadata"] = {"name": f"made-{generation}", "annotations": true}
            made = await _unless_forged(
                writer.create(kinds.APPLICATION, body, namespace=place.namespace)
            )
            assert (made is None and generation > 1) or (made and writer_of(made) == own)
    async with place.account() as other:
        theirs = (await own_identity(other)).username
        for annotations in (forged, writer_annotations(theirs, 1), writer_annotations(theirs, 2)):
            found = await _annotated(place, other, kinds.APPLICATION, "made-1", annotations)
            assert writer_of(found) == own


async def _annotated(
    place: Place, writer: Cluster, kind: Kind, name: str, annotations: Mapping[str, str | None]
) -> Object:
    """Try to annotate an object as `writer`; return the object as it is then."""
    changed: Object = {"metadata": {"annotations": dict(annotations)}}
    await _unless_forged(writer.merge_patch(kind, name, changed, namespace=place.namespace))
    found = await place.admin.get(kind, name, place.namespace)
    assert found is not None
    return found


async def _unless_forged(writing: Awaitable[Object]) -> Object | None:
    """Write; None where the API server refuses, as it says who asks and it is not so."""
    try:
        return await writing
    except DeniedError as error:
        if "may not write what is not so" not in str(error):
            raise
        return None


async def test_who_lets_a_policy_act_everywhere_may_do_so_everywhere(place: Place) -> None:
    """Its probes run commands, and its reactions restore, wherever it matches."""
    probes = {"schedule": "@weekly", "probes": [{"component": "db", "command": ["true"]}]}
    profile = {"type": "database/acme", "quiesce": HOOK, "resume": HOOK}
    restore = {"when": "true", "do": {"restore": {"version": "last-good"}}}
    alerts = {"match": "true", "alerts": {"rpo": "1h"}}
    async with place.account(everywhere=[("", ["pods"], ["get"])]) as writer:
        assert await _try(writer, "", alerts, kinds.POLICY)
        with pytest.raises(DeniedError, match="may not create pods/exec in every namespace"):
            await _try(writer, "", {**alerts, "verify": probes}, kinds.POLICY)
        with pytest.raises(DeniedError, match="may not create pods/exec in every namespace"):
            await _try(writer, "", profile, kinds.PROFILE)
        assert await _try(writer, "", {**alerts, "react": [restore]}, kinds.POLICY)
    async with place.account(everywhere=[("", ["pods/exec"], ["create"])]) as writer:
        assert await _try(writer, "", {**alerts, "verify": probes}, kinds.POLICY)
        assert await _try(writer, "", profile, kinds.PROFILE)


def _is_reader(role: Object) -> bool:
    return bool(role["metadata"]["name"] == READER)
