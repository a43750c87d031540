"""The page about operators and functions is the one that the tables give."""

from __future__ import annotations

from engine.lambdas.matrix_docs import PAGE, main, page


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m engine.lambdas.matrix_docs"


def test_the_command_writes_the_page(tmp_path):
    target = tmp_path / "page.md"
    assert main([str(target)]) == 0
    assert target.read_text(encoding="utf-8") == page()
