"""An application as it stands in the cluster and in its record, and what follows from that.

    reading    its document, members and volumes, read from the cluster
    readiness  whether it can be saved, and how
    capturing  what a version keeps of it beside data
    facts      what expressions may ask about it
    upkeeping  which of its versions stay, and when its repositories are put in order

The services decide by these, and so do the doors: what is explained is what happens.
"""
