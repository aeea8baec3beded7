"""Write the custom resource definitions as YAML: `python -m appshield.language.write_crds DIR`.

One file a kind, the same bytes every time; a test compares them with the types.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from appshield.language.crds import crds

HEADER = "# Generated from appshield.language.kinds by `poe crds`; do not edit.\n"


def rendered() -> dict[str, str]:
    """Return the text of each file by its name."""
    return {f"{crd['spec']['names']['plural']}.yaml": HEADER + _text(crd) for crd in crds()}


def main(folder: Path) -> None:
    """Write every file into an existing folder."""
    for name, text in rendered().items():
        (folder / name).write_text(text)


def _text(document: dict[str, Any]) -> str:
    # Through JSON, so that no part is shared: YAML would write it once and refer to it. By PyYAML,
    # as kubectl reads YAML 1.1, where the field `on` without quotes is the boolean true.
    plain = msgspec.json.decode(msgspec.json.encode(document))
    return yaml.safe_dump(plain, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
