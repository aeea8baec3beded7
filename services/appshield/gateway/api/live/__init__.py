"""The stream of what changes: gathered, written once for each audience, sent to listeners."""
