"""The uploader: stores what a snapshot has made ready, makes versions exist, keeps them in order.

consumes  open a repository, store a source, commit a backup, rebuild the catalog,
          forget versions, prune, check, repair, pin, copy
produces  repository opened, source stored, backup stored (or sources lost), what a Vault holds,
          versions forgotten, repository pruned, checked, repaired, version pinned or copied
owns      nothing but its work in hand

On each node runs an agent of it (`agent`), which stores the volumes there, and does nothing else.
"""
