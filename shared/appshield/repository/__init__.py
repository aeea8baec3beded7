"""The restic repository format, version 2: reading and writing."""
