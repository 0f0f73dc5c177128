"""docker-compose.yml: valid by the specification, complete, and without a secret that could reach production."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline.platform import airflow
from pipeline.settings import load_settings, unknown_names

SECRETS = {
    "POSTGRES_PASSWORD",
    "FERNET_KEY",
    "JWT_SECRET",
    "API_SECRET_KEY",
    "ADMIN_PASSWORD",
    "UNDERTOW_DESK_SECRET",
}
LONG_RUNNING = {
    "postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "worker", "worker-gpu", "desk", "mail",
}  # fmt: skip


@pytest.fixture(scope="module")
def text(project_root: Path) -> str:
    return (project_root / "docker-compose.yml").read_text()


@pytest.fixture(scope="module")
def compose(text: str) -> Any:
    return yaml.safe_load(text)


def test_it_is_valid_by_the_specification(compose: Any, project_root: Path) -> None:
    schema = json.loads((project_root / "tests/data/compose/compose-spec.json").read_text())
    jsonschema.validate(compose, schema)
    with pytest.raises(jsonschema.ValidationError):  # the schema does see mistakes
        jsonschema.validate({"services": {"desk": {"comand": "x"}}}, schema)


def test_docker_itself_accepts_it(project_root: Path, tmp_path: Path) -> None:
    compose = ["docker", "compose"]
    if not shutil.which("docker") or subprocess.run([*compose, "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    (tmp_path / ".env").write_text("".join(f"{name}=x\n" for name in SECRETS))
    command = [*compose, "--env-file", str(tmp_path / ".env"), "-f", "docker-compose.yml", "config", "-q"]
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_service_that_runs_on_is_watched_and_restarted(compose: Any) -> None:
    services = compose["services"]
    assert set(services) - {"init"} == LONG_RUNNING
    for name in LONG_RUNNING:
        assert services[name]["healthcheck"].get("test"), name
        assert services[name]["restart"] == "unless-stopped", name


def test_images_are_pinned(compose: Any, project_root: Path) -> None:
    images = [service["image"] for service in compose["services"].values()]
    dockerfile = (project_root / "Dockerfile").read_text()
    images += re.findall(r"^FROM (\S+)", dockerfile, re.M) + re.findall(r"--from=(ghcr\S+)", dockerfile)
    for image in images:
        tag = image.rpartition(":")[2]
        assert re.search(r"\d+\.\d+", tag), f"{image} may change under us"


def test_secrets_are_asked_for_and_have_no_default(text: str) -> None:
    used = set(re.findall(r"\$\{([A-Z_]+):\?", text))
    assert used == SECRETS
    assert not re.findall(rf"\$\{{(?:{'|'.join(SECRETS)})(?::?-|}})", text), (
        "a secret with a default, or none needed"
    )
    listed = re.search(r"^#   (POSTGRES_PASSWORD .*)$", text, re.M)
    assert listed
    assert set(listed[1].split()) == SECRETS


def test_lists_are_those_beside_it_and_not_the_ones_in_the_image(compose: Any, project_root: Path) -> None:
    lists = {path.name for path in project_root.glob("*.toml")} - {"pyproject.toml"}
    assert lists == {"alerts.toml", "companies.toml", "feeds.toml"}
    for name, service in compose["services"].items():
        if not service["image"].startswith("undertow:"):
            continue
        mounts = {mount["target"]: mount for mount in service["volumes"] if isinstance(mount, dict)}
        for file in lists:
            mount = mounts[f"/app/{file}"]
            assert (mount["type"], mount["source"], mount["read_only"]) == ("bind", f"./{file}", True), name
            assert mount["bind"]["create_host_path"] is False, "a missing file would become a folder"


def test_only_loopback_is_published(compose: Any) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_the_gpu_worker_serves_the_queue_that_the_dags_use(compose: Any) -> None:
    worker, gpu = compose["services"]["worker"], compose["services"]["worker-gpu"]
    assert "--queues default " in worker["command"][-1]
    assert "--queues gpu " in gpu["command"][-1]
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"
    assert gpu["profiles"] == ["gpu"]


@pytest.mark.parametrize("changes", [{}, {"ingest_shards": 16}, {"ingest_shards": 64, "gpu_slots": 64}])
def test_no_pool_takes_a_worker_from_another(compose: Any, changes: dict[str, int]) -> None:
    settings = load_settings(**changes)
    pools = airflow.slots(settings)
    gpu, worker = (_concurrency(compose["services"][name], changes) for name in ("worker-gpu", "worker"))
    assert gpu == pools["gpu"] + pools["training"]
    assert worker == airflow.parallelism(settings)  # where there is no GPU it runs everything
    given = compose["services"]["scheduler"]["environment"]
    for name in ("PARALLELISM", "MAX_ACTIVE_TASKS_PER_DAG"):
        assert int(given[f"AIRFLOW__CORE__{name}"]) >= airflow.parallelism(settings)


def _concurrency(service: Any, changes: dict[str, int]) -> int:
    """What the worker's shell hands to celery, with these settings in its environment."""
    *shell, script = service["command"]
    assert shell == ["bash", "-euc"]
    assert script.startswith("exec airflow celery worker "), "a stop has to reach the worker itself"
    given = {f"UNDERTOW_{name.upper()}": str(value) for name, value in changes.items()}
    said = subprocess.run(
        [*shell, script.replace("exec airflow", "echo").replace("$$", "$")],
        env=given, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return int(said[said.index("--concurrency") + 1])


def test_every_pool_is_made_as_on_one_machine(compose: Any) -> None:
    made = re.findall(r'airflow pools set (\w+) .*"(.+)"$', compose["services"]["init"]["command"][-1], re.M)
    assert dict(made) == airflow.POOLS


def test_what_reaches_every_container_is_a_setting_or_not_called_like_one(compose: Any, text: str) -> None:
    """Each process refuses to start on an UNDERTOW_ name that is no setting, and .env is handed to all of them."""
    asked = dict.fromkeys(re.findall(r"\$\{(UNDERTOW_\w+)", text), "")
    given = [service.get("environment", {}) for service in compose["services"].values()]
    assert [unknown_names(names) for names in (asked, *given)] == [[]] * (1 + len(given))


def test_no_secret_stands_in_a_command_line(compose: Any) -> None:
    for name, service in compose["services"].items():
        shown = " ".join(service.get("command", []))
        assert not re.search(r"--\S*(password|secret|key)\S*[ =]", shown), (
            f"{name}: `ps` on the host shows it"
        )


def test_postgres_is_healthy_only_once_it_answers_others(compose: Any) -> None:
    """The server of the first start's scripts has no TCP; `init` met it, and nothing starts when `init` fails."""
    assert "-h" in compose["services"]["postgres"]["healthcheck"]["test"]


def test_the_image_lets_its_user_write_where_airflow_writes(project_root: Path) -> None:
    """AIRFLOW_HOME itself gets airflow.cfg and pid files; `install -d -o` gives away only what it names."""
    dockerfile = (project_root / "Dockerfile").read_text()
    owned = re.findall(r"install -d -o undertow (.+)$", dockerfile, re.M)[0].split()
    homes = re.findall(r"(?:AIRFLOW|UNDERTOW)_HOME=(\S+)", dockerfile)
    assert len(homes) == 2
    assert set(homes) <= set(owned)


def test_the_image_leaves_secrets_and_state_behind(project_root: Path) -> None:
    ignored = (project_root / ".dockerignore").read_text().split()
    assert {".env", ".undertow", ".git", ".venv"} <= set(ignored)
