"""Runs: asked for, followed, stopped."""
