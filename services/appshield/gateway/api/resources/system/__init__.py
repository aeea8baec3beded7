"""AppShield itself: sessions, events, the audit, reports, what could not be handled."""
