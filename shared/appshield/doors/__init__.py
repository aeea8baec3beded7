"""What every door of AppShield shares: finding what is meant, reading what is known, asking.

The command line and the REST API stand on it; it talks to nobody by itself.
"""
