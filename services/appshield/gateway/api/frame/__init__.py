"""What holds for every route: who asks, what they may, how errors, pages and tags read."""
