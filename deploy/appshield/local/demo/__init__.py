"""The demonstration: a real application, its load, and the proof that a version comes back whole.

`images` makes the application's images from Debian packages, `application` its objects, `writer`
loads it and logs what was acknowledged, `reading` reads it back, `checker` decides, `scenario`
plays it all.
"""
