"""What a check finds: in which file of the repository, or in which version at which path."""

import threading

import msgspec

from appshield.repository.layout import file_name


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong: in which file, or in which version at which path."""

    file: str
    what: str
    snapshot_id: str = ""
    path: bytes = b""

    def __str__(self) -> str:
        if not self.snapshot_id:
            return f"{self.file}: {self.what}"
        path = self.path.decode("utf-8", "backslashreplace") or "root"
        return f"snapshot {self.snapshot_id}, {path}: {self.what}"


class Findings:
    """Collects findings, each once; thread-safe."""

    def __init__(self) -> None:
        self._errors: set[Finding] = set()
        self._warnings: set[Finding] = set()
        self._changing = threading.Lock()

    def error(self, file: str, what: str) -> None:
        """Add what is wrong with a file."""
        with self._changing:
            self._errors.add(Finding(file, what))

    def warn(self, file: str, what: str) -> None:
        """Add what is odd and does no harm."""
        with self._changing:
            self._warnings.add(Finding(file, what))

    def lost(self, snapshot_id: str, path: bytes, what: str) -> None:
        """Add what a version has lost."""
        file = file_name("snapshots", snapshot_id)
        with self._changing:
            self._errors.add(Finding(file, what, snapshot_id, path))

    def errors(self) -> tuple[Finding, ...]:
        """Return all errors, in order."""
        return tuple(sorted(self._errors))

    def warnings(self) -> tuple[Finding, ...]:
        """Return all warnings, in order."""
        return tuple(sorted(self._warnings))
