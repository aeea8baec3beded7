"""When a rule acts, as pure decisions: what the planner does by them, and every door can tell.

moments   when a schedule comes, when an rpo needs its next backup
holding   what holds a triggered backup back: settle time, rate, windows
upcoming  both together: the next runs of a rule, and when each may begin
rules     a rule of a document as messages carry it
"""
