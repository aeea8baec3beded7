"""The REST API: one module for each kind of thing, over a frame that all of them share.

The frame: `callers` says who asks, `access` what they may, `rights` which right a route needs,
`problems` how errors read, `pages` how lists are cut, `tags` how a state of a thing is named,
`backend` what the routes are built on, `application` puts it together. A route without a right does
not answer.
"""
