"""Fixtures of real servers that every test may ask for."""

from hypothesis import settings

# How long an example takes is the machine's affair; a test that hangs has its time limit.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

pytest_plugins = [
    "sharing_out",
    "restic_binary",
    "native_library",
    "nats_binary",
    "compose_binary",
    "embedded_bus",
    "embedded_s3",
    "local_cluster",
    "installation",
    "containers",
    "browsers",
    "prerequisites",
]
