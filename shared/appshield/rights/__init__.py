"""What somebody may, as the cluster says it (ADR 42): asked for, used briefly, kept nowhere.

- `reviews`: the question to the API server, and its answer for some seconds
- `access`: rights of AppShield's own actions, and of the cluster's
- `restoring`: what a restore creates, and whether somebody may create all of that
"""
