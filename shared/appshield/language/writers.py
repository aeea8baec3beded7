"""Who wrote a document as it stands: two annotations whose truth the API server sees to. Pure.

A webhook of the gate writes there who changed the spec, and of which generation that is. It may be
away, and is taken at no word: a policy of the API server lets nothing stand there but the writer's
own name beside the very generation that the write makes, and no later change. A document that was
changed while AppShield was away has a later generation than the one that is named: then nobody
knows, and nobody is named for what somebody else has written.
"""

from typing import Any

from appshield.manifests.objects import annotations_of, metadata

Object = dict[str, Any]

WRITTEN_BY = "appshield.io/written-by"
WRITTEN_GENERATION = "appshield.io/written-generation"
"""The generation of the document that whoever is named has made."""
UNKNOWN_WRITER = "unknown (written while AppShield was away)"
"""Who wrote a document that does not say so."""


def writer_of(obj: Object) -> str:
    """Return who wrote a document as it is now, or `UNKNOWN_WRITER`."""
    annotations = annotations_of(obj)
    named = annotations.get(WRITTEN_BY, "")
    its_own = annotations.get(WRITTEN_GENERATION) == str(metadata(obj).get("generation"))
    return named if named and its_own else UNKNOWN_WRITER


def writer_annotations(name: str, generation: int) -> dict[str, str]:
    """Write down who has made a generation of a document."""
    return {WRITTEN_BY: name, WRITTEN_GENERATION: str(generation)}


def variables() -> dict[str, str]:
    """Give what the policy looks at, as CEL: what is written, and what was before."""
    texts = {"by": WRITTEN_BY, "made": WRITTEN_GENERATION}
    now = {name: f"object.metadata.{_annotation(key)}" for name, key in texts.items()}
    before = {
        f"{name}_before": f"oldObject == null ? '' : oldObject.metadata.{_annotation(key)}"
        for name, key in texts.items()
    }
    another = "oldObject == null || object.metadata.generation != oldObject.metadata.generation"
    return now | before | {"another": another}


def truth() -> Object:
    """Give the one demand of the policy; what stands there may always be taken away."""
    return {
        "expression": "(variables.by == '' && variables.made == '') || "
        "(variables.by == variables.by_before && variables.made == variables.made_before) || "
        "(variables.another && variables.by == request.userInfo.username && "
        "variables.made == string(object.metadata.generation))",
        "messageExpression": "request.userInfo.username + ' may not write what is not so: the "
        f"annotations {WRITTEN_BY} and {WRITTEN_GENERATION} say who wrote this document as it is; "
        "leave them out, or as they are'",
    }


def asks_anew() -> str:
    """Give the condition under which the webhook is asked: another document, or another name."""
    differs = (
        f"object.metadata.{_annotation(key)} != oldObject.metadata.{_annotation(key)}"
        for key in (WRITTEN_BY, WRITTEN_GENERATION)
    )
    return f"oldObject == null || object.?spec != oldObject.?spec || {' || '.join(differs)}"


def _annotation(key: str) -> str:
    return f"?annotations[?'{key}'].orValue('')"
