"""The restorer: brings a version back, step by step, and says so only when it runs.

consumes  plan a restore, prepare volumes, load a volume, push images, apply objects, load a dump,
          finish
produces  what was planned, prepared, loaded, pushed, applied, finished
owns      nothing but its work in hand; what it makes is marked until the restore has finished

On each node runs an agent of it (`agent`), which loads the volumes there, and does nothing else.
"""
