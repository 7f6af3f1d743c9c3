"""Cuts through images, so that they can be looked at; a quick look at scans; stacks for pages.

It imports data and physics, and draws no pages. Begin at `stack`.
"""
