"""What the planner keeps, as the routes read it: from the bus, or followed and kept in memory."""
