"""Fixtures of real servers that every test may ask for."""

pytest_plugins = [
    "restic_binary",
    "nats_binary",
    "compose_binary",
    "embedded_bus",
    "embedded_s3",
    "local_cluster",
    "installation",
    "containers",
    "prerequisites",
]
