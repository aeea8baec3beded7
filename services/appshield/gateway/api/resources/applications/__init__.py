"""Applications: how they are, what they consist of, what nothing protects yet."""
