"""The services of one machine as forks of one process, which has imported what they all need.

Each is a process of its own, ends alone and is started again alone. What they share is the memory
of the modules, and the time that importing them takes: both count once, not once per service.

orders.py     what is said between the two sides
parent.py     the parent of the services;  __main__.py  the same as a program
services.py   its owner's side: `ServiceParent` and `ForkedService`
"""
