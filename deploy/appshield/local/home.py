"""Where AppShield keeps its things on one machine: an installation's folder and the cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "appshield"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of an installation (data that must stay) and the cache (can be made again)."""

    folder: Path
    cache: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Home":
        """Find both: `APPSHIELD_HOME` and `APPSHIELD_CACHE`, else below the user's folder."""
        user = Path(environment.get("HOME", "/root"))
        data = Path(environment.get("XDG_DATA_HOME", user / ".local" / "share")) / NAME
        cache = Path(environment.get("XDG_CACHE_HOME", user / ".cache")) / NAME
        return cls(
            folder=Path(environment.get("APPSHIELD_HOME") or data).absolute(),
            cache=Path(environment.get("APPSHIELD_CACHE") or cache).absolute(),
        )

    @property
    def bus(self) -> Path:
        """The message bus: its data and the keys of its users."""
        return self.folder / "bus"

    @property
    def store(self) -> Path:
        """The object store: its data and credentials."""
        return self.folder / "store"

    @property
    def root_keys(self) -> Path:
        """Copies of the Vaults' root keys, for the day on which the cluster is gone."""
        return self.folder / "keys"

    @property
    def clusters(self) -> Path:
        """Local clusters, one folder each."""
        return self.folder / "cluster"

    @property
    def logs(self) -> Path:
        """One log file for each service."""
        return self.folder / "logs"

    @property
    def pids(self) -> Path:
        """The process ids of the services that run."""
        return self.folder / "run"

    @property
    def agents(self) -> Path:
        """How node agents reach the cluster, as an account of their own."""
        return self.folder / "agents"

    @property
    def logins(self) -> Path:
        """Login links that nobody has used yet; whoever can write here can log in."""
        return self.folder / "logins"

    @property
    def connection(self) -> Path:
        """How the command line reaches the running installation."""
        return self.folder / "connection.json"
