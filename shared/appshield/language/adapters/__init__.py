"""Documents of other frameworks, read as Applications: one module for each, one table of them all.

An adapter is pure: it says which further objects it has to see, and makes of them and the foreign
document an `Application` as a person would have written it, which is then checked like any other.
To add one, write a module with an `Adapter` and put it into `table`.
"""

from appshield.language.adapters.adapter import (
    ADAPTED_FROM,
    ADAPTED_IN_PART,
    ADAPTER_LABEL,
    SOURCE_VERSION,
    Adapted,
    Adapter,
    ForeignKind,
    Place,
    Related,
)
from appshield.language.adapters.table import ADAPTERS, chosen

__all__ = [
    "ADAPTED_FROM",
    "ADAPTED_IN_PART",
    "ADAPTERS",
    "ADAPTER_LABEL",
    "SOURCE_VERSION",
    "Adapted",
    "Adapter",
    "ForeignKind",
    "Place",
    "Related",
    "chosen",
]
