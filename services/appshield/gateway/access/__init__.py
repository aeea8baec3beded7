"""Who asks, and what they may: tokens of the cluster and of an OpenID provider, sessions, rights.

Nothing here is kept beyond the process. What the cluster says about tokens and rights is remembered
for seconds only, so that what is revoked is revoked.
"""
