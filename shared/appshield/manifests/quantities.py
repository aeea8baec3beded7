"""Quantities as Kubernetes writes them: `20Gi`, `500M`, `1e9`."""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2})|([mkKMGTPE]i?))?")
_FACTORS = {"m": Decimal("0.001"), "k": Decimal(10**3)} | {
    suffix: Decimal(base**power)
    for power, letter in enumerate("KMGTPE", start=1)
    for suffix, base in ((letter, 1000), (f"{letter}i", 1024))
}


def size_bytes(quantity: str) -> int:
    """Return a size in bytes; 0 for what is no quantity, as only the API server writes them."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None:
        return 0
    number, exponent, suffix = found.groups()
    factor = Decimal(10) ** int(exponent) if exponent else _FACTORS.get(suffix or "", Decimal(1))
    return int(Decimal(number) * factor)
