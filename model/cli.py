"""`undertow pretrain | finetune | search | evaluate | predict | explain | starter`. Nothing heavy until a command runs."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import AbstractContextManager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

_Data = Annotated[Path, typer.Option("--data", help="Folder that holds the recipe's files.")]
_Recipe = Annotated[Path | None, typer.Option("--recipe", help="Recipe file; the starter's when not given.")]
_Out = Annotated[
    Path, typer.Option("--out", help="Model directory to write; takes the place of a model that is there.")
]
_Work = Annotated[
    Path | None, typer.Option("--work", help="Folder for checkpoints; a killed run goes on from there.")
]
_Set = Annotated[
    list[str] | None, typer.Option("--set", help="NAME=VALUE: change one setting of the recipe.")
]
_Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.")]
_Model = Annotated[Path | None, typer.Option("--model", help="Model directory; the starter when not given.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def register(root: typer.Typer) -> None:
    """Add the learner's commands to the application."""
    for command in (pretrain, finetune, search, evaluate, predict, explain, starter):
        root.command(rich_help_panel="The learner")(command)


def finetune(
    out: _Out,
    data: _Data = Path("data"),
    recipe: _Recipe = None,
    labels: Annotated[
        Path | None, typer.Option(help="Extra labelled examples (.jsonl, .csv, .parquet).")
    ] = None,
    only_labels: Annotated[
        bool, typer.Option(help="Learn from --labels and our own texts, not the recipe.")
    ] = False,
    start: Annotated[Path | None, typer.Option(help="Go on from this model directory.")] = None,
    work: _Work = None,
    changes: _Set = None,
    device: _Device = "auto",
    json_output: _Json = False,
) -> None:
    """Train a model on labelled texts.

    Example: undertow finetune --data ~/sets --out runs/candidate --set epochs=2

    Example: undertow finetune --start model/starter --labels labels.jsonl --only-labels --out runs/candidate
    """
    from model.finetune import finetune as run
    from model.recipe import retrain_recipe
    from model.registry import check_out

    check_out(out, work)
    config, sources = retrain_recipe(recipe, data, labels, only_labels, start, _changes(changes))
    with _told_aside():
        result = run(config, sources, out, created_at=_now(), work=work, device=device, command=_command())
    _say(
        {
            "model": str(result.path),
            "version": result.version,
            "metrics": result.metrics,
            "seconds": result.seconds,
        },
        json_output,
    )


def pretrain(
    texts: Annotated[
        Path, typer.Option("--texts", help="Texts, oldest first: a .jsonl, .csv or .parquet with `text`.")
    ],
    out: _Out,
    work: _Work = None,
    changes: _Set = None,
    device: _Device = "auto",
    json_output: _Json = False,
) -> None:
    """Adapt the encoder to unlabelled texts (masked language modelling) before fine-tuning.

    Example: undertow pretrain --texts articles.csv --out runs/adapted

    Then:    undertow finetune --start runs/adapted --data ~/sets --out runs/candidate
    """
    from model.data import read_rows
    from model.pretrain import pretrain as run
    from model.recipe import change
    from model.registry import check_out
    from model.training import TrainConfig

    check_out(out, work)
    rows = [str(r.get("text") or "") for r in read_rows(texts)]
    config = change(TrainConfig(epochs=1, tracking=()), _changes(changes))
    with _told_aside():
        result = run(config, rows, out, created_at=_now(), work=work, device=device, command=_command())
    _say(
        {
            "model": str(out),
            "loss_before": result.loss_before,
            "loss_after": result.loss_after,
            "texts": result.texts,
        },
        json_output,
    )


