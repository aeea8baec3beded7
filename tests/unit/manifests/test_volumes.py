"""Which volumes are saved, how, and which are refused or left out: each with its reason."""

from typing import Any

import pytest

from appshield.language.resolved import ResolvedApplication
from appshield.manifests.consistency import consistency
from appshield.manifests.membership import select
from appshield.manifests.objects import Object
from appshield.manifests.volumes import VolumePlan, VolumePlanning, volume_plan
from unit.manifests.shop import (
    PART_OF,
    Shop,
    application,
    claim,
    component,
    container,
    make,
    owner_reference,
    pod,
    snapshot_class,
    volume,
)

HOOK = {"command": ["x"]}


def _plan(shop: Shop, app: ResolvedApplication | None = None) -> VolumePlanning:
    app = app or application(components=[component("db"), component("web", "Deployment")])
    members = select(app, shop.objects).objects
    return volume_plan(
        app,
        members,
        shop.pods,
        claims=shop.claims,
        volumes=shop.volumes,
        snapshot_classes=shop.snapshot_classes,
        objects=shop.objects,
    )


def _app(**fields: object) -> ResolvedApplication:
    return application(components=[component("db", **fields)])


def _by_claim(planning: VolumePlanning) -> dict[str, VolumePlan]:
    return {plan.claim: plan for plan in planning.volumes}


def _reasons(entries: tuple[Any, ...]) -> dict[str, str]:
    return {entry.name: entry.reason for entry in entries}


def _without_snapshots(shop: Shop) -> Shop:
    shop.snapshot_classes = [snapshot_class("other", "other.csi")]
    return shop


def test_every_claim_is_a_snapshot_where_its_driver_makes_them() -> None:
    """Each plan knows its component, driver, class and the pod that mounts it."""
    planning = _plan(Shop())
    assert planning.refusals == ()
    plans = _by_claim(planning)
    assert sorted(plans) == ["data-db-0", "data-db-1", "uploads"]
    assert plans["data-db-0"] == VolumePlan(
        claim="data-db-0",
        component="db",
        method="snapshot",
        reason="btrfs.csi makes snapshots with class snap",
        volume="pv-0",
        driver="btrfs.csi",
        storage_class="fast",
        snapshot_class="snap",
        size="1Gi",
        node="node-1",
        pod="db-0",
        pod_uid="uid-of-Pod-db-0",
    )
    assert plans["uploads"].component == "web"
    assert _reasons(planning.left_out) == {"run of StatefulSet db": "is scratch space of its pod"}


def test_without_snapshots_a_volume_is_read_live_and_says_so() -> None:
    """The pod is where it can be read."""
    plans = _by_claim(_plan(_without_snapshots(Shop())))
    assert {plan.method for plan in plans.values()} == {"live"}
    assert plans["uploads"].reason == "there is no VolumeSnapshotClass for its driver btrfs.csi"
    assert (plans["uploads"].node, plans["uploads"].pod) == ("node-1", "web-abc12-x1")


def test_a_volume_of_an_old_kind_is_read_live() -> None:
    """NFS has no snapshots."""
    shop = Shop()
    shop.volumes[2] = volume("pv-2", nfs={"server": "s", "path": "/"})
    plan = _by_claim(_plan(shop))["uploads"]
    assert (plan.method, plan.reason) == ("live", "nfs has no snapshots")


def test_the_default_class_of_a_driver_is_used() -> None:
    """Else the first by name."""
    shop = Shop()
    shop.snapshot_classes = [snapshot_class("b"), snapshot_class("z", default=True)]
    assert _plan(shop).volumes[0].snapshot_class == "z"
    shop.snapshot_classes = [snapshot_class("b"), snapshot_class("a")]
    assert _plan(shop).volumes[0].snapshot_class == "a"


@pytest.mark.parametrize(
    ("phase", "reason"), [("Pending", "its phase is Pending"), ("Lost", "its phase is Lost")]
)
def test_a_claim_that_is_not_bound_is_refused(phase: str, reason: str) -> None:
    """A version without its data would look complete."""
    shop = Shop()
    shop.claims[2]["status"]["phase"] = phase
    assert reason in _reasons(_plan(shop).refusals)["uploads"]


def test_a_claim_that_has_lost_its_volume_says_so() -> None:
    """It is bound, so there is nothing that it waits for."""
    shop = Shop()
    del shop.volumes[2]
    reason = _reasons(_plan(shop).refusals)["uploads"]
    assert reason.startswith("the volume that the claim is bound to does not exist")


