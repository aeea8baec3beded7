"""`python -m appshield.planner`: read the settings, run until told to stop."""

import os
import sys
from functools import partial

from appshield.planner.service import serve
from appshield.planner.settings import Settings
from appshield.service import look_for_cycles_rarely, start_service


def main() -> int:
    """Run the planner; return the exit code of the process."""
    look_for_cycles_rarely()
    return start_service("planner", Settings, os.environ, lambda settings: partial(serve, settings))


if __name__ == "__main__":
    sys.exit(main())
