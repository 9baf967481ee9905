"""A file without the columns that its kind needs is refused in words that either reader understands."""

import pytest

from app.errors import InvalidInput
from app.imports.interpret import Interpreter
from app.imports.mapping import Mapping
from app.imports.raw import EXCESS
from app.registry.intake_import import KIND


def test_what_is_missing_and_what_is_there_are_told_and_no_column_of_our_own_making() -> None:
    with pytest.raises(InvalidInput) as refused:
        Interpreter(KIND, Mapping(), ["许可证编号", "取水口名称", "经度", "纬度", EXCESS], False)
    assert (
        str(refused.value)
        == "文件缺少必需的列：取水口编码 (code)；文件里的列：许可证编号、取水口名称、经度、纬度 (required columns are missing: code)"
    )
