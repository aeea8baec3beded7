"""Versions: what they hold, how they differ, how long and where they are kept."""
