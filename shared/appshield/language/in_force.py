"""The document in force: the object's own, or while that is refused the last accepted one. Pure.

The last accepted spec is kept in the object's status, as one text, where only AppShield and
administrators write and nothing is lost that the document's readers may not see anyway.
"""

import json
from typing import Any, TypeVar

from appshield.language.kinds import Application, Policy, Profile, Vault
from appshield.language.object_reading import find_problems, read_object
from appshield.language.problems import DocumentError

IN_FORCE = "inForce"
ResourceT = TypeVar("ResourceT", Application, Policy, Profile, Vault)


def spec_in_force(obj: dict[str, Any]) -> str:
    """Write down the spec in force for the object's status; empty while there was none."""
    if find_problems(obj):
        return str((obj.get("status") or {}).get(IN_FORCE) or "")
    return json.dumps(obj["spec"], sort_keys=True, ensure_ascii=False)


def document_in_force(obj: dict[str, Any]) -> tuple[dict[str, Any], Application]:
    """Return the object with the spec that is in force, and what that means.

    Raises:
        DocumentError: its document is refused and none was accepted before.
    """
    try:
        return obj, _read(obj, Application)
    except DocumentError:
        kept = spec_in_force(obj)
        if not kept:
            raise
    accepted = {**obj, "spec": json.loads(kept)}
    return accepted, _read(accepted, Application)


def application_in_force(obj: dict[str, Any]) -> tuple[Application | None, str]:
    """Return the document in force, None if there is none, and why the object's own is refused."""
    return _in_force(obj, Application)


def policy_in_force(obj: dict[str, Any]) -> tuple[Policy | None, str]:
    """Return the policy in force, None if there is none, and why the object's own is refused."""
    return _in_force(obj, Policy)


def profile_in_force(obj: dict[str, Any]) -> tuple[Profile | None, str]:
    """Return the profile in force, None if there is none, and why the object's own is refused."""
    return _in_force(obj, Profile)


def vault_in_force(obj: dict[str, Any]) -> tuple[Vault | None, str]:
    """Return the Vault in force, None if there is none, and why the object's own is refused."""
    return _in_force(obj, Vault)


def _in_force(obj: dict[str, Any], kind: type[ResourceT]) -> tuple[ResourceT | None, str]:
    try:
        return _read(obj, kind), ""
    except DocumentError as error:
        kept = spec_in_force(obj)
        refused = str(error)
    try:
        return (_read({**obj, "spec": json.loads(kept)}, kind) if kept else None), refused
    except DocumentError:
        return None, refused  # it was accepted by another version of the language


def _read(obj: dict[str, Any], kind: type[ResourceT]) -> ResourceT:
    document = read_object(obj)
    if not isinstance(document, kind):
        raise DocumentError([f"{obj.get('kind')} is no {kind.__name__}"])
    return document
