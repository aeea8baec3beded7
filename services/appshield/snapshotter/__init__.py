"""The snapshotter: cuts a point in time of a running application and makes it ready to be read.

consumes  take a snapshot, release it
produces  snapshot taken (sources and consistency), snapshot released
owns      promises to resume, VolumeSnapshots, exposer pods
"""
