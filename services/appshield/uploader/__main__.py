"""`python -m appshield.uploader`: read the settings, run until told to stop."""

import os
import sys
from functools import partial

from appshield.service import start_service
from appshield.uploader.service import serve
from appshield.uploader.settings import Settings


def main() -> int:
    """Run the uploader; return the exit code of the process."""
    return start_service("uploader", Settings, os.environ, lambda found: partial(serve, found))


if __name__ == "__main__":
    sys.exit(main())
