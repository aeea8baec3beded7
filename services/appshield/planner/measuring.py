"""What the planner measures of applications and of the audit, for those outside. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from appshield.contracts.applications import ApplicationRecord
from appshield.planner.audit_chain import AuditChain
from appshield.service.metrics import Gauge, Sample
from appshield.triggers.moments import saved_at


def audit_gauges(chain: AuditChain) -> Iterator[Gauge]:
    """Give the gauges about the audit."""
    yield Gauge(
        "appshield_audit_entries",
        "How many entries the audit has had.",
        (Sample({}, float(chain.head.sequence)),),
    )
    yield Gauge(
        "appshield_audit_unarchived_entries",
        "How many of them are not archived in a Vault yet.",
        (Sample({}, float(chain.unarchived.entries)),),
    )
    yield Gauge(
        "appshield_audit_full",
        "1 while the audit takes nothing more, as it is full and cannot be archived.",
        (Sample({}, 1.0 if chain.refusal else 0.0),),
    )


def gauges(records: Iterable[ApplicationRecord], now: datetime) -> Iterator[Gauge]:
    """Give the gauges about applications that are active."""
    active = [record for record in records if record.state == "active"]
    promised = [(record, record.rpo) for record in active if record.rpo is not None]
    in_time = [(record, record.rto) for record in active if record.rto is not None]
    yield Gauge(
        "appshield_recovery_point_age_seconds",
        "For how long nothing has proved that the newest version holds the application.",
        tuple(
            Sample(_about(one), (now - at).total_seconds())
            for one in active
            if (at := saved_at(one)) is not None
        ),
    )
    yield Gauge(
        "appshield_recovery_point_promised_seconds",
        "How old the newest good version may become.",
        tuple(Sample(_about(one), rpo.promised_s) for one, rpo in promised),
    )
    yield Gauge(
        "appshield_recovery_point_late",
        "1 while the promise is at risk, 2 while it is broken, 0 while it is kept.",
        tuple(Sample(_about(one), _LATE[rpo.state]) for one, rpo in promised),
    )
    yield Gauge(
        "appshield_backup_expected_seconds",
        "How long the next backup may take.",
        tuple(Sample(_about(one), one.expected_backup_s) for one in active),
    )
    yield Gauge(
        "appshield_restore_last_seconds",
        "How long the last restore of a whole version took that succeeded.",
        tuple(
            Sample(_about(one), one.last_restore.took_s)
            for one in active
            if one.last_restore is not None
        ),
    )
    yield Gauge(
        "appshield_restore_promised_seconds",
        "How long a restore may take.",
        tuple(Sample(_about(one), one.rto_alert_s) for one in active if one.rto_alert_s),
    )
    yield Gauge(
        "appshield_restore_expected_seconds",
        "How long the next restore may take, or the one under way that is late.",
        tuple(Sample(_about(one), rto.expected_s) for one, rto in in_time if rto.expected_s),
    )
    yield Gauge(
        "appshield_restore_late",
        "1 while the promise is at risk, 2 while it is broken, else 0.",
        tuple(Sample(_about(one), _LATE.get(rto.state, 0.0)) for one, rto in in_time),
    )
    yield Gauge(
        "appshield_restore_unproved",
        "1 while no restore of a whole version has proved the promise, else 0.",
        tuple(
            Sample(_about(one), 0.0 if one.last_restore is not None else 1.0) for one, _ in in_time
        ),
    )


_LATE = {"kept": 0.0, "at-risk": 1.0, "broken": 2.0}


def _about(record: ApplicationRecord) -> dict[str, str]:
    app = record.app
    return {"cluster": app.cluster, "namespace": app.namespace, "application": app.name}
