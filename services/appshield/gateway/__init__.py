"""The gateway: the door over HTTP.

consumes  HTTP; questions of the API server before gated operations; orders to send notices
produces  answers from the registry, the catalog and the runs; requests for versions that a gate
          waits for; notices to webhooks; what it tells people it only reads, until callers can be
          told apart (who may do what is decided by Kubernetes, at every door the same)
owns      holds: which operations wait at a gate
"""