def test_a_claim_that_does_not_exist_is_refused() -> None:
    """The workload names it, nobody made it."""
    shop = Shop()
    del shop.claims[2]
    assert "does not exist" in _reasons(_plan(shop).refusals)["uploads"]


def test_a_host_path_is_refused_as_a_volume_and_in_a_pod() -> None:
    """It is the node's, not the application's."""
    shop = Shop()
    shop.volumes[2] = volume("pv-2", hostPath={"path": "/data"})
    spec = shop.web["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "logs", "hostPath": {"path": "/var/log"}})
    refusals = _reasons(_plan(shop).refusals)
    assert sorted(refusals) == ["logs of Deployment web", "uploads"]
    assert all("hostPath of the node" in reason for reason in refusals.values())


def test_what_the_document_excludes_is_left_out() -> None:
    """By the name of the volume, of its template or of its claim, a hostPath too."""
    shop = Shop()
    web = shop.web["spec"]["template"]["spec"]
    web["volumes"].append({"name": "logs", "hostPath": {"path": "/var/log"}})
    app = application(
        components=[
            component("db", volumes={"exclude": ["data"]}),
            component("web", "Deployment", volumes={"exclude": ["logs", "uploads"]}),
        ]
    )
    planning = _plan(shop, app)
    assert (planning.volumes, planning.refusals) == ((), ())
    assert _reasons(planning.left_out) == {
        "data-db-0": "the document excludes it",
        "data-db-1": "the document excludes it",
        "uploads": "the document excludes it",
        "logs of Deployment web": "the document excludes it",
        "run of StatefulSet db": "is scratch space of its pod",
    }


def test_a_claim_with_the_label_is_left_out_though_a_pod_mounts_it() -> None:
    """The label keeps any claim out."""
    shop = Shop()
    shop.claims[2]["metadata"]["labels"] = {"appshield.io/exclude": "true"}
    planning = _plan(shop)
    assert "uploads" not in _by_claim(planning)
    assert "appshield.io/exclude" in _reasons(planning.left_out)["uploads"]


def test_a_claim_that_does_not_belong_is_left_out() -> None:
    """Membership decides."""
    app = application(resources={"exclude": ["persistentvolumeclaims"]})
    planning = _plan(Shop(), app)
    assert planning.volumes == ()
    assert _reasons(planning.left_out)["uploads"] == "does not belong to the application"


def test_a_claim_that_gets_other_data_says_whose() -> None:
    app = application(components=[component("db", dataOf="web"), component("web", "Deployment")])
    reason = _reasons(_plan(Shop(), app).left_out)["data-db-0"]
    assert reason == "a restore fills it with the data of web"


@pytest.mark.parametrize(
    ("strategy", "reason"),
    [
        ("none", "strategy none saves no data"),
        ("dump", "strategy dump saves the output of a command instead"),
    ],
)
def test_a_strategy_without_volumes_leaves_them_out(strategy: str, reason: str) -> None:
    """Data and dump of one component are never both restored."""
    planning = _plan(Shop(), _app(strategy=strategy, dump=HOOK, load=HOOK))
    assert sorted(_by_claim(planning)) == ["uploads"]
    assert _reasons(planning.left_out)["data-db-1"] == reason


@pytest.mark.parametrize(("running", "saved"), [([0, 1], 0), ([1], 1), ([], 0)])
def test_one_replica_saves_the_lowest_one_that_runs(running: list[int], saved: int) -> None:
    """The claims of the others are left out."""
    shop = Shop()
    for ordinal in {0, 1} - set(running):
        shop.pods[ordinal]["status"]["phase"] = "Pending"
    planning = _plan(shop, _app(strategy="one-replica"))
    assert sorted(_by_claim(planning)) == [f"data-db-{saved}", "uploads"]
    assert _reasons(planning.left_out)[f"data-db-{1 - saved}"] == (
        "strategy one-replica saves another replica"
    )


def test_claims_of_replicas_that_were_scaled_away_are_saved() -> None:
    """Their data come back when the set grows again."""
    shop = Shop()
    del shop.pods[1]
    plan = _by_claim(_plan(shop))["data-db-1"]
    assert (plan.component, plan.method, plan.pod) == ("db", "snapshot", "")


def test_a_live_volume_without_a_running_pod_is_refused() -> None:
    """There is no node on which it could be read."""
    shop = _without_snapshots(Shop())
    shop.pods[2]["status"]["phase"] = "Pending"
    assert "no running pod mounts it" in _reasons(_plan(shop).refusals)["uploads"]


def test_a_snapshot_that_was_asked_for_and_cannot_be_made_is_refused() -> None:
    """Nothing weaker is put in its place."""
    shop = _without_snapshots(Shop())
    planning = _plan(shop, _app(volumes={"method": "snapshot"}))
    assert "asks for a snapshot" in _reasons(planning.refusals)["data-db-0"]


def _operated(*, host_path: bool = False) -> Shop:
    """Let an operator make the database's set for a custom resource, under labels of its own."""
    shop = _without_snapshots(Shop())
    database = shop.ingress = make("acme.io/v1", "Database", "main", labels=PART_OF)
    shop.database["metadata"]["labels"] = {}
    shop.database["metadata"]["ownerReferences"] = [owner_reference(database)]
    if host_path:
        for one in shop.pods[:2]:
            one["spec"]["volumes"].append({"name": "node", "hostPath": {"path": "/var/log"}})
    return shop


OF_THE_TEAM = application(resources={"selector": {"matchLabels": PART_OF}})


def test_claims_behind_a_set_that_an_operator_makes_are_read_through_its_pods() -> None:
    """The set is no member, the custom resource is; what has no snapshots is read live there."""
    plans = _by_claim(_plan(_operated(), OF_THE_TEAM))
    assert (plans["data-db-0"].method, plans["data-db-0"].pod) == ("live", "db-0")
    assert (plans["data-db-1"].method, plans["data-db-1"].pod) == ("live", "db-1")


def test_a_hostpath_of_what_an_operator_makes_holds_up_nothing() -> None:
    """No component could exclude it, as the set is the operator's; that it is left out is told."""
    planning = _plan(_operated(host_path=True), OF_THE_TEAM)
    assert planning.refusals == ()
    reason = _reasons(planning.left_out)["node of Database main"]
    assert reason == "is a hostPath of the node, mounted by what an operator makes"


def test_files_that_were_asked_for_are_read_live_though_snapshots_exist() -> None:
    """The document decides."""
    plan = _by_claim(_plan(Shop(), _app(volumes={"method": "files"})))["data-db-0"]
    assert (plan.method, plan.reason) == ("live", "the document asks for files")
    assert plan.snapshot_class == ""


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, True),
        ({"allowLive": True}, False),
        ({"quiesce": HOOK, "resume": HOOK}, True),
        ({"strategy": "dump", "dump": HOOK, "load": HOOK}, False),
        ({"profile": "web"}, False),
    ],
    ids=["nothing said", "allowLive", "quiesce", "dump", "no database"],
)
def test_a_database_is_not_read_live_unless_the_document_says_how(
    fields: dict[str, object], *, refused: bool
) -> None:
    """Files read while a database writes them are worth nothing."""
    shop = _without_snapshots(Shop())
    web = component("web", "Deployment", profile="web")
    app = application(type="database/postgresql", components=[component("db", **fields), web])
    refusals = _reasons(_plan(shop, app).refusals)
    assert ("data-db-0" in refusals) is refused
    assert "uploads" not in refusals
    assert all("a database would be read while it writes" in one for one in refusals.values())


