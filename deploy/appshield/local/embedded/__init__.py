"""The servers that AppShield brings along for one machine: started, owned and stopped by it."""
