"""The notebook runs from top to bottom in a kernel of its own, and shows what it promises."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples/remote_sensing/detection.ipynb"


# The kernel's own sockets and loop, not ours.
@pytest.mark.filterwarnings("default")
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without outputs"
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(o.get("text", "") for o in said)
    assert "水面 · water" in printed
    assert "there is no such file or folder" in printed
    assert "条线索 · candidates" in printed
    assert sum("text/html" in o.get("data", {}) for o in said) >= 3
