"""Documents of other frameworks as they stand in files: would an adapter take them? Pure.

No schema has checked a file, and an adapter trusts the one of its kind: what trips over a document
is told as a document of a wrong shape.
"""

from collections.abc import Iterator

from appshield.language.adapters.adapter import Adapter, Object
from appshield.language.adapters.table import ADAPTERS
from appshield.language.object_reading import find_problems
from appshield.language.problems import DocumentError


def adapter_of(document: Object) -> Adapter | None:
    """Return the adapter that reads documents of this kind; releases of Helm are in no files."""
    group, _, _ = str(document.get("apiVersion") or "").partition("/")
    return next(
        (
            one
            for one in ADAPTERS
            if one.kind.group and (one.kind.group, one.kind.kind) == (group, document.get("kind"))
        ),
        None,
    )


def find_foreign_problems(document: Object, namespace: str) -> Iterator[str]:
    """Yield what keeps a document that asks for protection from it: what is wrong; what is right.

    Args:
        document: the content of a file.
        namespace: for a document that names none.
    """
    its = adapter_of(document)
    if its is None:
        return
    try:
        metadata = {"namespace": namespace, **document["metadata"]}
        placed = {**document, "metadata": metadata}
        if its.place(placed) is not None and its.asks(placed):
            yield from map(str, find_problems(its.adapt(placed, ()).document))
    except DocumentError as error:
        yield from error.problems
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        wrong = f"is not of the shape of a {its.kind.kind} of {its.kind.group}"
        yield f"{wrong} ({type(error).__name__}: {str(error)[:80]}); correct it"