def search(
    work: Annotated[Path, typer.Option("--work", help="Folder of the study; an interrupted one goes on.")],
    data: _Data = Path("data"),
    recipe: _Recipe = None,
    trials: Annotated[int, typer.Option(min=1, help="How many settings to try.")] = 10,
    changes: _Set = None,
    device: _Device = "auto",
    json_output: _Json = False,
) -> None:
    """Look for better settings with Optuna.

    Example: undertow search --data ~/sets --work runs/search --trials 20 --set epochs=1
    """
    import dataclasses

    from model.recipe import STARTER_RECIPE, load_recipe
    from model.search import search as run
    from model.writable import check_folder

    check_folder(work)
    config, sources = load_recipe(recipe or STARTER_RECIPE, data, _changes(changes))
    with _told_aside():
        found = run(config, sources, work, trials=trials, device=device)
    _say({"score": found.score, "settings": dataclasses.asdict(found.config)}, json_output)


def evaluate(
    labels: Annotated[Path, typer.Option("--labels", help="Labelled examples (.jsonl, .csv, .parquet).")],
    model: _Model = None,
    against: Annotated[Path | None, typer.Option(help="Another model directory, for a paired test.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    train: Annotated[
        Path | None, typer.Option(help="Training texts: refuse when the labels overlap them.")
    ] = None,
    json_output: _Json = False,
) -> None:
    """Judge a model on labelled texts and the behavioural suite.

    Example: undertow evaluate --labels judged.jsonl --model runs/candidate --against model/starter --report report.html
    """
    from model.data import Source, read_rows, read_source
    from model.evaluate import behave, compare
    from model.evaluate import evaluate as run
    from model.inference import Classifier
    from model.report import render_report
    from model.splits import refuse_leak
    from model.writable import check_file, writing

    check_file(report)  # judging may take an hour
    examples = read_source(Source(labels.stem, labels, "unknown"))
    if train:
        refuse_leak((str(r.get("text") or "") for r in read_rows(train)), [e.text for e in examples])
    classifier = Classifier.load(model)
    evaluation = run(classifier, examples).to_json()
    behaviour = behave(classifier)
    paired = compare(against, classifier, examples) if against else None
    if report:
        with writing(report):
            report.write_text(render_report(evaluation, behaviour, paired), encoding="utf-8")
    heads = {
        name: {"n": h["n"], "accuracy": h["accuracy"], "macro_f1": h["macro"]["f1"], "ece": h["ece"]}
        for name, h in evaluation["heads"].items()
    }
    _say(
        {
            "version": evaluation["version"],
            **heads,
            "behaviour": behaviour.overall,
            "kinds": dict(behaviour.kinds),
        }
        | ({"against": paired} if paired else {}),
        json_output,
    )


def predict(
    texts: Annotated[
        list[str] | None, typer.Argument(help="Texts to judge; or name a file with --input.")
    ] = None,
    company: Annotated[
        list[str] | None, typer.Option(help="A company named in the texts; once for each company.")
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option(
            "--input",
            help="JSON lines, CSV or Parquet with `text` and perhaps `companies`, or .txt with a text a line.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", help="JSON lines: the same with verdicts; '-' prints them.")
    ] = Path("-"),
    model: _Model = None,
    device: _Device = "auto",
    json_output: _Json = False,
) -> None:
    """Judge texts without a database. A bad line of a file becomes an error line and stops nothing.

    Example: undertow predict "Orvex shares plunge as Kestrel wins the contract" --company Orvex --company Kestrel

    Example: undertow predict --input headlines.jsonl --output verdicts.jsonl
    """
    if bool(texts) == (input is not None):
        raise typer.BadParameter('give texts ("Acme cuts its dividend"), or a file of them with --input')
    if input is not None and company:
        raise typer.BadParameter("--company is for texts given here; in a file, `companies` names them")
    from model.files import predict_file, predict_texts
    from model.inference import Classifier
    from model.writable import check_file

    check_file(output if input is not None and str(output) != "-" else None)
    classifier = Classifier.load(model, device)
    if input is None:
        rows = predict_texts(classifier, texts or [], company or [])
        typer.echo("\n".join(json.dumps(r, ensure_ascii=False) if json_output else _told(r) for r in rows))
        return
    counts = predict_file(classifier, input, output, progress=sys.stderr.isatty())
    typer.echo(f"{counts.judged} judged, {counts.failed} could not be", err=True)


def explain(
    text: Annotated[str, typer.Argument(help="The text to explain.")],
    company: Annotated[str | None, typer.Option(help="Explain the verdict on this company in it.")] = None,
    model: _Model = None,
    json_output: _Json = False,
) -> None:
    """Show which words made the verdict: [+word] pulled it up, [-word] pulled it down.

    Example: undertow explain "Acme cuts its dividend after a weak quarter"
    """
    from model.explain import mark
    from model.inference import Classifier, Failure

    classifier = Classifier.load(model)
    (verdict,) = classifier.predict([_input(text, company)])
    if isinstance(verdict, Failure):
        raise typer.BadParameter(verdict.reason)
    parts = classifier.explain(text, company)
    said = verdict.companies[company] if company else verdict.sentiment
    if json_output:
        body = {"label": said.label, "score": round(said.score, 4), "words": [p._asdict() for p in parts]}
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    typer.echo(f"{said.label}  {said.score:+.2f}\n{mark(text, parts)}")
    for part in sorted(parts, key=lambda p: -abs(p.contribution))[:10]:
        typer.echo(f"  {part.contribution:+.2f}  {part.token}")


def starter(
    out: _Out = Path("model/starter"),
    data: _Data = Path("data"),
    recipe: _Recipe = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="Folder with the base encoder of the recipe's teacher, if it has one."),
    ] = None,
    work: _Work = None,
    changes: _Set = None,
    device: _Device = "auto",
    json_output: _Json = False,
) -> None:
    """Make the starter again, from its recipe and the public sets, and judge it with the behavioural suite.

    Example: undertow starter --data ~/sets --out runs/starter --work runs/starter-work
    """
    from model.recipe import STARTER_RECIPE, load_recipe, load_teacher
    from model.registry import check_out
    from model.starting import make_starter

    check_out(out, work)
    recipe = recipe or STARTER_RECIPE
    config, sources = load_recipe(recipe, data, _changes(changes))
    with _told_aside():
        manifest = make_starter(
            config,
            sources,
            out,
            created_at=_now(),
            teacher=load_teacher(recipe, config, teacher),
            work=work,
            device=device,
            command=_command(),
        )
    _say({"model": str(out), "version": manifest.version, "metrics": dict(manifest.metrics)}, json_output)


