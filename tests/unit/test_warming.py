"""What draws scenes is loaded before the first tile is asked for."""

import subprocess
import sys

PROBE = """
import sys
import app.imagery.routes
from app.imagery import warming
assert warming.DRAWING not in sys.modules
loading = warming.begin()
assert loading is not None
again = warming.begin()
loading.join()
print(again, warming.DRAWING in sys.modules, "rio_tiler" in sys.modules)
"""


def test_it_is_loaded_in_the_background_once() -> None:
    told = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["None", "True", "True"]
