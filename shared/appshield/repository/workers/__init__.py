"""Worker processes: jobs with descriptors go to them, replies come back, shared memory joins them.

pool.py    `WorkerPool`, the processes as their owner sees them;  local.py  the same without any
ports.py   `JobPool`, what both promise
setup.py   what a worker knows from the start;  context.py  what its jobs find there
jobs.py    the table of jobs: import it last, it knows everybody who has some
"""
