"""What can be done through a door, and which right of the cluster each action needs.

The one table for every door: REST asks for these rights, roles are made of them, the planner checks
them again. A right is a verb on a resource of the API group `appshield.io`, in the namespace of the
application; some resources (`versions/data`) exist for this only and have no objects.
"""

from typing import Literal

import msgspec

Role = Literal["viewer", "operator", "restorer", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "operator", "restorer", "admin")
"""From the one that may least; each may what those before it may."""


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a caller does: `does` says it after "may", `role` is the least that may."""

    name: str
    does: str
    verb: str
    resource: str
    role: Role


def _action(role: Role, name: str, does: str, verb: str, resource: str) -> Action:
    return Action(name=name, does=does, verb=verb, resource=resource, role=role)


SEE_APPLICATIONS = _action("viewer", "see-applications", "see applications", "list", "applications")
SEE_VERSIONS = _action("viewer", "see-versions", "see versions", "list", "versions")
SEE_RUNS = _action("viewer", "see-runs", "see runs", "list", "runs")
SEE_POLICIES = _action("viewer", "see-policies", "see policies", "list", "policies")
SEE_PROFILES = _action("viewer", "see-profiles", "see profiles", "list", "profiles")
SEE_VAULTS = _action("viewer", "see-vaults", "see Vaults", "list", "vaults")
CHANGE_APPLICATIONS = _action(
    "operator", "change-applications", "write Applications", "update", "applications"
)
CHANGE_POLICIES = _action("operator", "change-policies", "write Policies", "update", "policies")
CHANGE_PROFILES = _action("operator", "change-profiles", "write Profiles", "update", "profiles")
BACK_UP = _action("operator", "back-up", "back up applications", "create", "backups")
CANCEL = _action("operator", "cancel", "cancel runs", "update", "runs")
PAUSE = _action("operator", "pause", "pause or resume applications", "update", "applications/pause")
KEEP = _action("operator", "keep", "pin, copy or check versions", "update", "versions")
SIGNAL = _action("operator", "signal", "send signals", "create", "signals")
READ_DATA = _action("restorer", "read-data", "read what versions hold", "get", "versions/data")
RESTORE = _action("restorer", "restore", "restore applications", "create", "restores")
APPROVE = _action("restorer", "approve", "approve restores", "update", "restores/approval")
FORGET = _action("admin", "forget", "let versions stop to exist", "delete", "versions")
MAINTAIN = _action(
    "admin", "maintain", "prune or repair repositories", "update", "applications/maintenance"
)
CHANGE_VAULTS = _action("admin", "change-vaults", "work on Vaults", "update", "vaults")
SEE_AUDIT = _action("admin", "see-audit", "see who did what", "get", "audits")
HANDLE_PARKED = _action(
    "admin", "handle-parked", "see, replay or drop parked messages", "update", "parkedmessages"
)

ACTIONS: tuple[Action, ...] = (
    SEE_APPLICATIONS,
    SEE_VERSIONS,
    SEE_RUNS,
    SEE_POLICIES,
    SEE_PROFILES,
    SEE_VAULTS,
    CHANGE_APPLICATIONS,
    CHANGE_POLICIES,
    CHANGE_PROFILES,
    BACK_UP,
    CANCEL,
    PAUSE,
    KEEP,
    SIGNAL,
    READ_DATA,
    RESTORE,
    APPROVE,
    FORGET,
    MAINTAIN,
    CHANGE_VAULTS,
    SEE_AUDIT,
    HANDLE_PARKED,
)
