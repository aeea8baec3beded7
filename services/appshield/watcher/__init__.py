"""The watcher: tells what the cluster says about applications, and tells the cluster what became.

consumes  list and watch of Application objects; the registry of applications (to write statuses)
produces  facts about applications
          the webhook of the gate, and its certificates
owns      cursors: what it has told already
"""
