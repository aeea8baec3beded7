"""Fixtures of real servers that every test may ask for."""

pytest_plugins = ["embedded_bus", "embedded_s3", "local_cluster", "installation", "restic_binary"]
