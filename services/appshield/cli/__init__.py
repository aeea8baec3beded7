"""The command line: what a person or a script asks for, and what they are shown.

It publishes the requests that any tool may publish and reads facts, runs and the catalog; it
decides nothing. What it shares with the REST API is in `appshield.doors`. Showing: `output`,
`progress`, `outcomes`. The other modules are the commands, one group each, listed in `commands`.
"""
