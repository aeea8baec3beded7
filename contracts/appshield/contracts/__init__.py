"""The language of the system: messages, subjects, streams, identities; msgspec and nothing else.

`MESSAGES` lists every message that travels; `decode` turns bytes into one of them.
"""

import functools
import operator
from typing import cast

import msgspec

from appshield.contracts import (
    audit,
    backups,
    catalog,
    changes,
    gates,
    lending,
    maintenance,
    requests,
    restores,
    runs,
)
from appshield.contracts.applications import (
    ApplicationObserved,
    PauseChanged,
    RpoChanged,
    RtoChanged,
)
from appshield.contracts.health import HealthChanged, ReactionsDue, SendNotice
from appshield.contracts.message import Command, Event, Message, Request, StepCommand, StepEvent
from appshield.contracts.policies import PolicyObserved

MESSAGES: tuple[type[Message], ...] = (
    ApplicationObserved,
    PolicyObserved,
    HealthChanged,
    requests.RequestBackup,
    requests.RequestGate,
    requests.RequestRestore,
    requests.RequestCancel,
    requests.RequestApprove,
    requests.RequestPause,
    requests.RequestCatalog,
    requests.RequestForget,
    requests.RequestPrune,
    requests.RequestCheck,
    requests.RequestRepair,
    requests.RequestPin,
    requests.RequestCopy,
    backups.OpenRepository,
    backups.RepositoryOpened,
    backups.TakeSnapshot,
    backups.SnapshotTaken,
    backups.ReleaseSnapshot,
    backups.SnapshotReleased,
    backups.StoreSource,
    backups.SourceStored,
    backups.CommitBackup,
    backups.BackupStored,
    backups.BackupUnchanged,
    backups.SourcesLost,
    restores.PlanRestore,
    restores.RestorePlanned,
    restores.PrepareVolumes,
    restores.VolumesPrepared,
    restores.LoadVolume,
    restores.VolumeLoaded,
    restores.PushImages,
    restores.ImagesPushed,
    restores.ApplyObjects,
    restores.ObjectsApplied,
    restores.LoadDump,
    restores.DumpLoaded,
    restores.FinishRestore,
    restores.RestoreFinished,
    maintenance.ForgetVersions,
    maintenance.VersionsForgotten,
    maintenance.PruneRepository,
    maintenance.RepositoryPruned,
    maintenance.CheckRepository,
    maintenance.RepositoryChecked,
    maintenance.RepairRepository,
    maintenance.RepositoryRepaired,
    maintenance.PinVersion,
    maintenance.VersionPinned,
    maintenance.CopyVersion,
    maintenance.VersionCopied,
    gates.GateOverridden,
    audit.AuditEvent,
    audit.ArchiveAudit,
    catalog.RebuildCatalog,
    catalog.ApplicationFound,
    catalog.CatalogRebuilt,
    changes.ChangeMatched,
    runs.StepFailed,
    runs.RunChanged,
    PauseChanged,
    RpoChanged,
    RtoChanged,
    runs.StepDue,
    runs.ScheduleDue,
    runs.RpoDue,
    runs.WaitOver,
    runs.UpkeepDue,
    runs.CopyDue,
    ReactionsDue,
    SendNotice,
    runs.RpoAlertDue,
    lending.BorrowKey,
    lending.KeyLent,
    lending.KeyNotLent,
    runs.Progress,
    runs.LogLine,
)

__all__ = [
    "MESSAGES",
    "Command",
    "Event",
    "Message",
    "Request",
    "StepCommand",
    "StepEvent",
    "decode",
    "encode",
]


def encode(message: Message) -> bytes:
    """Write a message as JSON."""
    return msgspec.json.encode(message)


def decode(body: bytes) -> Message:
    """Read any message of this system from JSON.

    Raises:
        msgspec.ValidationError: the body is no message known here; the text says where.
        msgspec.DecodeError: the body is no JSON.
    """
    return _decoder().decode(body)


@functools.cache
def _decoder() -> msgspec.json.Decoder[Message]:
    union = functools.reduce(operator.or_, MESSAGES)
    return cast("msgspec.json.Decoder[Message]", msgspec.json.Decoder(union))
