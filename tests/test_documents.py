"""What the documentation says is what the program does."""

import re
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin

from pydantic import BaseModel

from stream.settings import EndpointSettings, Settings

ROOT = Path(__file__).parents[1]


def names(model: type[BaseModel], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if models and get_origin(field.annotation) in (None, Union, UnionType):
            found |= names(models[0], f"{prefix}{name}.")
        elif name != "endpoints":
            found.add(f"{prefix}{name}")
    return found


def test_every_setting_is_documented_and_nothing_else_is():
    text = (ROOT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"^\| `([a-z0-9_.<>]+)` \|", text, re.MULTILINE))
    endpoint = {f"endpoints.<name>.{name}" for name in EndpointSettings.model_fields}
    assert documented == names(Settings) | endpoint


def test_the_documents_of_model_quality_lead_to_each_other_and_the_readme_to_both():
    documents = {"model-quality.md", "model-metrics.md"}
    for document in (ROOT / "docs" / name for name in documents):
        others = documents - {document.name}
        assert others <= set(re.findall(r"\]\(([^)#]+)", document.read_text()))
    assert {f"docs/{name}" for name in documents} <= set(
        re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text())
    )


def test_the_links_between_documents_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"
