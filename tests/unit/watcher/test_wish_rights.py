"""What a Restore object brings back is what whoever wrote it may create, of one version."""

import pytest
from msgspec.structs import replace

from appshield.contracts import streams
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.requests import RequestRestore
from appshield.language.requesters import Requester
from appshield.rights.access import Access
from appshield.watcher.wish_rights import WishRights
from memory_bus import MemoryBus
from planned_versions import version
from planner_world import APP
from rest_api import KindsByTable, RightsByTable

ANN = Requester("ann", ("sales",))
HERE, ELSEWHERE = APP.namespace, "copy"
USUAL = ("ConfigMap", "Deployment.apps")
MORE = ("ConfigMap", "ClusterRole.rbac.authorization.k8s.io")
CREATE_CONFIG_MAPS = ("create", "configmaps.", ELSEWHERE)


async def _rights(
    *versions: VersionRecord, having: frozenset[tuple[str, str, str]] = frozenset()
) -> WishRights:
    bus = MemoryBus("planner")
    record = ApplicationRecord(
        app_id="a-1", app=APP, uid="u", vault="primary", state="active", revision="r"
    )
    await bus.bucket(streams.APPLICATIONS, ApplicationRecord).put("a-1", record)
    for one in versions:
        await bus.bucket(streams.CATALOG, VersionRecord).put(f"a-1.{one.facts.number}", one)
    return WishRights(bus, Access(RightsByTable({"ann": having})), KindsByTable())


def _version(number: int, *kinds: str, damaged: bool = False) -> VersionRecord:
    made = version(number, damaged=damaged)
    return replace(made, facts=replace(made.facts, kinds=kinds))


def _wish(number: int = 1, **more: object) -> RequestRestore:
    return replace(
        RequestRestore(
            app=APP,
            version=number,
            target_namespace=ELSEWHERE,
            request_id="restore-u-1",
            about=f"Restore {HERE}/w",
            door="object",
        ),
        **more,
    )


async def test_whoever_may_create_all_of_it_has_it_restored() -> None:
    """The request says the version that was looked at, so that no other one comes back."""
    rights = await _rights(
        _version(1, *USUAL),
        _version(2, *USUAL, damaged=True),
        having=frozenset({("create", "deployments.apps", ELSEWHERE), CREATE_CONFIG_MAPS}),
    )
    assert await rights.checked(_wish(1), ANN) == _wish(1, app_id="a-1")
    newest = _wish(0, choice="last-good")
    assert await rights.checked(newest, ANN) == _wish(1, app_id="a-1")


async def test_whoever_may_not_create_a_kind_is_told_which() -> None:
    """Of any kind, not only of those that the API server has been asked about."""
    rights = await _rights(_version(1, *MORE), having=frozenset({CREATE_CONFIG_MAPS}))
    checked = await rights.checked(_wish(1), ANN)
    assert checked.denied
    missing = "create clusterroles.rbac.authorization.k8s.io in the whole cluster is missing"
    assert checked.refusal is not None
    assert missing in checked.refusal.why
    part = await rights.checked(_wish(1, paths=("manifests/configmap",)), ANN)
    assert (part.refusal, part.denied) == (None, False)


async def test_whoever_overwrites_needs_the_right_to_update() -> None:
    """As at the other doors."""
    rights = await _rights(_version(1, "ConfigMap"), having=frozenset({CREATE_CONFIG_MAPS}))
    checked = await rights.checked(_wish(1, existing=True), ANN)
    assert checked.refusal is not None
    assert "update configmaps" in checked.refusal.why


async def test_of_nobody_only_what_the_api_server_has_looked_at_is_restored() -> None:
    """Closed, where it is not known whose rights to ask for."""
    rights = await _rights(_version(1, *USUAL), _version(2, *MORE), _version(3))
    assert (await rights.checked(_wish(1), None)).refusal is None
    for number, named in ((2, "ClusterRole.rbac.authorization.k8s.io"), (3, "*")):
        checked = await rights.checked(_wish(number), None)
        assert checked.denied
        assert checked.refusal is not None
        assert f"it holds {named}, and who" in checked.refusal.why
    absent = await rights.checked(_wish(1, target_namespace="absent"), None)
    assert absent.refusal is None  # no version of this one makes the namespace


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (_wish(9), "has no version 9"),
        (_wish(0, choice="last-verified"), "has no verified version"),
        (_wish(1, app_id="a-7"), "a-7 is no history"),
        (_wish(1, app=replace(APP, name="other")), "other"),
    ],
)
async def test_what_is_not_there_is_refused_and_nobody_denied(
    wish: RequestRestore, why: str
) -> None:
    """It is not sent on unlooked at: it could come into being on the way."""
    checked = await (await _rights(_version(1, *USUAL))).checked(wish, ANN)
    assert checked.refusal is not None
    assert why in str(checked.refusal)
    assert not checked.denied
