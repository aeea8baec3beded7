"""What a Vault holds, as it is told: sums of all, names of what the caller may see here."""

from appshield.doors.holding import HeldApplication, Packed
from appshield.gateway.api.resources.vaults.vaults import space_of
from appshield.gateway.measuring import MeasuredVault
from planned_versions import NOW


def held(cluster: str, application: str) -> HeldApplication:
    """A MB of an application."""
    return HeldApplication(
        cluster=cluster,
        application=application,
        history=f"{cluster}/{application}",
        state="unknown",
        versions=1,
        damaged_versions=0,
        objects=3,
        size_bytes=1_000_000,
        packs=1,
        pack_bytes=900_000,
    )


def test_only_applications_of_this_cluster_that_may_be_seen_are_named() -> None:
    """Rights are asked for in no other cluster, whatever its namespaces are called."""
    applications = (held("here", "shop/web"), held("here", "bank/ledger"), held("far", "shop/db"))
    measured = MeasuredVault(
        measured_at=NOW,
        applications=applications,
        packed=Packed(),
        unknown={one.history: "its index cannot be read" for one in applications},
    )
    told = space_of(
        measured,
        0,
        cluster="here",
        visible=frozenset({"shop"}),
        known=frozenset({"here/shop/web"}),
    )
    assert (told.size_bytes, told.objects) == (3_000_000, 9)
    assert [(one.namespace, one.name, one.known) for one in told.applications] == [
        ("shop", "web", True)
    ]
    assert list(told.not_counted) == ["here/shop/web"]
