"""Settings of the planner, from `APPSHIELD_PLANNER_*`."""

from typing import Annotated

from msgspec import Meta

from appshield.planner.lines import DEFAULT_LIMITS, Limits
from appshield.service import ServiceSettings

AtLeastOne = Annotated[int, Meta(ge=1)]


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the planner needs to run; `history` outcomes stay readable behind it.

    So many runs are under way at once: in all, into one Vault, and on one node; restores wait for
    none of these. `signals` maps subjects of other tools to signals, each as `SUBJECT=SIGNAL`, or
    as `STREAM:SUBJECT=SIGNAL` where a stream holds the subject already. The audit is archived after
    `audit_archive_every_s` in which something was done, and whenever so many entries are not yet.
    How promises were kept on a day stays known for `reports_kept_days`.
    """

    concurrency: int = 16
    history: int = 20_000
    runs_max: AtLeastOne = DEFAULT_LIMITS.in_all
    runs_per_vault_max: AtLeastOne = DEFAULT_LIMITS.per_vault
    runs_per_node_max: AtLeastOne = DEFAULT_LIMITS.per_node
    signals: tuple[str, ...] = ()
    audit_archive_every_s: Annotated[float, Meta(gt=0)] = 3_600.0
    audit_archive_entries: AtLeastOne = 1_000
    reports_kept_days: Annotated[int, Meta(ge=31)] = 400

    def limits(self) -> Limits:
        """Give the limits on runs at once."""
        return Limits(
            in_all=self.runs_max,
            per_vault=self.runs_per_vault_max,
            per_node=self.runs_per_node_max,
        )
