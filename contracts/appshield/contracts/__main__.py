"""Write what is generated from the contracts: `python -m appshield.contracts contracts`."""

import sys
from pathlib import Path

from appshield.contracts.documents import documents, samples


def main(folder: Path) -> None:
    """Bring schemas and README up to date in `folder`, and add samples that are missing."""
    page = folder / "README.md"
    made = documents(page.read_text() if page.exists() else "")
    for stale in (folder / "schemas").glob("*.json"):
        if f"schemas/{stale.name}" not in made:
            stale.unlink()
    for path, text in made.items():
        _write(folder / path, text)
    for path, text in samples().items():
        if not (folder / path).exists():
            _write(folder / path, text)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "contracts"))
