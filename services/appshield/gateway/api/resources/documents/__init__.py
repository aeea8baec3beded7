"""Documents: what people write for AppShield, and what follows from it."""
