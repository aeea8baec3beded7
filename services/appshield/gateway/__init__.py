"""The gateway: the door over HTTP.

consumes  HTTP
produces  answers from the registry, the catalog and the runs; it only reads, until callers can be
          told apart (who may do what is decided by Kubernetes, at every door the same)
owns      nothing
"""
