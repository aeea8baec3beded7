"""The gateway: the door over HTTP.

consumes  HTTP; questions of the API server before operations that are gated
produces  answers from the registry, the catalog and the runs; requests for versions that a gate
          waits for; what it tells people it only reads, until callers can be told apart (who may do
          what is decided by Kubernetes, at every door the same)
owns      holds: which operations wait at a gate
"""