def test_a_volume_of_no_component_takes_the_type_of_the_application() -> None:
    """A database without a component is a database."""
    shop = _without_snapshots(Shop())
    assert "uploads" in _reasons(_plan(shop, application(type="database/mysql")).refusals)


def test_a_claim_that_nothing_mounts_is_saved_by_snapshot() -> None:
    """It belongs to the namespace."""
    shop = Shop()
    shop.claims.append(claim("archive", volume="pv-3"))
    shop.volumes.append(volume("pv-3"))
    plan = _by_claim(_plan(shop))["archive"]
    assert (plan.component, plan.method, plan.node) == ("", "snapshot", "")


def test_pods_of_others_are_not_looked_at() -> None:
    """A pod that belongs to no member says nothing about the application's volumes."""
    shop = Shop()
    stranger = make("apps/v1", "Deployment", "other", namespace="shop", spec={})
    volumes = [{"name": "logs", "hostPath": {"path": "/"}}]
    spec: Object = {"containers": [container("a", "a:1")], "volumes": volumes}
    shop.pods.append(pod("other-1", stranger, spec))
    assert _plan(shop, application(components=[component("db")])).refusals == ()


def test_the_order_of_what_was_listed_changes_nothing() -> None:
    """Plans are sorted by claim."""
    shop, turned = Shop(), Shop()
    for listed in (turned.pods, turned.claims, turned.volumes):
        listed.reverse()
    assert _plan(shop) == _plan(turned)


