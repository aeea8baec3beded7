"""Write the reference page: `python -m appshield.language.write_reference contracts/language`.

The page stands beside its `examples/`; a test compares it with the types.
"""

import sys
from pathlib import Path

from appshield.language.reference import reference

PAGE = "README.md"


def examples(folder: Path) -> dict[str, str]:
    """Return the example documents of a folder, in the order of the page."""
    files = sorted((folder / "examples").glob("*.yaml"))
    return {file.name: file.read_text() for file in files}


def main(folder: Path) -> None:
    """Write the page."""
    (folder / PAGE).write_text(reference(examples(folder)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
