"""What `explain` says of a document and of a shop as it stands: the committed text, word for word.

`APPSHIELD_WRITE_GOLDEN=1` writes what is said now; look at the difference before committing it.
"""

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appshield.application.reading import Reading
from appshield.cli.explanation_text import text_of
from appshield.doors.effective_policies import effective_protection
from appshield.doors.explanation import (
    Document,
    Explanation,
    explained_application,
    explained_document,
)
from appshield.kubernetes import Object
from appshield.language.adapters import ADAPTED_FROM, ADAPTED_IN_PART
from appshield.language.kinds import API_VERSION, Application
from appshield.language.object_reading import read_object
from appshield.language.profiles import shipped_profiles
from appshield.language.resolving import resolve
from appshield.manifests.membership import select
from unit.manifests.shop import NAMESPACE, PART_OF, Shop, component, make

GOLDEN = Path(__file__).parent / "explained"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SAID = Document(
    told="in the cluster, generation 3",
    app_id="a-0123",
    last_backup_at=datetime(2026, 11, 24, 11, 30, tzinfo=UTC),
)
SPEC: dict[str, Any] = {
    "type": "database/postgresql",
    "criticality": "gold",
    "resources": {"selector": {"matchLabels": PART_OF}},
    "components": [
        {
            "name": "db",
            "workload": {"kind": "StatefulSet", "name": "db"},
            "profile": "database/postgresql",
            "quiesce": {"container": "postgres", "command": ["psql", "-c", "CHECKPOINT"]},
            "resume": {"container": "postgres", "command": ["true"]},
        },
        {"name": "web", "workload": {"kind": "Deployment", "name": "web"}, "profile": "web"},
    ],
    "protect": [
        {
            "name": "nightly",
            "on": {"schedule": "30 2 * * *", "timezone": "Europe/Berlin", "jitter": "10m"},
            "keep": {"last": 7, "daily": 30},
        },
        {
            "name": "before-rollout",
            "on": {
                "change": {"of": ["deployments"], "when": "new.spec != old.spec"},
                "settle": "20s",
                "atMost": "1/10m",
                "blackout": [{"schedule": "0 8 * * 1-5", "for": "10h"}],
            },
            "targets": ["offsite"],
        },
        {"name": "fresh", "on": {"rpo": "1h", "priority": 5}, "keep": {"within": "2d"}},
        {"name": "told", "on": {"signal": "deployed"}},
        {"name": "ill", "on": {"health": "Degraded"}},
        {"name": "gate", "on": {"gate": {"before": ["rollout", "delete"]}}},
        {"name": "asked", "on": {"manual": True}},
    ],
}


def policy(name: str, match: str, **spec: Any) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "Policy",
        "metadata": {"name": name},
        "spec": {"match": match, **spec},
    }


POLICIES = [
    policy(
        "gold",
        "app.type.startsWith('database/') && app.criticality == 'gold'",
        protect=[
            {"name": "hourly", "on": {"schedule": "@hourly"}, "keep": {"hourly": 24}},
            {"name": "nightly", "on": {"schedule": "@daily"}},
        ],
        react=[
            {
                "when": "health == 'Degraded'",
                "for": "5m",
                "do": {"backup": {}},
                "atMost": "1/1d",
            },
            {
                "when": "health == 'Missing'",
                "do": {"restore": {"version": "last-good", "to": "standby"}},
            },
            {
                "when": "rpo.age > duration('2h')",
                "do": {"notify": {"signal": "late", "webhook": "https://a.org/s3cret"}},
            },
            {"when": "health == 'Degraded'", "for": "1h", "do": {"pause": {"for": "4h"}}},
        ],
        targets=["offsite"],
        verify={"schedule": "0 5 * * 0"},
        alerts={"rpo": "1h", "rto": "15m"},
    ),
    policy("web", "app.type == 'web'", protect=[{"name": "daily", "on": {"schedule": "@daily"}}]),
    policy("wrong", "app.typ == 'web'", alerts={"rpo": "1h"}),
]


def read(spec: dict[str, Any]) -> Application:
    body = {
        "apiVersion": API_VERSION,
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": NAMESPACE, "generation": 3},
        "spec": spec,
    }
    found = read_object(body)
    assert isinstance(found, Application)
    return found


def reading(spec: dict[str, Any], shop: Shop, *more: Object) -> Reading:
    application = resolve(read(spec))
    objects = (*shop.objects, *more)
    return Reading(
        document={},
        application=application,
        profiles=shipped_profiles(),
        namespace=make("v1", "Namespace", NAMESPACE, namespace=""),
        objects=objects,
        membership=select(application, objects),
        pods=tuple(shop.pods),
        claims=tuple(shop.claims),
        volumes=tuple(shop.volumes),
        snapshot_classes=tuple(shop.snapshot_classes),
        notes=(),
        of_one_moment=True,
    )


def explained(
    spec: dict[str, Any], shop: Shop, *vaults: str, policies: Sequence[Object] = ()
) -> Explanation:
    seen = reading(spec, shop)
    protection, problems = effective_protection(read(spec), seen, policies)
    found = explained_application(seen, protection, vaults, SAID, now=NOW)
    return msgspec.structs.replace(found, warnings=(*problems, *found.warnings))


