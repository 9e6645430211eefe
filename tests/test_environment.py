"""pyproject.toml, environment.yml, constraints.txt and what is installed agree with one another."""

import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))

INSTALLED = ("run", "site", "live", "test")
"""The groups that the README's test command installs."""

# Packages that conda-forge knows under another name.
PYPI_NAMES = {"matplotlib-base": "matplotlib", "python-fastjsonschema": "fastjsonschema"}


def wanted(project: dict, *, lab: bool = True) -> dict[str, Requirement]:
    """Every requirement of pyproject.toml by name, with or without the notebook editor."""
    groups = project["dependency-groups"]
    texts = [
        *project["project"]["dependencies"],
        *(text for name in INSTALLED for text in groups.get(name, [])),
    ]
    return by_name(texts + (groups["lab"] if lab else []))


def by_name(texts: list[str]) -> dict[str, Requirement]:
    requirements = [Requirement(text) for text in texts]
    return {canonicalize_name(r.name): r for r in requirements}


def offered(environment: dict) -> dict[str, Requirement]:
    """The requirements of environment.yml by their PyPI name, but for Python, pip and the project."""
    entries = environment["dependencies"]
    conda = [text for text in entries if isinstance(text, str)]
    pip = [text for entry in entries if isinstance(entry, dict) for text in entry["pip"] if text != "-e ."]
    found = by_name(conda + pip)
    return {PYPI_NAMES.get(name, name): r for name, r in found.items() if name not in ("python", "pip")}


def pins(constraints: str) -> list[tuple[Requirement, list[str]]]:
    """Each requirement of constraints.txt with its hashes."""
    joined = re.sub(r"\\\n\s*", "", constraints)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(Requirement(line.split("--hash=")[0]), line.split("--hash=")[1:]) for line in lines]


def applicable(constraints: str) -> dict[str, str]:
    """The version that constraints.txt sets for this interpreter and platform, by name."""
    here = [r for r, _ in pins(constraints) if r.marker is None or r.marker.evaluate()]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in here}


def environment_problems(project: dict, environment: dict) -> list[str]:
    """Differences between pyproject.toml and environment.yml."""
    left, right = wanted(project), offered(environment)
    missing = [f"environment.yml lacks {name}" for name in left.keys() - right.keys()]
    unknown = [f"environment.yml has {name}, pyproject.toml has not" for name in right.keys() - left.keys()]
    bounds = [
        f"{name}: {left[name].specifier} in pyproject.toml, {right[name].specifier} in environment.yml"
        for name in left.keys() & right.keys()
        if left[name].specifier != right[name].specifier
    ]
    return sorted(missing + unknown + bounds)


def constraint_problems(project: dict, constraints: str) -> list[str]:
    """Requirements that constraints.txt does not pin, and pins outside their range."""
    pinned = applicable(constraints)
    requirements = wanted(project)
    missing = [f"constraints.txt lacks {name}" for name in requirements if name not in pinned]
    outside = [
        f"constraints.txt pins {name} {pinned[name]}, pyproject.toml wants {requirement.specifier}"
        for name, requirement in requirements.items()
        if name in pinned and not requirement.specifier.contains(pinned[name], prereleases=True)
    ]
    return sorted(missing + outside)


def installed_problems(installed: dict[str, str], constraints: str, needed: set[str]) -> list[str]:
    """What is needed and absent, or installed at another version than the pinned one."""
    pinned = applicable(constraints)
    absent = [f"{name} is not installed" for name in needed - installed.keys()]
    other = [
        f"{name} {installed[name]} is installed, constraints.txt pins {version}"
        for name, version in pinned.items()
        if name in installed and installed[name] != version
    ]
    return sorted(absent + other)


def installed_versions() -> dict[str, str]:
    return {canonicalize_name(d.name): d.version for d in importlib.metadata.distributions()}


def test_environment_agrees_with_pyproject() -> None:
    assert environment_problems(PROJECT, ENVIRONMENT) == []


def test_python_range_is_the_same() -> None:
    entries = [text for text in ENVIRONMENT["dependencies"] if isinstance(text, str)]
    python = by_name(entries)["python"].specifier
    assert python == Requirement("python" + PROJECT["project"]["requires-python"]).specifier


def test_environment_installs_the_package_itself() -> None:
    assert "-e ." in ENVIRONMENT["dependencies"][-1]["pip"]


def test_constraints_agree_with_pyproject() -> None:
    assert constraint_problems(PROJECT, CONSTRAINTS) == []


def test_every_constraint_is_exact_and_hashed() -> None:
    loose = [
        str(requirement)
        for requirement, hashes in pins(CONSTRAINTS)
        if not re.fullmatch(r"==[^*,]+", str(requirement.specifier))
        or not hashes
        or not all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", text) for text in hashes)
    ]
    assert loose == []


