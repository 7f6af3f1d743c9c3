"""The names that `import gleam` gives: scans, examples, images and runs that a person handles in
Python.

Thin: each function says in few arguments what the rooms below do. It imports any of them, and only
the command line and the server stand above. Begin at `gleam.face.scans`.
"""
