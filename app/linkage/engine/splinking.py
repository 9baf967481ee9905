"""Splink's part: m of every level and the share of pairs that match, by expectation maximisation.

The engine has found the pairs and measured them already, so Splink is given a pair as two records that share
its number, the measures on the left one, and blocks on that number. Its conditions then compare numbers with bounds and
nothing else, which every backend of Splink can do.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from splink import DuckDBAPI, Linker, SettingsCreator

from app.linkage.engine.comparisons import BY_NAME, settings_of
from app.linkage.engine.measuring import Measured
from app.linkage.engine.records import Backend

Floats = npt.NDArray[np.float64]
BELIEVED = 120
FEWEST_PAIRS = 50
"""Fewer pairs than this tell Splink nothing that the prior does not know better."""


def estimate(
    measured: Mapping[str, Measured],
    m: Mapping[str, Floats],
    u: Mapping[str, Floats],
    matching: float,
    backend: Backend = "duckdb",
    memory_gib: float = 2.0,
    scratch: Path | None = None,
) -> tuple[dict[str, Floats], float] | None:
    """(m by comparison, part of the pairs that match), from measured pairs, u being known.

    None where there are too few pairs, or where Splink cannot tell two kinds of pairs apart.
    """
    if len(measured["distance"]) < FEWEST_PAIRS:
        return None
    names = [name for name in BY_NAME if np.isfinite(measured[name]).mean() > 0.02]
    if not names:
        return None
    api, close = _api(backend, memory_gib, scratch)
    try:
        pairs = _pairs({name: np.append(measured[name], _believed(name, m[name])) for name in names}, names)
        linker = Linker(
            [api.register(pairs, dataset_display_name="a"), api.register(pairs, dataset_display_name="b")],
            splink_settings(names, m, u, matching),
            log_level=logging.ERROR,
            validate_settings=False,
        )
        linker.training.estimate_parameters_using_expectation_maximisation(
            "l.pair = r.pair", estimate_without_term_frequencies=True, fix_u_probabilities=True,
            populate_probability_two_random_records_match_from_trained_values=True,
        )  # fmt: skip
        return _read(linker.misc.save_model_to_json(), names, m)
    except Exception as error:  # Splink raises whatever its backend raises; the prior is a model too
        logging.getLogger(__name__).warning("Splink could not estimate: %s", error)
        return None
    finally:
        close()


def weights_by_splink(
    measured: Mapping[str, Measured], names: list[str], m: Mapping[str, Floats], u: Mapping[str, Floats]
) -> Floats:
    """log2 Bayes factor of each pair as Splink itself predicts it; to check the engine's own sum by."""
    api, close = _api("duckdb", 2.0, None)
    try:
        pairs = _pairs(measured, names)
        tables = [api.register(pairs, dataset_display_name=side) for side in ("a", "b")]
        linker = Linker(
            tables, splink_settings(names, m, u, 0.5), log_level=logging.ERROR, validate_settings=False
        )
        predicted: Any = linker.inference.predict(threshold_match_probability=0)
        answer = predicted.as_pyarrow_table()
        order = np.argsort(np.asarray(answer["pair_l"]))
        found: Floats = np.asarray(answer["match_weight"], float)[order]
        return found
    finally:
        close()


def splink_settings(
    names: list[str], m: Mapping[str, Floats], u: Mapping[str, Floats], matching: float
) -> SettingsCreator:
    """Splink's settings for these comparisons."""
    comparisons: list[Any] = settings_of(names, {n: {"m": m[n].tolist(), "u": u[n].tolist()} for n in names})
    blocking: list[Any] = ["l.pair = r.pair"]
    return SettingsCreator(
        link_type="link_only",
        unique_id_column_name="pair",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=blocking,
        probability_two_random_records_match=matching,
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )


def _believed(name: str, m: Floats) -> Measured:
    """A measure of BELIEVED pairs as true pairs have it: no level is without any, which Splink would refuse."""
    comparison = BY_NAME[name]
    bounds = np.array(comparison.bounds)
    worst = bounds[-1] - 1 if comparison.rising else bounds[-1] + 1
    of_level = np.append(bounds, worst).astype(np.float32)
    each = np.maximum(1, np.round(m * BELIEVED)).astype(int)
    found = np.repeat(of_level, each)
    shuffled: Measured = np.random.default_rng(len(name)).permutation(np.resize(found, BELIEVED))
    return shuffled


def _pairs(measured: Mapping[str, Measured], names: list[str]) -> pa.Table:
    columns: dict[str, Any] = {"pair": pa.array(np.arange(len(measured[names[0]])))}
    return pa.table(columns | {name: pa.array(measured[name], from_pandas=True) for name in names})


def _api(backend: Backend, memory_gib: float, scratch: Path | None) -> tuple[Any, Any]:
    if backend == "spark":
        from pyspark.sql import SparkSession
        from splink import SparkAPI

        spark: Any = SparkAPI
        return spark(spark_session=SparkSession.builder.getOrCreate()), lambda: None
    connection = duckdb.connect()
    connection.execute(f"set memory_limit = '{memory_gib:.1f}GiB'")
    connection.execute("set enable_progress_bar = false")
    if scratch is not None:
        connection.execute(f"set temp_directory = '{scratch.as_posix()}'")
    return DuckDBAPI(connection=connection), connection.close


def _read(
    kept: Mapping[str, Any], names: list[str], prior: Mapping[str, Floats]
) -> tuple[dict[str, Floats], float] | None:
    found = dict(prior)
    for comparison in kept["comparisons"]:
        name = comparison["output_column_name"]
        levels = [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]
        values = [level.get("m_probability") for level in levels]
        # A level that no pair reached is left untrained.
        found[name] = np.array([prior[name][k] if v is None else float(v) for k, v in enumerate(values)])
        found[name] = found[name] / found[name].sum()
    matching = float(kept["probability_two_random_records_match"])
    return (found, matching) if 1e-6 < matching < 0.999 and names else None
