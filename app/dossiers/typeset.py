"""Sets one dossier: `python -m app.dossiers.typeset FOLDER` makes FOLDER/dossier.pdf out of the files in it.

A process of its own: the typesetter takes a hundred megabytes, which it gives back so, and what goes wrong in it
goes wrong nowhere else. Ends with NO_FONT where this machine has none of the fonts that the dossier names.
"""

import json
import sys
from pathlib import Path

import typst

NO_FONT = 3


def main(folder: Path) -> int:
    _, warnings = typst.compile_with_warnings(
        str(folder / "dossier.typ"), output=str(folder / "dossier.pdf"), root=str(folder)
    )
    named = {name.lower() for name in json.loads((folder / "dossier.json").read_bytes())["fonts"]}
    unknown = {str(warning).partition("unknown font family: ")[2] for warning in warnings}
    return NO_FONT if named <= unknown else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
