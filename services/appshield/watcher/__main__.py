"""`python -m appshield.watcher`: read the settings, run until told to stop."""

import os
import sys
from functools import partial

from appshield.service import look_for_cycles_rarely, start_service
from appshield.watcher.service import serve
from appshield.watcher.settings import Settings


def main() -> int:
    """Run the watcher; return the exit code of the process."""
    look_for_cycles_rarely()
    return start_service("watcher", Settings, os.environ, lambda found: partial(serve, found))


if __name__ == "__main__":
    sys.exit(main())
