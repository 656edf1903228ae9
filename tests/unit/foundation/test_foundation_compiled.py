"""Cached kernels must not outlive the kernels they inline."""

import os
from pathlib import Path

import pytest

from scalebridge.foundation.compiled import announce_compilation, compiled, drop_stale_caches

KERNEL = "from scalebridge.foundation.compiled import compiled\n"
CALLBACK = "from scalebridge.foundation.compiled import c_callback, compiled_arithmetic\n"


def test_compiled_function_gives_the_same_result() -> None:
    def square(x: float) -> float:
        return x * x

    assert compiled(square)(3.0) == 9.0


def test_caches_older_than_any_kernel_source_are_dropped(tmp_path: Path) -> None:
    for name, text in (("inner", KERNEL), ("outer", CALLBACK), ("plain", "x = 1\n")):
        folder = tmp_path / name
        (folder / "__pycache__").mkdir(parents=True)
        (folder / "kernels.py").write_text(text)
        (folder / "__pycache__" / "kernels.f-1.py311.nbi").write_text("index")
        os.utime(folder / "kernels.py", (1000, 1000))
        os.utime(folder / "__pycache__" / "kernels.f-1.py311.nbi", (2000, 2000))
    os.utime(tmp_path / "plain" / "kernels.py", (5000, 5000))
    assert drop_stale_caches(tmp_path) == 0
    os.utime(tmp_path / "inner" / "kernels.py", (3000, 3000))
    assert drop_stale_caches(tmp_path) == 2
    assert [path.parent.parent.name for path in tmp_path.rglob("*.nbi")] == ["plain"]


def test_the_first_compilation_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "kernels.py"
    announce_compilation(str(source), "the electrode")
    assert capsys.readouterr().err == "compiling the kernels of the electrode, once: one to two minutes\n"
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "kernels.residual-1.py311.nbi").touch()
    announce_compilation(str(source), "the electrode")
    assert capsys.readouterr().err == ""
