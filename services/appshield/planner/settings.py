"""Settings of the planner, from `APPSHIELD_PLANNER_*`."""

from appshield.service import ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    """What the planner needs to run; `history` outcomes stay readable behind it."""

    concurrency: int = 16
    history: int = 20_000
