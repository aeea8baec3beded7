"""An application's objects, as pure functions on the API server's JSON.

- `membership`: which objects belong to the application, and why; `references`, `dependants` and
  `generated` are the questions that it asks
- `cleaning`: an object without what only the server may say; `comparing`: what differs
- `images`: the digests of what really runs
- `volumes`: which volumes hold its data, how each is read, how consistent that is
- `states`: whether a version holds an object as it stands
- `ordering`, `relocating`: bringing objects back, and into another namespace
- `objects`, `kinds`, `workloads`, `selecting`: what those share

No cluster, no clock, no file: callers list the objects and pass them in. Nothing given is changed;
what comes back is a copy wherever it differs.
"""
