"""The pages' files of vendors are written as the tests of formats write them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "formats" / "siemens"))
