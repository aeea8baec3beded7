"""What the watcher, which installs the gate's webhook, and the gateway, which answers it, agree on.

- `names`: the labels, annotations and objects by which people and the API server know the gate
- `authority`: the certificates of one installation, in a Secret of AppShield's own namespace
"""

from appshield.gate.authority import (
    Authority,
    Serving,
    authority_of,
    authority_secret,
    is_worn,
    new_authority,
    new_serving,
)
from appshield.gate.names import (
    AUTHORITY_SECRET,
    BREAK_GLASS,
    DELETION_PATH,
    FAIL,
    MODE_LABEL,
    PATH,
    REQUESTER_PATH,
    GateAddress,
)

__all__ = [
    "AUTHORITY_SECRET",
    "BREAK_GLASS",
    "DELETION_PATH",
    "FAIL",
    "MODE_LABEL",
    "PATH",
    "REQUESTER_PATH",
    "Authority",
    "GateAddress",
    "Serving",
    "authority_of",
    "authority_secret",
    "is_worn",
    "new_authority",
    "new_serving",
]
