"""Write what is generated from the REST API: `python -m appshield.cli.write_rest contracts`."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from appshield.cli.twins import page
from appshield.gateway.api.application import document


def files() -> dict[str, str]:
    """Return every generated file, by its path under `contracts/`."""
    described = document(version("appshield"))
    return {
        "openapi.json": json.dumps(described, indent=1, ensure_ascii=False) + "\n",
        "rest.md": page(),
    }


if __name__ == "__main__":
    for name, text in files().items():
        (Path(sys.argv[1]) / name).write_text(text)
