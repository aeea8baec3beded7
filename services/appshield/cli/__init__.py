"""The command line: what a person or a script asks for, and what they are shown.

It publishes the requests that any tool may publish and reads facts, runs and the catalog; it
decides nothing. Requests and reading: `requesting`, `naming`, `waiting`. Showing: `output`,
`progress`, `outcomes`. The other modules are the commands, one group each, listed in `commands`.
"""
