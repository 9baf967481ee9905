"""Sets one dossier: `python -m app.dossiers.typeset FOLDER` makes FOLDER/dossier.pdf out of the files in it.

A process of its own: the typesetter takes a hundred megabytes, which it gives back so, and what goes wrong in it
goes wrong nowhere else.
"""

import sys
from pathlib import Path

import typst


def main(folder: Path) -> None:
    typst.compile(str(folder / "dossier.typ"), output=str(folder / "dossier.pdf"), root=str(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
