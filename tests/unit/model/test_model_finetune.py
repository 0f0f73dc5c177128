"""Training for real, on a tiny encoder: every method, the same twice, on after a kill, in Chinese."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from model_rows import make_chinese_rows, make_rows, write_rows
from typer import Typer
from typer.testing import CliRunner

from model.checkpoints import open_work
from model.cli import register
from model.data import Source
from model.encoders import load_model
from model.errors import DataError, LicenceError, TrainingError
from model.example import Example
from model.finetune import finetune, make_trainer, read_split, start_network, thin
from model.inference import Classifier
from model.recipe import change, count_rows, load_recipe, own_texts, rehearsal, retrain_recipe
from model.registry import load_manifest, load_state
from model.training import TrainConfig, layer_count, layer_of, parameter_groups, prepare

AT = "2026-01-31T00:00:00+00:00"


def test_a_trained_model_knows_its_verbs(tiny_model):
    verdicts = Classifier.load(tiny_model, "cpu", "fp32").predict(["acme rises sales", "borel falls sales"])
    assert [v.sentiment.label for v in verdicts] == ["positive", "negative"]
    assert load_manifest(tiny_model).metrics["dev"]["sentiment_f1"] > 0.6


def test_weights_are_stored_in_the_format_they_are_multiplied_in(tiny_model):
    """Scoring in bf16 then rounds none of them."""
    _, state, _ = load_state(tiny_model)
    assert {t.dtype for t in state.values() if t.is_floating_point()} == {torch.bfloat16}


def test_the_same_run_twice_gives_the_same_metrics(tiny_config, tiny_source, tmp_path):
    config = dataclasses.replace(tiny_config, epochs=1)
    runs = [finetune(config, [tiny_source], tmp_path / n, created_at=AT, device="cpu") for n in "ab"]
    assert runs[0].metrics == runs[1].metrics
    assert runs[0].version == runs[1].version


def test_a_killed_run_goes_on_where_it_was(tiny_config, tiny_source, tmp_path):
    whole = finetune(
        tiny_config, [tiny_source], tmp_path / "whole", created_at=AT, device="cpu", work=tmp_path / "w1"
    )
    split = read_split([tiny_source], tiny_config)
    from transformers import set_seed

    set_seed(tiny_config.seed)
    trainer = make_trainer(
        tiny_config, start_network(tiny_config, split.train), split, tmp_path / "w2", "cpu"
    )
    trainer.add_callback(_stop_after_first_epoch())
    trainer.train()
    resumed = finetune(
        tiny_config, [tiny_source], tmp_path / "on", created_at=AT, device="cpu", work=tmp_path / "w2"
    )
    assert resumed.metrics == pytest.approx(whole.metrics, abs=1e-6)


def test_a_checkpoint_cut_by_a_kill_is_passed_over(tiny_config, tiny_source, tmp_path):
    config = dataclasses.replace(tiny_config, epochs=2)
    work = tmp_path / "w"
    whole = finetune(config, [tiny_source], tmp_path / "a", created_at=AT, device="cpu", work=work)
    run = (work / "settings.txt").read_text()
    first, last = sorted(work.glob("checkpoint-*"), key=lambda folder: int(folder.name.split("-")[1]))
    state = last / "trainer_state.json"
    state.write_bytes(state.read_bytes()[:100])
    (work / "checkpoint-9999").mkdir()
    assert open_work(work, run) == str(first)
    again = finetune(config, [tiny_source], tmp_path / "b", created_at=AT, device="cpu", work=work)
    assert again.metrics == pytest.approx(whole.metrics, abs=1e-6)
    assert open_work(work, run) == str(last)


def test_what_a_killed_run_took_counts_to_its_time(tiny_config, tiny_source, tmp_path):
    config, work = dataclasses.replace(tiny_config, epochs=2), tmp_path / "w"
    finetune(config, [tiny_source], tmp_path / "a", created_at=AT, device="cpu", work=work)
    for file in work.glob("checkpoint-*/trainer_state.json"):
        state = json.loads(file.read_text())
        assert 0 < state["stateful_callbacks"]["Clock"]["attributes"]["before"] < 1000
        state["stateful_callbacks"]["Clock"]["attributes"]["before"] = 1000.0
        file.write_text(json.dumps(state))
    again = finetune(config, [tiny_source], tmp_path / "b", created_at=AT, device="cpu", work=work)
    assert 1000 < again.seconds < 2000


def _stop_after_first_epoch():
    from transformers import TrainerCallback

    class Stop(TrainerCallback):
        def on_save(self, args, state, control, **_):
            control.should_training_stop = True

    return Stop()


def test_checkpoints_of_other_data_are_refused(tiny_config, tmp_path):
    """Labels that came in meanwhile would hardly be learnt, and the ledger would say they were."""
    config = dataclasses.replace(tiny_config, epochs=1)
    source = Source("labels", write_rows(tmp_path / "labels.jsonl", make_rows(30)), "internal")
    finetune(config, [source], tmp_path / "m", created_at=AT, device="cpu", work=tmp_path / "w")
    write_rows(tmp_path / "labels.jsonl", make_rows(40))
    with pytest.raises(TrainingError, match="other settings or data"):
        finetune(config, [source], tmp_path / "n", created_at=AT, device="cpu", work=tmp_path / "w")


def test_checkpoints_of_other_settings_are_refused(tiny_config, tiny_source, tmp_path):
    (tmp_path / "settings.txt").write_text("another run")
    with pytest.raises(TrainingError, match="other settings"):
        finetune(tiny_config, [tiny_source], tmp_path / "m", created_at=AT, device="cpu", work=tmp_path)


@pytest.mark.parametrize("method", ["top", "lora", "adalora"])
def test_other_ways_to_train_move_only_what_they_may_and_can_be_loaded(
    method, tiny_config, tiny_source, tmp_path
):
    config = dataclasses.replace(tiny_config, method=method, top_layers=1, lora_rank=4, epochs=1)
    finetune(config, [tiny_source], tmp_path / "m", created_at=AT, device="cpu")
    after = load_model(tmp_path / "m").network.state_dict()
    before = start_network(
        dataclasses.replace(config, method="full"), read_split([tiny_source], config).train
    )
    moved = {k for k, v in before.network.state_dict().items() if not torch.allclose(v, after[k], atol=2e-4)}
    assert any("layer.1" in k for k in moved)
    assert not any("word_embeddings" in k for k in moved)
    if method == "top":
        assert not any("layer.0" in k for k in moved)
    assert not any("lora" in k for k in after)
    assert Classifier.load(tmp_path / "m", "cpu").predict(["acme rises"])


def test_going_on_from_a_champion_keeps_its_lineage_and_learns_masked_labels(
    tiny_model, tiny_config, tmp_path
):
    rows = [{"text": r["text"], "topics": ["energy"]} for r in make_rows(40, seed=9)]
    labels = Source("labels", write_rows(tmp_path / "labels.jsonl", rows), "internal")
    config = dataclasses.replace(tiny_config, start=str(tiny_model), epochs=3)
    result = finetune(config, [labels], tmp_path / "m", created_at=AT, device="cpu")
    manifest = load_manifest(tmp_path / "m")
    assert manifest.parent == load_manifest(tiny_model).version
    assert result.metrics["topics_accuracy"] == 1.0
    assert "sentiment_f1" not in result.metrics


def test_a_head_that_is_not_judged_keeps_the_calibration_it_had(tiny_model, tiny_config, tmp_path):
    """Labels of sentiment alone took the calibration off companies and topics, of which nothing new was known."""
    rows = [{"text": r["text"], "sentiment": r["sentiment"]} for r in make_rows(40, seed=9)]
    labels = Source("labels", write_rows(tmp_path / "labels.jsonl", rows), "internal")
    config = dataclasses.replace(tiny_config, start=str(tiny_model), epochs=1)
    finetune(config, [labels], tmp_path / "m", created_at=AT, device="cpu")
    before, after = load_manifest(tiny_model), load_manifest(tmp_path / "m")
    assert before.temperatures["company"] != 1.0
    for head in ("company", "topics"):
        assert after.temperatures[head] == before.temperatures[head]
        assert after.smoothings[head] == before.smoothings[head]


def test_chinese_is_learnt_end_to_end(tiny_config, tmp_path):
    source = Source("zh", write_rows(tmp_path / "zh.jsonl", make_chinese_rows(60)), "MIT")
    config = dataclasses.replace(tiny_config, languages=("zh",), epochs=12, max_tokens=32)
    finetune(config, [source], tmp_path / "m", created_at=AT, device="cpu")
    classifier = Classifier.load(tmp_path / "m", "cpu")
    assert classifier.languages == ("zh",)
    from model.inference import TextInput

    up, down = classifier.predict(
        [TextInput("腾讯利润上升", ["腾讯"]), TextInput("银行亏损下降大跌", ["银行"])]
    )
    assert up.sentiment.label == "positive"
    assert down.companies["银行"].label == "negative"


def test_a_forbidden_licence_stops_before_anything_is_read(tiny_config, tmp_path):
    with pytest.raises(LicenceError):
        finetune(tiny_config, [Source("x", tmp_path / "none", "CC-BY-NC-4.0")], tmp_path / "m", created_at=AT)


def test_too_little_data_is_said(tiny_config, tmp_path):
    one = Source("one", write_rows(tmp_path / "a.jsonl", make_rows(1)), "MIT")
    with pytest.raises(DataError, match="too few"):
        finetune(tiny_config, [one], tmp_path / "m", created_at=AT)


def test_lower_layers_and_words_move_slower_or_not_at_all(tiny_config, tiny_source):
    config = dataclasses.replace(tiny_config, layer_decay=0.5, head_factor=4.0)
    network = start_network(config, read_split([tiny_source], config).train).network
    prepare(network, config)
    rates = sorted({g["lr"] for g in parameter_groups(network, config)})
    assert rates == pytest.approx([1.25e-3, 2.5e-3, 5e-3, 20e-3])
    assert layer_count(network.encoder) == 2
    assert layer_of("encoder.encoder.layer.1.output.dense.weight") == 1


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ("[config]\nspeed = 3", "speed"),
        ("config = [1]", "holds settings"),
        ('[config]\nbatch = "8"', "setting batch is '8', no int"),
        ("[source]\nname = 1", "holds settings"),
        ('[[source]]\nname = "a"\nlicence = "MIT"', "'path'"),
        ('[[source]]\nname = "a"\npath = "a.jsonl"', "licence"),
        ('[[source]]\nname = "a"\npath = "a.jsonl"\nlicence = "MIT"\nfoo = 1', "foo"),
        (
            '[[source]]\nname = "a"\npath = "a.jsonl"\nlicence = "MIT"\nweight = -1',
            "source a: weight -1 is no",
        ),
        ('[[source]]\nname = "a"\npath = "a.jsonl"\nlicence = "MIT"\nblock = -2', "source a: block -2 is no"),
        ("a = \xe4", "cannot be read"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_sentence(recipe, says, tmp_path):
    (tmp_path / "recipe.toml").write_text(recipe, encoding="latin-1")
    write_rows(tmp_path / "a.jsonl", make_rows(3))
    with pytest.raises((DataError, TrainingError), match=says):
        load_recipe(tmp_path / "recipe.toml", tmp_path)


def test_texts_without_any_label_train_nothing(tiny_config, tmp_path):
    """A column of another name than ours would give a model of chance, which said that it was trained."""
    rows = [{"text": row["text"], "label": row["sentiment"]} for row in make_rows(30)]
    source = Source("s", write_rows(tmp_path / "a.jsonl", rows), "MIT")
    with pytest.raises(DataError, match=r"none of 30 examples has a label; .* `columns`"):
        finetune(tiny_config, [source], tmp_path / "m", created_at=AT, device="cpu")


def test_a_recipe_says_which_model_it_goes_on_from(tmp_path):
    source = '[[source]]\nname = "a"\npath = "a.jsonl"\nlicence = "MIT"\n'
    (tmp_path / "recipe.toml").write_text(f'[config]\nstart = "runs/adapted"\n{source}')
    write_rows(tmp_path / "a.jsonl", make_rows(3))
    for start, changes, meant in (
        (None, {}, "runs/adapted"),
        (None, {"start": "b"}, "b"),
        (Path("c"), {}, "c"),
    ):
        config, _ = retrain_recipe(tmp_path / "recipe.toml", tmp_path, None, False, start, changes)
        assert config.start == meant


def test_what_a_program_reads_is_json_alone(tiny_base, tiny_source, tmp_path):
    """The Trainer prints its losses; `--json | jq` broke on them."""
    import optuna  # noqa: F401 - its log goes where stderr led when it was imported, which ends with the runner

    root = Typer()
    register(root)
    where = ["--device", "cpu", "--set", f"base={tiny_base}", "--set", "tracking=", "--set", "epochs=1"]
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'[[source]]\nname = "a"\npath = "{tiny_source.path}"\nlicence = "MIT"\n')
    with_recipe = ["--recipe", str(recipe), *where]
    for command in (
        ["finetune", "--out", str(tmp_path / "a"), *with_recipe],
        ["pretrain", "--out", str(tmp_path / "b"), "--texts", str(tiny_source.path), *where],
        ["search", "--work", str(tmp_path / "c"), "--trials", "1", *with_recipe],
    ):
        done = CliRunner().invoke(root, [*command, "--json"], catch_exceptions=False)
        assert json.loads(done.stdout)
        assert "train_runtime" in done.stderr


def test_bad_settings_are_refused():
    with pytest.raises(TrainingError, match="method"):
        TrainConfig(method="magic")
    with pytest.raises(TrainingError, match="no setting 'speed'"):
        change(TrainConfig(), {"speed": "9"})
    with pytest.raises(TrainingError, match="no int"):
        change(TrainConfig(), {"batch": "many"})
    assert change(TrainConfig(epochs=4), {"epochs": "1.5"}).epochs == 1.5
    changed = change(TrainConfig(), {"epochs": "2", "freeze_words": "false", "tracking": "wandb,mlflow"})
    assert (changed.epochs, changed.freeze_words, changed.tracking) == (2.0, False, ("wandb", "mlflow"))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        *(
            (name, "0", "less than 1")
            for name in ("batch", "accumulate", "lora_rank", "evaluations", "patience")
        ),
        *((name, "-1", "less than 0") for name in ("top_layers", "seed", "weight_decay", "wide_share")),
        *((name, "0", "not above 0") for name in ("epochs", "learning_rate", "head_factor", "layer_decay")),
        *((name, "1.5", "no share") for name in ("smoothing", "warmup", "swap_names", "attention_dropout")),
        *((name, "nan", "no number") for name in ("learning_rate", "epochs", "smoothing")),
        ("max_tokens", "1", "less than 8"),
        ("precision", "int8", "none of auto, bf16, fp16, fp32"),
        ("use", "fun", "none of commercial, research"),
        ("tracking", "nosuch", "tensorboard, wandb or mlflow"),
    ],
)
def test_a_setting_that_nothing_can_be_trained_with_is_refused_before_the_training(name, text, says):
    """Such ones ended in a traceback, or in a model that had learnt nothing (a rate of nan)."""
    with pytest.raises(TrainingError, match=f"setting {name} is .*{says}"):
        change(TrainConfig(), {name: text})


def test_texts_longer_than_the_encoder_reads_are_cut_in_training_too(tiny_config, tmp_path):
    rows = [row | {"text": f"{row['text']} " + "profit loss " * 60} for row in make_rows(30)]
    source = Source("long", write_rows(tmp_path / "long.jsonl", rows), "MIT")
    config = dataclasses.replace(tiny_config, epochs=1, max_tokens=500)
    assert finetune(config, [source], tmp_path / "m", created_at=AT, device="cpu").version


def test_a_retrain_replays_our_own_texts(tmp_path, tiny_model):
    labels = write_rows(tmp_path / "labels.jsonl", make_rows(3))
    config, sources = retrain_recipe(None, tmp_path, labels, True, tiny_model)
    assert config.start == str(tiny_model)
    assert {s.name for s in sources} == {"labels", "own"}
    assert len(own_texts()) >= 5
    written = sum(count_rows(s.path) for s in own_texts())
    replayed = {n: rehearsal(n)[0].weight * written for n in (3, 1000, 10 * written)}
    assert list(replayed.values()) == [pytest.approx(600), pytest.approx(1000), pytest.approx(written)]


def test_what_is_rehearsed_in_part_is_judged_on_in_part():
    dev = [Example(f"label {n}", "neutral") for n in range(40)]
    dev += [Example(f"own {n}", "neutral", weight=0.15) for n in range(400)]
    kept = thin(dev, seed=1)
    assert kept[:40] == dev[:40]
    assert 30 < len(kept) - 40 < 90
    assert thin(dev, seed=1) == kept


def test_two_processes_train_one_model(tiny_base, tiny_source, tmp_path):
    """As `torchrun` or `accelerate launch` start one per GPU; here two on the CPU, over loopback."""
    import os
    import subprocess
    import sys

    script = tmp_path / "run.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from model.data import Source\n"
        "from model.finetune import finetune\n"
        "from model.training import TrainConfig\n"
        "base, data, out = sys.argv[1:]\n"
        "config = TrainConfig(base=base, epochs=1, batch=8, dev_share=0.2, precision='fp32', tracking=())\n"
        "source = Source('made', Path(data), 'MIT')\n"
        "result = finetune(config, [source], Path(out), created_at='2026-01-31', device='cpu', work=Path(out + '.work'))\n"
        "print('VERSION', result.version)\n"
    )
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    arguments = [str(script), str(tiny_base), str(tiny_source.path), str(tmp_path / "m")]
    done = subprocess.run([*launch, *arguments], env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    versions = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("VERSION")}
    assert len(versions) == 1
    assert done.stdout.count("VERSION") == 2
    assert Classifier.load(tmp_path / "m", "cpu").predict(["acme rises"])