def is_golden(found: Explanation, name: str) -> None:
    """Compare with the committed text."""
    text = "".join(f"{line}\n" for line in text_of(found))
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("APPSHIELD_WRITE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_a_shop_that_can_be_saved_is_explained() -> None:
    """Origins, times with their zone, contents with reasons, consistency, readiness."""
    is_golden(explained(SPEC, Shop(), "primary", "offsite"), "ready")


def test_what_an_adapter_left_out_is_told() -> None:
    """Of the document that the team writes."""
    seen = reading(SPEC, Shop())
    seen.application.annotations[ADAPTED_FROM] = "Application argocd/shop"
    seen.application.annotations[ADAPTED_IN_PART] = "it was never synced"
    protection, _ = effective_protection(read(SPEC), seen, ())
    found = explained_application(seen, protection, ("primary",), SAID, now=NOW)
    left_out = "taken over in part from Application argocd/shop: it was never synced"
    assert found.warnings[0] == left_out
    assert any(left_out in line for line in text_of(found))


def test_policies_are_explained_with_what_decided() -> None:
    """Which match and why, what they add and override, and one that cannot be read."""
    spec = {**SPEC, "protect": SPEC["protect"][:1]}
    is_golden(explained(spec, Shop(), "primary", "offsite", policies=POLICIES), "policies")


def test_everything_that_is_missing_is_said_at_once() -> None:
    """A workload, a Vault, a class of snapshots, a pod for a hook, a container."""
    shop = Shop()
    shop.snapshot_classes.clear()
    shop.pods = [pod for pod in shop.pods if pod["metadata"]["name"].startswith("web")]
    gone = {"name": "gone", "workload": {"kind": "Deployment", "name": "gone"}}
    hook = {"command": ["sync"], "container": "nobody"}
    web = {**SPEC["components"][1], "quiesce": hook, "resume": hook}
    spec = {**SPEC, "components": [SPEC["components"][0], web, gone], "protect": []}
    is_golden(explained(spec, shop), "not-ready")


def test_a_document_alone_is_explained_without_a_cluster() -> None:
    """What it says by itself, and that the rest was not asked."""
    application = resolve(read({"type": "cache/redis", "components": [SPEC["components"][0]]}))
    said = Document(told="shop.yaml, not applied")
    is_golden(explained_document(application, shipped_profiles(), said, now=NOW), "alone")


def test_a_profile_that_does_not_exist_is_pointed_out() -> None:
    """It gives nothing, which nobody should find out when it is too late."""
    part = {**SPEC["components"][1], "profile": "database/postgres"}
    application = resolve(read({"components": [part]}))
    found = explained_document(application, shipped_profiles(), SAID, now=NOW)
    assert found.profiles["web"] == (
        "there is no profile of this type; did you mean database/postgresql?"
    )


def test_times_are_the_ones_that_the_planner_will_set() -> None:
    """With the jitter of the history; nominal where none has begun."""
    profiles, application = shipped_profiles(), resolve(read(SPEC))
    nominal, spread = (
        explained_document(application, profiles, Document(told="", app_id=app_id), now=NOW)
        for app_id in ("", "a-0123")
    )
    assert [at.minute for at in nominal.rules[0].next_times] == [30] * 3
    (offset,) = {
        later - earlier
        for earlier, later in zip(
            nominal.rules[0].next_times, spread.rules[0].next_times, strict=True
        )
    }
    assert 0 < offset.total_seconds() <= 600


@pytest.mark.parametrize(
    ("saved", "hours"),
    [
        ("11:30", ["12:29:58", "13:29:56", "14:29:54"]),
        ("09:00", ["12:00:00", "12:59:58", "13:59:56"]),
        ("", ["12:00:00", "12:59:58", "13:59:56"]),
    ],
    ids=["in time", "too old", "never saved"],
)
def test_an_rpo_says_when_it_needs_its_next_backups(saved: str, hours: list[str]) -> None:
    """Counted from the newest version, and from now where that is too old or missing."""
    at = datetime.fromisoformat(f"2026-11-24T{saved}:00Z") if saved else None
    said = Document(told="", app_id="a-0123", last_backup_at=at)
    found = explained_document(resolve(read(SPEC)), shipped_profiles(), said, now=NOW)
    times = {rule.name: rule.next_times for rule in found.rules}
    assert [f"{one:%H:%M:%S}" for one in times["fresh"]] == hours
    assert times["told"] == times["asked"] == ()


@pytest.mark.parametrize("vaults", [(), ("primary", "offsite")], ids=["not ready", "ready"])
def test_the_model_is_data_for_programs(vaults: tuple[str, ...]) -> None:
    """The resolved application with its origins is a part of it."""
    data = json.loads(msgspec.json.encode(explained(SPEC, Shop(), *vaults)))
    assert data["application"]["components"][0]["origins"]["quiesce"] == "document"
    assert data["ready"] is bool(vaults)
    assert data["contents"]["consistency"] == ("crash-per-volume" if vaults else None)
    assert len(data["rules"][0]["next_times"]) == 3


def test_whose_data_a_component_gets_and_which_claims_are_read_is_told() -> None:
    """As documents of Backup for GKE ask for it."""
    chosen = {"selector": {"matchLabels": {"holds": "dumps"}}}
    components = [component("db", volumes=chosen), component("web", "Deployment", dataOf="db")]
    lines = list(text_of(explained({"components": components}, Shop(), "primary")))
    assert "  only those  holds=dumps (document)" in lines
    assert "  data        that of db (document)" in lines
    assert "  volume uploads: a restore fills it with the data of db" in lines
