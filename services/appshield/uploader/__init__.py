"""The uploader: stores what a snapshot has made ready, makes versions exist, keeps them in order.

consumes  open a repository, store a source, commit a backup, rebuild the catalog,
          forget versions, prune, check, pin, copy
produces  repository opened, source stored, backup stored (or sources lost), what a Vault holds,
          versions forgotten, repository pruned, repository checked, version pinned or copied
owns      nothing but its work in hand
"""
