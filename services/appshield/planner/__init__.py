"""The planner: the only one who knows the order of things.

consumes  facts about applications, requests, outcomes of steps, timers that are due
produces  orders to workers, one step each; changes of runs
owns      every run, the registry of applications and their version numbers, the catalog, timers
"""
