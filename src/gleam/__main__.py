"""`python -m gleam` is `gleam`."""

import sys

from gleam.cli import main

sys.exit(main())
