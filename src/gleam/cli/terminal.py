"""Where progress is shown: on stderr, so that stdout holds results alone."""

from rich.console import Console

console = Console(stderr=True)
