"""`python -m appshield.snapshotter`: read the settings, run until told to stop."""

import os
import sys
from functools import partial

from appshield.service import start_service
from appshield.snapshotter.service import serve
from appshield.snapshotter.settings import Settings


def main() -> int:
    """Run the snapshotter; return the exit code of the process."""
    return start_service("snapshotter", Settings, os.environ, lambda found: partial(serve, found))


if __name__ == "__main__":
    sys.exit(main())
