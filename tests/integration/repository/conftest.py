"""The real restic for these tests."""

from restic_binary import any_restic, debian_restic, restic

__all__ = ["any_restic", "debian_restic", "restic"]
