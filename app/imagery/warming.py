"""What draws tiles takes seconds to load: it begins when somebody looks at a list of scenes, before the first tile is asked for."""

import threading
from importlib import import_module

DRAWING = "app.imagery.render"
_asked = threading.Lock()


def begin() -> threading.Thread | None:
    """Load what draws tiles in the background, once a process; a tile that comes meanwhile waits for it. Returns at once.

    The thread is None where it has begun already.
    """
    if not _asked.acquire(blocking=False):
        return None
    # What goes wrong here goes wrong again for the tile that needs it, and is told there.
    loading = threading.Thread(target=import_module, args=(DRAWING,), name="imagery", daemon=True)
    loading.start()
    return loading
