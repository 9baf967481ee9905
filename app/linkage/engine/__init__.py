"""Record linkage 比对衔接: which intake of the register is which intake of the permits.

Pure: tables in, tables out; no database, no web. `link` brings two whole sides together and learns from
them; `score` compares a few rows by what was learnt.
"""

from app.linkage.engine.linking import link, score
from app.linkage.engine.records import PAIRS, RECORD, Linked, LinkSettings

__all__ = ["PAIRS", "RECORD", "LinkSettings", "Linked", "link", "score"]
