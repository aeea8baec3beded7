"""Applications as policies see them, and documents, for tests."""

from typing import Any

from appshield.language.expression_values import AppFacts, ComponentFacts, VolumeFacts
from appshield.language.kinds import Application, Policy
from appshield.language.object_reading import read_object

GIB = 1024**3


def facts(**changes: Any) -> AppFacts:
    """Return a database of the shop, with changes."""
    plain = AppFacts(
        name="shop",
        namespace="shop",
        namespace_labels={"team": "sales"},
        type="database/postgresql",
        criticality="gold",
        labels={"tier": "backend"},
        annotations={},
        components=(
            ComponentFacts(
                name="db",
                profile="database/postgresql",
                strategy="snapshot",
                workload_kind="StatefulSet",
                workload_name="db",
            ),
        ),
        volumes=(VolumeFacts(claim="data-db-0", storage_class="fast", size_bytes=20 * GIB),),
    )
    return AppFacts(
        **{name: changes.get(name, getattr(plain, name)) for name in plain.__struct_fields__}
    )


def application(**spec: Any) -> Application:
    """Read an Application document of this spec."""
    document = read_object(
        {
            "apiVersion": "appshield.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": spec,
        }
    )
    assert isinstance(document, Application)
    return document


def policy(name: str, **spec: Any) -> Policy:
    """Read a Policy document of this spec, which matches every application."""
    document = read_object(
        {
            "apiVersion": "appshield.io/v1alpha1",
            "kind": "Policy",
            "metadata": {"name": name},
            "spec": {"match": "true"} | spec,
        }
    )
    assert isinstance(document, Policy)
    return document


def nightly(last: int = 7, **changes: Any) -> dict[str, Any]:
    """Return a rule `nightly` as a document writes it."""
    return {"name": "nightly", "on": {"schedule": "30 2 * * *"}, "keep": {"last": last}} | changes
