"""Versions with real content in a real Vault, and documents, for tests of the web interface."""

from datetime import timedelta

from msgspec.structs import replace

from appshield.bus import Bus
from appshield.contracts.applications import ApplicationRecord
from appshield.contracts.catalog import VersionRecord
from appshield.contracts.identities import SYSTEM_NAMESPACE, AppRef
from appshield.contracts.streams import APPLICATIONS, CATALOG
from appshield.kubernetes import Object
from appshield.kubernetes.kinds import CONTROLLER_REVISION
from appshield.language.revisions import revision_of
from appshield.vault import VaultAccess
from fake_kubernetes import FakeKubernetes
from kept_versions import KeptVersions, Tree
from rest_api import CLUSTER

APP = AppRef(cluster=CLUSTER, namespace="diary", name="diary")
APP_ID = "a-0000000000000000d1a7"
HOSTILE = (
    b"<img src=x onerror=alert(1)>",
    b"..%2f..%2fetc%2fpasswd",
    "\u202egpj.exe".encode(),
    b"a\nb\x1b[31mred",
    b"n\xf6n",
    b"?path=other&x=1#y",
)


async def seed_versions(bus: Bus, access: VaultAccess) -> None:
    """Keep two versions of an application that differ in objects and files."""
    kept = KeptVersions(bus, access, APP, APP_ID)
    hostile: Tree = {name: name for name in HOSTILE}
    entries: Tree = {b"entry-%04d.txt" % number: b"dear diary" for number in range(120)}
    before: Tree = {b"today.txt": b"it rains", b"old.txt": b"gone soon", b"hostile": hostile}
    after: Tree = {b"today.txt": b"the sun shines", b"new.txt": b"hello", b"hostile": hostile}
    before[b"entries"] = after[b"entries"] = entries
    settings, secret = (
        _object("ConfigMap", "settings", data={"lamp": "off"}),
        _secret("correct horse"),
    )
    await kept.keep(1, {b"volumes": {b"data": before}}, settings, secret, _web(1))
    settings = _object("ConfigMap", "settings", data={"lamp": "on", "pen": "blue"})
    newest = await kept.keep(
        2,
        {b"volumes": {b"data": after}},
        settings,
        _secret("battery staple"),
        _web(3),
        _object("Service", "web"),
    )
    facts = replace(
        newest.facts,
        trigger="schedule",
        trigger_name="gold/nightly",
        warnings=("volume cache is excluded",),
        quiesced_ms=412,
    )
    moments = {1: newest.stored_at - timedelta(days=3), 2: newest.stored_at}
    catalog = bus.bucket(CATALOG, VersionRecord)
    for number, at in moments.items():
        entry = await catalog.get(f"{APP_ID}.{number}")
        assert entry is not None
        known = facts if number == newest.facts.number else entry.value.facts
        changed = replace(
            entry.value,
            facts=replace(known, cut_at=at - timedelta(seconds=31)),
            stored_at=at,
            pinned=number == 1,
            verified_at=at,
        )
        await catalog.put(f"{APP_ID}.{number}", changed)
    applications = bus.bucket(APPLICATIONS, ApplicationRecord)
    record = await applications.get(APP_ID)
    assert record is not None
    await applications.put(
        APP_ID,
        replace(record.value, application_type="web", criticality="gold", highest_version=2),
    )


def seed_documents(fake: FakeKubernetes) -> None:
    """Put a policy, with what it said before, and a Vault."""
    fake.serve(CONTROLLER_REVISION)
    stored = fake.put(policy())
    for generation, schedule in enumerate(("0 4 * * *", "30 2 * * *"), start=1):
        said = policy(schedule) | {"metadata": stored["metadata"] | {"generation": generation}}
        fake.put(revision_of(said, without_namespace=SYSTEM_NAMESPACE))
    fake.put(
        {
            "apiVersion": "appshield.io/v1alpha1",
            "kind": "Vault",
            "metadata": {"name": "primary", "uid": "vault-primary", "generation": 1},
            "spec": {
                "endpoint": "https://s3.example",
                "bucket": "backups",
                "prefix": "team",
                "credentialsSecret": {"namespace": "appshield-system", "name": "s3"},
                "keySecret": {"namespace": "appshield-system", "name": "key"},
            },
        }
    )


def policy(schedule: str = "30 2 * * *") -> Object:
    """Return the policy that a test edits."""
    rule = {"name": "nightly", "on": {"schedule": schedule}, "keep": {"daily": 30}}
    return {
        "apiVersion": "appshield.io/v1alpha1",
        "kind": "Policy",
        "metadata": {"name": "gold", "uid": "policy-gold", "generation": 1},
        "spec": {"match": "app.criticality == 'gold'", "protect": [rule]},
    }


def _object(kind: str, name: str, **content: object) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}


def _secret(password: str) -> Object:
    return _object("Secret", "password", data={"password": password})


def _web(replicas: int) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas},
    }
