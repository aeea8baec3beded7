"""What expressions may ask about an application, from what the planner keeps about it. Pure."""

from appshield.contracts.applications import ApplicationRecord
from appshield.language.expression_values import AppFacts, ComponentFacts, VolumeFacts


def facts_of(record: ApplicationRecord) -> AppFacts:
    """Return what expressions may ask about an application."""
    described = record.described
    return AppFacts(
        name=record.app.name,
        namespace=record.app.namespace,
        namespace_labels=described.namespace_labels,
        type=record.application_type,
        criticality=record.criticality,
        labels=described.labels,
        annotations=described.annotations,
        components=tuple(
            ComponentFacts(
                name=one.name,
                profile=one.profile,
                strategy=one.strategy,
                workload_kind=one.workload_kind,
                workload_name=one.workload_name,
            )
            for one in described.components
        ),
        volumes=tuple(
            VolumeFacts(claim=one.claim, storage_class=one.storage_class, size_bytes=one.size_bytes)
            for one in described.volumes
        ),
    )
