"""Notices as other tools read them: a CloudEvent in the structured mode.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from datetime import datetime

import msgspec

from appshield.contracts.health import Health, SendNotice

CONTENT_TYPE = "application/cloudevents+json"
TYPE = "io.appshield.reaction.v1"


class NoticeData(msgspec.Struct, frozen=True, kw_only=True):
    """What a notice says: how the application is, and how old its newest version."""

    cluster: str
    namespace: str
    application: str
    policy: str
    reaction: str
    health: Health | None = None
    last_version: int = 0
    last_backup_at: datetime | None = None


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent whose data is JSON."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    data: NoticeData


def event_of(notice: SendNotice) -> bytes:
    """Write a notice as a CloudEvent; the same notice is the same event."""
    app = notice.app
    data = NoticeData(
        cluster=app.cluster,
        namespace=app.namespace,
        application=app.name,
        policy=notice.policy,
        reaction=notice.reaction,
        health=notice.health,
        last_version=notice.last_version,
        last_backup_at=notice.last_backup_at,
    )
    event = CloudEvent(
        id=notice.notice,
        source=f"appshield/{app.cluster}",
        type=TYPE,
        subject=f"{app.namespace}/{app.name}",
        time=notice.at,
        data=data,
    )
    return msgspec.json.encode(event)
