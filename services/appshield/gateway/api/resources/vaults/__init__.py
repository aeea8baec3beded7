"""Vaults: where versions are kept."""
