"""`python -m appshield.restorer`: read the settings, run until told to stop."""

import os
import sys
from functools import partial

from appshield.restorer.service import serve
from appshield.restorer.settings import Settings
from appshield.service import start_service


def main() -> int:
    """Run the restorer; return the exit code of the process."""
    return start_service("restorer", Settings, os.environ, lambda found: partial(serve, found))


if __name__ == "__main__":
    sys.exit(main())
