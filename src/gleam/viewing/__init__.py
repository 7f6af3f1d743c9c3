"""Views of images: planes and lines through them, and a quick look at scans and examples.

It imports data and physics, and draws no pages. Begin at `stack`.
"""
