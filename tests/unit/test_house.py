"""Rules that documents promise: settings are listed, commands and make targets in the documents exist, pure is pure."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import typer
from rich.text import Text

from pipeline.cli import build_app
from pipeline.settings import PREFIX, env_example, unknown_names

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"),
    *("sql/README.md", "bench/README.md", "model/LOG.md", "model/starter/README.md"),
]


def documents() -> list[str]:
    return [name for name in DOCUMENTS if (ROOT / name).exists()]


def code(name: str) -> str:
    """What a document shows as code: fenced blocks and `spans`."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`|^ {4}\S.*$", text, re.DOTALL | re.MULTILINE))


def test_env_example_lists_every_setting_as_it_is():
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == env_example()


def test_every_name_that_looks_like_a_setting_is_one():
    """Whatever .env holds reaches every process, and each refuses to start when such a name is no setting."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md", "*.yml", ".env.example", "Makefile", "Dockerfile"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"docker-compose.yml", ".env.example", "README.md", "sql/README.md", "Makefile"} <= set(listed)
    for name in listed:
        text = (ROOT / name).read_text(encoding="utf-8")
        shown = {found.rstrip("_") for found in re.findall(rf"\b{PREFIX}[A-Z0-9_]+", text)}
        assert unknown_names(dict.fromkeys(shown, "")) == [], f"{name} shows names that stop every command"


@pytest.mark.parametrize("name", documents())
def test_every_undertow_command_in_a_document_exists(name):
    root = typer.main.get_command(build_app())
    for words in re.findall(r"\bundertow ((?:[a-z][a-z-]*(?: |`|$|\b))+)", code(name)):
        _walk(root, words.split(), name)


def test_every_undertow_command_in_a_message_or_page_exists():
    root = typer.main.get_command(build_app())
    rooms = [ROOT / room for room in ("pipeline", "model", "dags")]
    sources = [path for room in rooms for kind in ("*.py", "*.html") for path in room.rglob(kind)]
    for path in sources:
        for words in re.findall(
            r"[`>]undertow ([a-z-]+(?: [a-z][a-z-]*)*)", path.read_text(encoding="utf-8")
        ):
            _walk(root, words.split(), path.name)


@pytest.mark.parametrize("name", documents())
def test_every_option_of_a_command_in_a_document_exists(name):
    root = typer.main.get_command(build_app())
    for line in re.findall(r"\bundertow ([a-z][^`\n|]*)", code(name)):
        command, words = root, line.split()
        while words and hasattr(command, "commands") and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        known = {
            option for parameter in command.params for option in parameter.opts + parameter.secondary_opts
        }
        shown = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
        assert shown <= known | {"--help"}, f"{name} shows `undertow {line}`"


def _walk(command, words, name):
    for word in words:
        if not hasattr(command, "commands"):
            return
        word = word.strip("`")
        assert word in command.commands, (
            f"{name} shows `undertow {' '.join(words)}`, but there is no {word!r}"
        )
        command = command.commands[word]


@pytest.mark.parametrize("name", documents())
def test_every_make_target_in_a_document_exists(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = set(re.findall(r"\bmake ([a-z-]+)", code(name)))
    assert shown <= targets, f"{name} shows make {shown - targets}, which the Makefile lacks"


def test_every_command_says_what_it_does_with_an_example():
    missing = [
        path
        for path, command in _leaves(typer.main.get_command(build_app()), "undertow")
        if "Example" not in (command.help or "")
    ]
    assert missing == []


def test_no_help_holds_brackets_that_its_renderer_swallows():
    shown = [
        (path, text)
        for path, command in _leaves(typer.main.get_command(build_app()), "undertow")
        for text in (command.help, *(getattr(parameter, "help", None) for parameter in command.params))
        if text
    ]
    assert [(path, text) for path, text in shown if Text.from_markup(text).plain != text] == []


def _leaves(command, path):
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from _leaves(inner, f"{path} {name}")
    else:
        yield path, command


CLOCK = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time)\(")
OUTSIDE = (
    "pipeline.store",
    "aiohttp",
    "psycopg2",
    "requests",
    "smtplib",
    "socket",
    "subprocess",
    "urllib.request",
)


def test_only_the_wiring_and_the_commands_of_the_learner_ask_the_clock():
    asking = {name for name, text in modules() if CLOCK.search(text)}
    assert asking == {"pipeline/run.py", "model/cli.py"}


def test_a_module_that_calls_itself_pure_reaches_for_nothing_outside():
    pure = {
        name: tree
        for name, tree in ((name, ast.parse(text)) for name, text in modules())
        if re.search(r"\bPure\b(?! but)", ast.get_docstring(tree) or "")
    }
    assert {"pipeline/detect/cover.py", "pipeline/ingest/dates.py", "pipeline/score/plan.py"} <= pure.keys()
    reaching = {
        name: found
        for name, tree in pure.items()
        if (
            found := [
                module
                for module in _imported(tree)
                if f"{module}.".startswith(tuple(f"{o}." for o in OUTSIDE))
            ]
        )
    }
    assert reaching == {}


def modules():
    for room in ("pipeline", "model", "dags"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _imported(tree):
    """What a module imports, without what only its types name."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield from _imported(node)