def test_constraints_hold_no_address() -> None:
    assert re.findall(r".*(?:://|--(?:extra-)?index-url|--find-links| @ ).*", CONSTRAINTS) == []


@pytest.mark.skipif(
    (Path(sys.prefix) / "conda-meta").is_dir(),
    reason="conda resolves the ranges by itself, without constraints.txt",
)
def test_installed_versions_are_the_pinned_ones() -> None:
    needed = set(wanted(PROJECT, lab=False))
    assert installed_problems(installed_versions(), CONSTRAINTS, needed) == []


def test_installed_versions_are_in_range() -> None:
    installed = installed_versions()
    outside = [
        f"{requirement} wanted, {installed.get(name)} installed"
        for name, requirement in wanted(PROJECT, lab=False).items()
        if not requirement.specifier.contains(installed.get(name, "0"), prereleases=True)
    ]
    assert outside == []


def test_uv_reads_the_pins_that_pip_reads() -> None:
    """An index may show a package days after its upload: a moment alone does not freeze a resolution."""
    block = [str(Requirement(text)) for text in PROJECT["tool"]["uv"]["constraint-dependencies"]]
    assert block == [str(requirement) for requirement, _ in pins(CONSTRAINTS)]


def test_renewal_command_is_the_documented_one() -> None:
    command = CONSTRAINTS.splitlines()[1].lstrip("# ")
    assert f'EXPORT = "{command}"' in (ROOT / ".ci" / "renew").read_text(encoding="utf-8")
    assert ".ci/renew" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_citation_names_the_same_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = PROJECT["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


# The checks themselves: each finds what it is there for.
SMALL = {
    "project": {"dependencies": ["numpy>=2.4"]},
    "dependency-groups": {"run": ["tqdm>=4"], "lab": [], "test": ["pytest>=9"]},
}
PINNED = "numpy==2.4.1 --hash=sha256:aa\ntqdm==4.1\npytest==9.2 ; python_version >= '3'\n"
PINNED += "pytest==1.0 ; python_version < '3'\n"


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["python>=3", "numpy>=2.4", "tqdm>=4", {"pip": ["pytest>=9", "-e ."]}], []),
        (["numpy>=2.4", "tqdm>=4"], ["environment.yml lacks pytest"]),
        (["numpy>=2.4", "tqdm>=4", "pytest>=9", "six"], ["environment.yml has six, pyproject.toml has not"]),
        (
            ["numpy>=2.3", "tqdm>=4", "pytest>=9"],
            ["numpy: >=2.4 in pyproject.toml, >=2.3 in environment.yml"],
        ),
    ],
)
def test_differences_of_the_environment_are_found(entries: list, expected: list[str]) -> None:
    assert environment_problems(SMALL, {"dependencies": entries}) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("tqdm==4.1\n", "", ["constraints.txt lacks tqdm"]),
        ("2.4.1", "2.3.9", ["constraints.txt pins numpy 2.3.9, pyproject.toml wants >=2.4"]),
    ],
)
def test_differences_of_the_constraints_are_found(old: str, new: str, expected: list[str]) -> None:
    assert constraint_problems(SMALL, PINNED.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"numpy": "2.4.1", "tqdm": "4.1", "pytest": "9.2"}, []),
        ({"numpy": "2.4.1", "tqdm": "4.1"}, ["pytest is not installed"]),
        (
            {"numpy": "2.4.2", "tqdm": "4.1", "pytest": "9.2"},
            ["numpy 2.4.2 is installed, constraints.txt pins 2.4.1"],
        ),
    ],
)
def test_differences_of_what_is_installed_are_found(installed: dict[str, str], expected: list[str]) -> None:
    assert installed_problems(installed, PINNED, {"numpy", "tqdm", "pytest"}) == expected


def test_what_continuous_integration_takes_from_elsewhere_is_pinned() -> None:
    """Actions by the hash of a commit, with their version beside it; what is installed by hand by its version."""
    workflows = [path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    uses = [
        line.split("uses:")[1].strip() for text in workflows for line in text.splitlines() if "uses:" in line
    ]
    assert uses and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in uses)
    assert re.fullmatch(r"uv==\d+\.\d+\.\d+", (ROOT / ".ci" / "tools.txt").read_text().splitlines()[-1])
    assert "export PIP_CONSTRAINT=$PWD/.ci/tools.txt" in script
    by_hand = [
        line for text in workflows for line in text.splitlines() if re.search(r"pip install .*\buv\b", line)
    ]
    assert all("--constraint .ci/tools.txt" in line for line in by_hand)
    assert re.findall(r"axe-core@(\S+)", script) == ["4.14.1"]