def _volumes(*methods: str) -> list[VolumePlan]:
    return [
        VolumePlan(
            claim=f"c{index}",
            component=name,
            method="live" if name == "live" else "snapshot",
            reason="",
            volume="v",
        )
        for index, name in enumerate(methods)
    ]


@pytest.mark.parametrize(
    ("volumes", "quiesced", "dumped", "one_cut", "expected"),
    [
        (["db", "db"], ["db"], [], False, "application"),
        (["db", "web"], ["db"], [], False, "crash-per-volume"),
        (["db", "web"], ["db", "web"], [], False, "application"),
        (["db", "web"], [], [], True, "crash-group"),
        (["db"], [], [], False, "crash-group"),
        (["db", "live"], ["db", "live"], [], True, "live"),
        ([], [], [], False, "application"),
    ],
)
def test_a_version_is_as_consistent_as_its_weakest_part(
    volumes: list[str], quiesced: list[str], dumped: list[str], expected: str, *, one_cut: bool
) -> None:
    """Quiesced everywhere, or a crash of one instant, or of several, or read in use."""
    found = consistency(
        application(), _volumes(*volumes), quiesced=quiesced, dumped=dumped, one_cut=one_cut
    )
    assert found == expected


@pytest.mark.parametrize(
    ("dumped", "expected"), [(["db"], "application"), ([], "crash-per-volume")]
)
def test_a_dump_counts_where_it_is_the_data(dumped: list[str], expected: str) -> None:
    """A component that is saved by a dump needs it."""
    app = _app(strategy="dump", dump=HOOK, load=HOOK)
    assert consistency(app, [], dumped=dumped) == expected


def test_data_and_log_on_two_volumes_are_refused_where_they_must_be_of_one_instant() -> None:
    """Two snapshots are two moments, and a log that is older than its data repairs nothing."""
    shop = Shop()
    log = {"name": "wal", "persistentVolumeClaim": {"claimName": "uploads"}}
    for one in (shop.pods[0], shop.pods[1]):
        one["spec"]["volumes"].append(log)

    def refused(**fields: object) -> dict[str, str]:
        written = component("db", profile="database/postgresql", **fields)
        return _reasons(_plan(shop, application(components=[written])).refusals)

    assert "on data, wal" in refused()["db"]
    assert "db" not in refused(volumes={"exclude": ["wal"]})
    assert "db" not in refused(volumes={"single": False})
    assert "db" not in refused(strategy="dump")
    assert "db" not in refused(allowLive=True)
    shop.pods[0]["spec"]["volumes"].remove(log)
    shop.pods[1]["spec"]["volumes"].remove(log)
    assert "db" not in refused()


def test_a_component_may_choose_its_claims_by_their_labels() -> None:
    """Only the volume that holds the dump is read; the others say which labels they lack."""
    shop = Shop()
    shop.claims[0]["metadata"]["labels"] = {"holds": "dumps"}
    name = shop.claims[0]["metadata"]["name"]
    selector = {"matchLabels": {"holds": "dumps"}}
    planning = _plan(shop, _app(volumes={"selector": selector}))
    of_db = [plan.claim for plan in planning.volumes if plan.component == "db"]
    assert of_db == [name]
    left_out = _reasons(planning.left_out)
    assert left_out["data-db-1"] == "its labels do not match holds=dumps"


def _with_a_device(shop: Shop) -> Shop:
    shop.volumes = [
        {**found, "spec": {**found["spec"], "volumeMode": "Block"}} for found in shop.volumes
    ]
    return shop


def test_block_volumes_are_saved_by_snapshots() -> None:
    """As any other."""
    planning = _plan(_with_a_device(Shop()))
    assert planning.refusals == ()
    assert {(one.method, one.volume_mode) for one in planning.volumes} == {("snapshot", "Block")}


def test_a_block_volume_is_read_while_it_is_written_only_when_allowed() -> None:
    """An image of a device that moves is no image of any moment."""
    shop = _with_a_device(_without_snapshots(Shop()))
    reason = _reasons(_plan(shop).refusals)["uploads"]
    assert "a block volume would be read while it is written" in reason
    allowed = application(
        components=[
            component("db", allowLive=True),
            component("web", "Deployment", allowLive=True),
        ]
    )
    assert _plan(shop, allowed).refusals == ()
