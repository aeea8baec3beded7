"""Write what is installed in a cluster as YAML: `python -m appshield.language.write_crds deploy`.

In `crds/` one file a kind; in `admission/` the policies about who may write them; in `roles/` the
roles that people are given, and the account of agents. The same bytes every time; a test compares
them with the types.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec
import yaml

from appshield.doors.agent_role import agent_objects
from appshield.doors.roles import role_objects
from appshield.language.admission import admission_objects
from appshield.language.crds import crds

HEADER = "# Generated from appshield.language by `poe crds`; do not edit.\n"


def rendered() -> dict[str, str]:
    """Return the text of each file by its path."""
    files = {f"crds/{crd['spec']['names']['plural']}.yaml": HEADER + _text(crd) for crd in crds()}
    for path, objects in (
        ("admission/policies.yaml", admission_objects()),
        ("roles/roles.yaml", role_objects()),
        ("roles/agents.yaml", agent_objects()),
    ):
        files[path] = HEADER + "---\n".join(map(_text, objects))
    return files


def main(folder: Path) -> None:
    """Write every file below a folder."""
    for name, text in rendered().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _text(document: dict[str, Any]) -> str:
    # Through JSON, so that no part is shared: YAML would write it once and refer to it. By PyYAML,
    # as kubectl reads YAML 1.1, where the field `on` without quotes is the boolean true.
    plain = msgspec.json.decode(msgspec.json.encode(document))
    return yaml.safe_dump(plain, sort_keys=False, width=100, allow_unicode=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
