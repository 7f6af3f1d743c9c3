"""Where to cut an image so that it can be looked at, and a quick look at scans and examples.

It imports data and physics, and draws no pages. Begin at `views`.
"""
