"""What lies in a Vault's bucket around the repositories, all of it sealed by the root key.

A `Vault` names the applications that it holds; an `ApplicationShelf` keeps what belongs to one:
identity, password of its repository, highest version, pins, staged content. The bucket is the
truth: with the root key alone everything is found again.
"""

from appshield.vault.access import (
    ApplicationIdentity,
    RepositoryAccess,
    VaultAccess,
    vault_retention,
)
from appshield.vault.audit_shelf import AuditShelf
from appshield.vault.checking import CheckLine, VaultReport, check_vault
from appshield.vault.root_key import (
    RootKeyError,
    export_root_key,
    import_root_key,
    new_root_key,
)
from appshield.vault.shelf import ApplicationShelf
from appshield.vault.vault import Vault, open_vault, store_of

__all__ = [
    "ApplicationIdentity",
    "ApplicationShelf",
    "AuditShelf",
    "CheckLine",
    "RepositoryAccess",
    "RootKeyError",
    "Vault",
    "VaultAccess",
    "VaultReport",
    "check_vault",
    "export_root_key",
    "import_root_key",
    "new_root_key",
    "open_vault",
    "store_of",
    "vault_retention",
]
