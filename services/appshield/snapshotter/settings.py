"""Settings of the snapshotter, from `APPSHIELD_SNAPSHOTTER_*`."""

from appshield.kubernetes.settings import ApiSettings


class Settings(ApiSettings, frozen=True, kw_only=True):
    """What the snapshotter needs to run.

    Snapshots are exposed in `system_namespace` by pods of `holder_image`, which does nothing.
    A point in time must be cut within `cut_timeout_s`, or the application resumes without it.
    """

    system_namespace: str = "appshield-system"
    holder_image: str = "registry.k8s.io/pause:3.10"
    cut_timeout_s: float = 60
    expose_timeout_s: float = 180
