"""Looks at the dependencies of the image: `python -m tidy.requirement_scan`, part of `poe check`.

Each is one version with the digests of its files and comes from the registry by its name alone:
what is built is what was tested. `advisory_scan` asks whether one is known to be vulnerable.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "deploy" / "requirements.txt"
PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9.!+_-]+( ; .+)?$")
DIGEST = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")


def problems_in(text: str) -> Iterator[str]:
    """Say what is wrong with requirements."""
    for entry in filter(None, text.replace("\\\n", " ").splitlines()):
        requirement, *digests = re.split(r"\s+(?=--)", entry.strip())
        if not PINNED.match(requirement):
            yield f"{requirement}: this is not one version of a package of the registry"
        elif not digests:
            yield f"{requirement}: it has no digest"
        elif wrong := [one for one in digests if not DIGEST.match(one)]:
            yield f"{requirement}: {wrong[0]} is no digest"


def main() -> int:
    """Look at the file; return the exit code."""
    found = list(problems_in(FILE.read_text()))
    for problem in found:
        sys.stderr.write(f"{FILE.name}: {problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