# --- small things ---------------------------------------------------------------------------------------------


def _told(row: dict[str, Any]) -> str:
    """One answer of `predict` for a reader: the verdict and the text, under it companies and topics."""
    if "error" in row:
        return f"could not be judged: {row['error']}"

    def words(said: dict[str, Any]) -> str:
        return f"{said['sentiment']} {said['probabilities'][said['sentiment']]:.2f}"

    lines = [f"{words(row):14}  {row['text']}"]
    lines += [f"{'':14}  {name}: {words(said)}" for name, said in row.get("companies", {}).items()]
    if row["topics"]:
        lines.append(f"{'':14}  " + ", ".join(f"{topic} {p:.2f}" for topic, p in row["topics"].items()))
    return "\n".join(lines)


def _told_aside() -> AbstractContextManager[Any]:
    """What a training prints on its way goes to stderr: stdout holds the result, which a program may read."""
    return redirect_stdout(sys.stderr)


def _input(text: str, company: str | None) -> Any:
    from model.verdict import TextInput

    return TextInput(text, [company] if company else [])


def _changes(given: list[str] | None) -> dict[str, str]:
    changes = {}
    for item in given or ():
        name, equals, value = item.partition("=")
        if not equals:
            raise typer.BadParameter(f"--set wants NAME=VALUE, not {item!r}")
        changes[name] = value
    return changes


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _command() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _say(body: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(body, ensure_ascii=False))
        return
    for name, value in body.items():
        if isinstance(value, dict):
            typer.echo(f"{name}:")
            for key, inner in value.items():
                typer.echo(f"  {key:28} {_short(inner)}")
        else:
            typer.echo(f"{name:30} {_short(value)}")


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{k} {_short(v)}" for k, v in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)
