"""`python -m appshield.gateway`: read the settings, run until told to stop."""

import os
import sys
from functools import partial

from appshield.gateway.service import serve
from appshield.gateway.settings import Settings
from appshield.service import look_for_cycles_rarely, start_service


def main() -> int:
    """Run the gateway; return the exit code of the process."""
    look_for_cycles_rarely()
    return start_service("gateway", Settings, os.environ, lambda found: partial(serve, found))


if __name__ == "__main__":
    sys.exit(main())
