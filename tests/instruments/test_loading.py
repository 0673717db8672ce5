from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from loom.instruments.loading import Declared, NotAPlugin, declared, fitted


def module(**members: Any) -> SimpleNamespace:
    given = {"NAME": "mine", "start": lambda settings: 0, "step": lambda *a: None, **members}
    return SimpleNamespace(**{name: value for name, value in given.items() if value is not ...})


def test_what_is_not_said_has_defaults() -> None:
    plugin, about = declared(module())
    assert about == Declared("mine", "", {}, "path", "", {})
    assert plugin.NAME == "mine"


def test_a_plugin_speaks_for_itself() -> None:
    options = {"alpha": 0.05, "words": ("a", "b"), "on": True}
    said = {"VERSION": "2", "OPTIONS": options, "SCOPE": "log", "ABOUT": "Says\nso."}
    _, about = declared(module(**said, UNITS={"bits": "bits"}))
    assert about == Declared(
        "mine",
        "2",
        {"alpha": 0.05, "words": ["a", "b"], "on": True},
        "log",
        "Says so.",
        {"bits": "bits"},
    )


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"NAME": ""}, "NAME must be one word"),
        ({"NAME": "two words"}, "NAME must be one word"),
        ({"NAME": "sources"}, "NAME must not be sources"),
        ({"NAME": 7}, "NAME must be a text"),
        ({"step": ...}, "it does not define step"),
        ({"start": 3}, "it does not define start"),
        ({"SCOPE": "tree"}, "SCOPE must be"),
        ({"VERSION": 1}, "VERSION must be a text"),
        ({"CHOICE": None}, "CHOICE must be True or False"),
        ({"OPTIONS": []}, "OPTIONS must be a dict"),
        ({"OPTIONS": {"a b": 1}}, "OPTIONS has 'a b' as a name"),
        ({"OPTIONS": {"a": None}}, "the option a must be a number"),
        ({"OPTIONS": {"a": [[1]]}}, "the option a must be a number"),
        ({"OPTIONS": {"a": float("nan")}}, "the option a must be a number"),
    ],
)
def test_what_is_no_plugin_is_said(members: dict[str, Any], why: str) -> None:
    with pytest.raises(NotAPlugin, match=why):
        declared(module(**members))


def test_a_user_s_options_come_over_the_defaults() -> None:
    defaults: dict[str, Any] = {
        "alpha": 0.05,
        "horizon": 512,
        "genre": "prose",
        "on": True,
        "words": ["a"],
    }
    given = {"alpha": 1, "genre": "list", "words": []}
    assert fitted(defaults, given) == {
        "alpha": 1.0,
        "horizon": 512,
        "genre": "list",
        "on": True,
        "words": [],
    }


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"alhpa": 1}, "alhpa is no option of this plugin; it has alpha, horizon, on"),
        ({"alpha": "much"}, "alpha must be a number, like 0.05"),
        ({"alpha": float("inf")}, "alpha must be a finite number"),
        ({"horizon": 1.5}, "horizon must be a whole number, like 512"),
        ({"horizon": True}, "horizon must be a whole number"),
        ({"on": 1}, "on must be true or false, like True"),
    ],
)
def test_an_option_of_another_kind_is_named(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fitted({"alpha": 0.05, "horizon": 512, "on": True}, given)


def test_an_option_where_there_are_none() -> None:
    with pytest.raises(ValueError, match="it has none at all"):
        fitted({}, {"alpha": 1})
