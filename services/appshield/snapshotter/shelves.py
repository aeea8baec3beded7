"""Shelves of applications, where content is staged on its way to the uploader."""

from typing import Protocol

from appshield.vault import ApplicationShelf, Vault


class Vaults(Protocol):
    """Finds a Vault by its name."""

    async def open(self, name: str) -> Vault:
        """Open one."""
        ...


class VaultShelves:
    """Finds shelves through Vaults."""

    def __init__(self, vaults: Vaults) -> None:
        self._vaults = vaults

    async def shelf(self, vault: str, app_id: str) -> ApplicationShelf:
        """Find the shelf of one application in one Vault."""
        return (await self._vaults.open(vault)).application(app_id)
