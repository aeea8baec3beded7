"""An application's model: its objects with the reasons, and how they hang together."""

from appshield.application.reading import Reading
from appshield.doors.model import model_of
from appshield.language.profiles import shipped_profiles
from appshield.manifests.membership import select
from unit.manifests.shop import NAMESPACE, Shop, application, component, make


def reading_of(shop: Shop) -> Reading:
    resolved = application(components=[component("db")])
    return Reading(
        document={},
        application=resolved,
        profiles=shipped_profiles(),
        namespace=make("v1", "Namespace", NAMESPACE, namespace=""),
        objects=tuple(shop.objects),
        membership=select(resolved, shop.objects),
        pods=tuple(shop.pods),
        claims=tuple(shop.claims),
        volumes=tuple(shop.volumes),
        snapshot_classes=tuple(shop.snapshot_classes),
        notes=(),
        of_one_moment=True,
    )


def test_every_edge_is_between_members_that_are_told() -> None:
    """Owners and references, none twice, none to what is not there."""
    reading = reading_of(Shop())
    model = model_of(reading)
    known = {one.id for one in model.objects}
    assert len(known) == len(model.objects) == len(reading.membership.members)
    pairs = [(edge.source, edge.target, edge.relation) for edge in model.edges]
    assert len(pairs) == len(set(pairs))
    assert {edge.source for edge in model.edges} | {edge.target for edge in model.edges} <= known
    assert {edge.relation for edge in model.edges} <= {"owns", "refers"}
    database = next(one for one in model.objects if one.component == "db")
    assert (database.kind, database.name) == ("StatefulSet", "db")
    reached = {edge.target for edge in model.edges if edge.source == database.id}
    assert any(target.startswith("PersistentVolumeClaim/") for target in reached)


def test_every_object_and_volume_says_why() -> None:
    """Also those that are left out."""
    model = model_of(reading_of(Shop()))
    assert all(one.why for one in model.objects)
    assert all(one.reason for one in model.volumes)
    assert {one.method for one in model.volumes} <= {"snapshot", "live", None}
