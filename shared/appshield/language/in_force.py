"""The document in force: the object's own, or while that is refused the last accepted one. Pure.

The last accepted spec is kept in the object's status, as one text, where only AppShield and
administrators write and nothing is lost that the document's readers may not see anyway.
"""

import json
from typing import Any

from appshield.language.kinds import Application, Policy
from appshield.language.object_reading import find_problems, read_object
from appshield.language.problems import DocumentError

IN_FORCE = "inForce"


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
        return obj, _application(obj)
    except DocumentError:
        kept = spec_in_force(obj)
        if not kept:
            raise
    accepted = {**obj, "spec": json.loads(kept)}
    return accepted, _application(accepted)


def policy_in_force(obj: dict[str, Any]) -> tuple[Policy | None, str]:
    """Return the policy in force, None if there is none, and why the object's own is refused."""
    try:
        return _policy(obj), ""
    except DocumentError as error:
        kept = spec_in_force(obj)
        refused = str(error)
    try:
        return (_policy({**obj, "spec": json.loads(kept)}) if kept else None), refused
    except DocumentError:
        return None, refused  # it was accepted by another version of the language


def _policy(obj: dict[str, Any]) -> Policy:
    document = read_object(obj)
    if not isinstance(document, Policy):
        raise DocumentError([f"{obj.get('kind')} is no Policy"])
    return document


def _application(obj: dict[str, Any]) -> Application:
    document = read_object(obj)
    if not isinstance(document, Application):
        raise DocumentError([f"{obj.get('kind')} is no Application"])
    return document
