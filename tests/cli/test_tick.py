"""`tickworks tick`: statuses, texts, and that a file is never changed without being asked or made worse."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from typer.testing import CliRunner

from cli.tick import app

if TYPE_CHECKING:
    from click.testing import Result

ROOT = Path(__file__).parents[2]
TAGS = ".tag('a', 'b')" * 500
GOOD = "stream\n    |from()\n        .measurement('cpu')\n    |log()\n"


def run(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "cpu-1.tick"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_script_without_faults_checks_silently(script: Path) -> None:
    result = run("check", script)
    assert (result.exit_code, result.output) == (0, "")


def test_a_finding_shows_place_line_caret_and_hint(script: Path) -> None:
    script.write_text("stream\n\t|from().measurment('é')\n", encoding="utf-8")
    result = run("check", script)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f'{script}:2:10: line 2 char 10: no method or property "measurment" on *pipeline.FromNode',
        "  \t|from().measurment('é')",
        "  \t        ^^^^^^^^^^",
        '  hint: did you mean "measurement" or "groupByMeasurement"?',
    ]


def test_the_caret_stands_below_its_character_behind_wide_ones(script: Path) -> None:
    script.write_text("stream|from().measurement('日é' 1)", encoding="utf-8")
    line, caret = run("check", script).stdout.splitlines()[1:3]
    # The wide character takes two columns, and one place in the text.
    assert caret.index("^") == line.index("1)") + 1


def test_of_a_long_line_only_what_lies_about_the_place_is_shown(script: Path) -> None:
    script.write_text(f"stream|from()|default(){TAGS}.nope(){TAGS}", "utf-8")
    _finding, line, caret = run("check", script).stdout.splitlines()[:3]
    assert len(line) < 420
    assert line[2] == line[-1] == "…"
    assert line[caret.index("^") : caret.rindex("^") + 1] == "nope"


def test_a_node_that_does_not_exist_gets_a_hint(script: Path) -> None:
    script.write_text("stream|from()|widow()|log()", encoding="utf-8")
    assert 'hint: did you mean "window"?' in run("check", script).stdout


def test_a_function_of_a_lambda_that_does_not_exist_is_a_finding_with_a_hint(script: Path) -> None:
    script.write_text('stream|from()|where(lambda: sgima("a") > 1)|log()', encoding="utf-8")
    result = run("check", script)
    assert result.exit_code == 1
    assert ':1:29: undefined function: "sgima"' in result.stdout
    assert 'did you mean "sigma"' in result.stdout


def test_a_udf_is_a_finding_that_says_how_to_name_it(script: Path) -> None:
    script.write_text("stream|from()@mine().opt(1)|log()", encoding="utf-8")
    for command in ("check", "dot"):
        result = run(command, script)
        assert (result.exit_code, "hint: UDFs are processes of a server" in result.stdout) == (1, True)
        assert "--udf mine" in result.stdout


@pytest.mark.parametrize(
    ("rest", "udf", "text"),
    [
        ("|log()", "mine", ""),
        ("|window().period(1s)|trickle()|log()", "mine", ""),
        ("|trickle()|log()", "mine", "cannot Trickle stream edge"),
        ("|trickle()|log()", "mine=stream:batch", ""),
        ("|log()", "mine=batch:batch", "cannot add child mismatched edges: from1:stream -> mine2:batch"),
        ("|log()", "others", 'no method or property "mine"'),
    ],
)
def test_a_udf_that_is_named_takes_any_option_and_has_the_edges_given(
    script: Path, rest: str, udf: str, text: str
) -> None:
    script.write_text(f"stream|from()@mine().opt(1, 'a').quiet(){rest}", encoding="utf-8")
    result = run("check", "--udf", "first", "--udf", udf, script)
    assert (result.exit_code, text in result.stdout) == (1 if text else 0, True)


def test_a_servers_configuration_names_its_udfs(script: Path, tmp_path: Path) -> None:
    script.write_text("stream|from()@mine().opt(1)|log()", encoding="utf-8")
    configuration = tmp_path / "tickworks.conf"
    configuration.write_text('[udf.functions.mine]\nprog = "/usr/bin/mine"\n', encoding="utf-8")
    assert run("check", "--config", configuration, script).exit_code == 0
    assert "from1 -> mine2;" in run("dot", "--config", configuration, script).stdout
    configuration.write_text("", encoding="utf-8")
    assert run("check", "--config", configuration, script).exit_code == 1


@pytest.mark.parametrize("text", ["1a", "", "mine=", "mine=stream", "mine=stream:stream:stream", "mine=x:y", "a b"])
def test_a_udf_without_a_name_or_with_odd_edges_is_wrong_usage(script: Path, text: str) -> None:
    result = run("check", "--udf", text, script)
    assert (result.exit_code, "--udf" in result.stderr) == (2, True)


@pytest.mark.parametrize("text", [None, "udf = 3", "udf.functions = 3", "[", "\udcff"])
def test_a_configuration_that_cannot_be_used_is_wrong_usage(script: Path, tmp_path: Path, text: str | None) -> None:
    configuration = tmp_path / "tickworks.conf"
    if text is not None:
        configuration.write_bytes(text.encode("utf-8", "surrogateescape"))
    result = run("check", "--config", configuration, script)
    assert (result.exit_code, result.stdout, "--config" in result.stderr) == (2, "", True)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "batch|query('SELECT 1')|log()",
            "1:7: the task would not start: query1: must define one of 'every' or 'cron'",
        ),
        (
            "stream|from()|where(lambda: 1 + 'a' > 2)",
            "1:15: the task would not start: where2: Failed to compile expression in where clause: Failed",
        ),
        (
            "stream|from()|window().period(1s)|join(stream|from()).as('a', 'b')",
            "1:35: the task would not start: cannot add child mismatched edges",
        ),
    ],
)
def test_what_would_refuse_the_start_of_the_task_is_a_finding(script: Path, text: str, finding: str) -> None:
    script.write_text(text, encoding="utf-8")
    result = run("check", script)
    assert (result.exit_code, f"{script}:{finding}" in result.stdout) == (1, True)
    assert "  ^" in result.stdout.splitlines()[2]


def test_errors_whose_text_names_no_place_are_shown_at_theirs(script: Path) -> None:
    script.write_text("stream\n    |from()\n    |where(lambda: tresh > 1)\n", encoding="utf-8")
    assert run("check", script).stdout.splitlines()[:3] == [
        f'{script}:3:20: name "tresh" is undefined. Names in scope: time,stream',
        "      |where(lambda: tresh > 1)",
        "                     ^^^^^",
    ]


def test_a_template_cannot_start_and_need_not(script: Path, tmp_path: Path) -> None:
    script.write_text("var p duration\nstream|from()|window().period(p)|log()", encoding="utf-8")
    assert run("check", script).exit_code == 0
    values = tmp_path / "vars.json"
    values.write_text('{"p": {"type": "duration", "value": "0s"}}', encoding="utf-8")
    assert "window2: window node must have" in run("check", "--vars", values, script).stdout


def test_the_hooks_for_pre_commit_run_commands_that_check_and_format(script: Path) -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    assert sorted(hooks) == ["tick-check", "tick-fmt"]
    for hook in hooks.values():
        assert (hook["language"], re.search(hook["files"], "a/b.tick") is not None) == ("python", True)
    script.write_text("stream|from()|lgo()", encoding="utf-8")
    statuses = []
    for hook in ("tick-fmt", "tick-fmt", "tick-check"):
        program, *arguments = hooks[hook]["entry"].split()
        assert program == "tickworks"
        ended = subprocess.run([sys.executable, "-m", "cli", *arguments, str(script)], check=False, capture_output=True)
        statuses.append((ended.returncode, script.read_text(encoding="utf-8")))
    # pre-commit itself fails the commit when a hook has changed a file.
    formatted = "stream\n    |from()\n    |lgo()\n"
    assert statuses == [(0, formatted), (0, formatted), (1, formatted)]


def test_every_file_is_checked_and_the_worst_status_wins(script: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tick"
    bad.write_text("stream|from", encoding="utf-8")
    result = run("check", bad, tmp_path / "none.tick", script)
    assert result.exit_code == 2
    assert f"{bad}:1:12: parser: unexpected EOF" in result.stdout
    assert result.stderr == f"{tmp_path / 'none.tick'}: cannot be read: No such file or directory\n"


def test_bytes_that_are_no_text_are_a_finding(script: Path) -> None:
    script.write_bytes(b"ab\xff")
    result = run("check", script)
    assert (result.exit_code, result.stdout) == (1, f"{script}: not UTF-8: byte 0xff at offset 2\n")


def test_no_files_is_wrong_usage() -> None:
    assert run("check").exit_code == 2


def test_a_template_checks_without_values_and_with_those_of_a_file(script: Path, tmp_path: Path) -> None:
    script.write_text("var m string\nstream|from().measurement(m)|log()", encoding="utf-8")
    values = tmp_path / "vars.json"
    assert run("check", script).exit_code == 0
    values.write_text('{"vars": {"m": {"type": "string", "value": "cpu"}}}', encoding="utf-8")
    assert run("check", "--vars", values, script).exit_code == 0
    values.write_text('{"m": {"type": "int", "value": 1}}', encoding="utf-8")
    result = run("check", "--vars", values, script)
    assert result.exit_code == 1
    assert "invalid type supplied for m, got int exp string" in result.stdout


@pytest.mark.parametrize("text", ["{", '{"m": {"type": "nope"}}', "[]"])
def test_vars_that_cannot_be_used_are_wrong_usage(script: Path, tmp_path: Path, text: str) -> None:
    values = tmp_path / "vars.json"
    values.write_text(text, encoding="utf-8")
    result = run("check", "--vars", values, script)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_a_script_that_starts_from_nothing_names_the_option(script: Path) -> None:
    script.write_text("var x = 1", encoding="utf-8")
    assert "--type says which" in run("check", script).stdout


def test_fmt_prints_the_formatted_script_and_leaves_the_file(script: Path) -> None:
    text = "stream|from().measurement('cpu')|log()"
    script.write_text(text, encoding="utf-8")
    result = run("fmt", script)
    assert (result.exit_code, result.stdout, script.read_text(encoding="utf-8")) == (0, GOOD, text)


def test_fmt_reads_standard_input() -> None:
    result = run("fmt", "-", stdin="stream|from().measurement('cpu')|log()")
    assert (result.exit_code, result.stdout) == (0, GOOD)


def test_fmt_write_changes_the_file_once_and_keeps_its_mode(script: Path) -> None:
    script.write_text("stream|from().measurement('cpu')|log()", encoding="utf-8")
    script.chmod(0o640)
    assert run("fmt", "-w", script).stdout == f"{script}: formatted\n"
    assert script.read_text(encoding="utf-8") == GOOD
    assert script.stat().st_mode & 0o777 == 0o640
    assert run("fmt", "-w", script).stdout == ""
    assert list(script.parent.iterdir()) == [script]


def test_fmt_says_which_file_it_cannot_write_and_goes_on(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.tick"
    for path in (script, other):
        path.write_text("stream|from()", encoding="utf-8")
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if target.name == script.name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    result = run("fmt", "-w", script, other)
    assert (result.exit_code, result.stdout) == (2, f"{other}: formatted\n")
    assert result.stderr == f"{script}: cannot be written: Permission denied\n"
    assert sorted(tmp_path.iterdir()) == [script, other]


def test_fmt_write_follows_a_link_and_keeps_a_backup(script: Path, tmp_path: Path) -> None:
    script.write_text("stream|from()", encoding="utf-8")
    link = tmp_path / "link.tick"
    link.symlink_to(script)
    assert run("fmt", "--write", "--backup", link).exit_code == 0
    assert link.is_symlink()
    assert script.read_text(encoding="utf-8") == "stream\n    |from()\n"
    assert script.with_name(script.name + ".orig").read_text(encoding="utf-8") == "stream|from()"


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_fmt_only_reports_when_asked_to(script: Path, option: str) -> None:
    assert (run("fmt", option, script).exit_code, run("fmt", option, script).stdout) == (0, "")
    script.write_text("stream|log()", encoding="utf-8")
    result = run("fmt", option, script)
    assert result.exit_code == 1
    assert script.read_text(encoding="utf-8") == "stream|log()"
    expected = {"--check": f"{script}: not formatted\n", "--diff": "+    |log()\n"}
    assert expected[option] in result.stdout


def test_fmt_leaves_a_file_whose_comment_it_would_lose(script: Path) -> None:
    text = "stream|from() |log( // why\n)\n\n|log()"
    script.write_text(text, encoding="utf-8")
    result = run("fmt", "--write", script)
    assert result.exit_code == 1
    assert f"{script}:2:1: the comment before this would be lost" in result.stdout
    assert script.read_text(encoding="utf-8") == text
    printed = run("fmt", script)
    assert printed.exit_code == 0
    assert "warning: the comment before this is lost" in printed.stderr


@pytest.mark.parametrize("arguments", [("--write", "--check", "x"), ("-w", "-"), ("-w", "--diff", "x")])
def test_fmt_refuses_what_cannot_be_meant(arguments: tuple[str, ...]) -> None:
    assert run("fmt", *arguments).exit_code == 2


def test_fmt_reports_a_script_that_does_not_parse(script: Path) -> None:
    script.write_text("var x = ", encoding="utf-8")
    assert run("fmt", "-w", script).exit_code == 1
    assert script.read_text(encoding="utf-8") == "var x = "


def test_dot_draws_the_pipeline_under_the_name_of_the_file(script: Path) -> None:
    assert run("dot", script).stdout == "digraph cpu_1 {\nstream0 -> from1;\nfrom1 -> log2;\n}\n"
    assert run("dot", "-", stdin=GOOD).stdout.startswith("digraph stdin {")
    script.write_text("stream|frm()", encoding="utf-8")
    assert run("dot", script).exit_code == 1


def test_ast_prints_the_tree_as_json(script: Path) -> None:
    result = run("ast", script)
    assert json.loads(result.stdout)["typeOf"] == "program"
    assert run("ast", "-", stdin="#").exit_code == 1


def test_ast_says_when_a_chain_is_too_long_for_nested_json() -> None:
    result = run("ast", "-", stdin="a" + ".b()" * 5_000)
    assert (result.exit_code, "too long" in result.stdout) == (1, True)


def test_the_commands_are_part_of_tickworks_and_load_the_language_only_when_they_run(script: Path) -> None:
    program = (
        "import sys, cli.tick; print(sorted(name for name in sys.modules if name in ('lark', 'tickscript.parser')))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert loaded.stdout == "[]\n"
    checked = subprocess.run(
        [sys.executable, "-m", "cli", "tick", "check", str(script)], check=False, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
