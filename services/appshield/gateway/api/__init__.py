"""The REST API.

    application   puts everything together
    resources     the routes, in families: what is asked for and what is answered
    live          the stream of what changes
    frame         what holds for every route: who asks, what they may, errors, pages, tags
    known         what the planner keeps, read from the bus or followed

Each uses only what stands below it. A route without a right does not answer (`frame.rights`).
"""
