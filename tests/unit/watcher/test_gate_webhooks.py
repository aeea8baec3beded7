"""The webhook configurations ask about as little as they can."""

import base64
from datetime import UTC, datetime
from typing import Any

from appshield.gate import GateAddress, new_authority
from appshield.watcher.gate_webhooks import (
    FAIL_CONFIGURATION,
    IGNORE_CONFIGURATION,
    GatedNamespaces,
    requester_configuration,
    webhook_configurations,
)

AUTHORITY = new_authority(datetime(2026, 11, 29, tzinfo=UTC))
ADDRESS = GateAddress("", "10.99.0.1", 4711)


def _webhooks(namespaces: GatedNamespaces, name: str) -> dict[str, Any]:
    found = webhook_configurations(namespaces, ADDRESS, AUTHORITY)[name]
    return {webhook["name"]: webhook for webhook in (found or {}).get("webhooks", [])}


def _selected(webhook: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    expressions = webhook["namespaceSelector"]["matchExpressions"]
    return [(one["key"], one["operator"], one["values"]) for one in expressions]


def test_without_a_gate_there_is_no_webhook() -> None:
    """Nobody's API server asks for nothing."""
    assert webhook_configurations(GatedNamespaces(), ADDRESS, AUTHORITY) == {
        FAIL_CONFIGURATION: None,
        IGNORE_CONFIGURATION: None,
    }


def test_each_operation_is_asked_about_where_it_is_gated() -> None:
    """A gate before deletes asks about no rollout."""
    spaces = GatedNamespaces(rollout=frozenset({"a", "b"}), delete=frozenset({"b"}))
    closed = _webhooks(spaces, FAIL_CONFIGURATION)
    assert set(closed) == {"rollout.gate.appshield.io", "delete.gate.appshield.io"}
    exempt = ("kubernetes.io/metadata.name", "NotIn", ["kube-system", "appshield-system"])
    assert _selected(closed["rollout.gate.appshield.io"]) == [
        ("kubernetes.io/metadata.name", "In", ["a", "b"]),
        exempt,
        ("appshield.io/gate", "In", ["fail"]),
    ]
    assert _selected(closed["delete.gate.appshield.io"])[0][2] == ["b"]
    assert set(_webhooks(GatedNamespaces(delete=frozenset({"b"})), FAIL_CONFIGURATION)) == {
        "delete.gate.appshield.io"
    }


def test_no_webhook_but_those_of_namespaces_that_opted_in_fails_closed() -> None:
    """And none waits longer than the API server should."""
    spaces = GatedNamespaces(rollout=frozenset({"a"}), delete=frozenset({"a"}))
    closed = _webhooks(spaces, FAIL_CONFIGURATION)
    opened = _webhooks(spaces, IGNORE_CONFIGURATION)
    assert {webhook["failurePolicy"] for webhook in closed.values()} == {"Fail"}
    assert {webhook["failurePolicy"] for webhook in opened.values()} == {"Ignore"}
    assert {webhook["timeoutSeconds"] for webhook in (*closed.values(), *opened.values())} == {2}
    assert set(opened) == {
        "rollout.gate.appshield.io",
        "delete.gate.appshield.io",
        "rollout.break-glass.gate.appshield.io",
        "delete.break-glass.gate.appshield.io",
    }


def test_system_namespaces_are_never_named() -> None:
    """Also when somebody gates an application in one."""
    spaces = GatedNamespaces(rollout=frozenset({"kube-system", "appshield-system"}))
    assert webhook_configurations(spaces, ADDRESS, AUTHORITY)[FAIL_CONFIGURATION] is None


def test_who_writes_or_deletes_is_put_down_and_nobody_is_held_up() -> None:
    """Without AppShield objects are written and deleted all the same; no status is asked about."""
    webhooks = requester_configuration(ADDRESS, AUTHORITY)["webhooks"]
    assert {(one["failurePolicy"], one["timeoutSeconds"]) for one in webhooks} == {("Ignore", 2)}
    documents = ["applications", "policies", "profiles", "vaults"]
    assert [
        (one["clientConfig"]["url"].rpartition("/")[2], rule["operations"], rule["resources"])
        for one in webhooks
        for rule in one["rules"]
    ] == [
        ("requester", ["CREATE", "UPDATE"], ["backups", "restores"]),
        ("requester", ["CREATE", "UPDATE"], documents),
        ("deletion", ["DELETE"], documents),
    ]
    assert [one["sideEffects"] for one in webhooks] == ["None", "None", "NoneOnDryRun"]


def test_the_gateway_is_reached_by_url_or_by_service() -> None:
    """With the installation's certificates."""
    spaces = GatedNamespaces(rollout=frozenset({"a"}))
    bundle = base64.b64encode(AUTHORITY.trusted).decode()
    [webhook] = _webhooks(spaces, FAIL_CONFIGURATION).values()
    assert webhook["clientConfig"] == {
        "url": "https://10.99.0.1:4711/admission",
        "caBundle": bundle,
    }
    service = GateAddress("appshield-system", "gateway", 443)
    found = webhook_configurations(spaces, service, AUTHORITY)[FAIL_CONFIGURATION]
    assert found is not None
    assert found["webhooks"][0]["clientConfig"]["service"] == {
        "namespace": "appshield-system",
        "name": "gateway",
        "port": 443,
        "path": "/admission",
    }
