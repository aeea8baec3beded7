"""The uploader: puts what a snapshot has made ready into the repository, and makes versions exist.

consumes  open a repository, store a source, commit a backup, rebuild the catalog
produces  repository opened, source stored, backup stored (or sources lost), what a Vault holds
owns      nothing but its work in hand
"""
