"""The hash in the page: another one where the page would be another, the same on every machine."""

from __future__ import annotations

import copy
import re

import pytest

from torch_ref.lesson.page.build import page
from torch_ref.lesson.page.stamp import stamp

DATA = {
    "x2": {"byHand": {"y_1": 0.6902834929076443}, "network": {"weights": [[0.1, 0.8]]}},
    "digit": {"sizes": [784, 30, 10], "weights": ["AAA="], "digits": [{"label": 7, "pixels": "/w==", "y": [0.1]}]},
    "versions": {"torch": "2.13.0"},
}


def changed(*path: str | int, to: object) -> dict:
    data = inner = copy.deepcopy(DATA)
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return data


def test_the_page_carries_it_once_in_its_head(lesson_data) -> None:
    html = page(lesson_data)
    assert len(re.findall(r'<meta name="made-from" content="[0-9a-f]{64}">', html.partition("</head>")[0])) == 1


@pytest.mark.parametrize(
    "data",
    [
        changed("versions", "torch", to="2.14.0"),
        changed("digit", "weights", to=["BBB="]),
        changed("digit", "digits", 0, "y", to=[0.2]),
        changed("x2", "byHand", "y_1", to=0.6902834929076444),
    ],
)
def test_what_differs_between_machines_does_not_count(data: dict) -> None:
    assert stamp("<p>", data) == stamp("<p>", DATA)


@pytest.mark.parametrize(
    "data",
    [
        changed("digit", "sizes", to=[784, 40, 10]),
        changed("digit", "digits", 0, "label", to=1),
        changed("digit", "digits", 0, "pixels", to="/v=="),
        changed("x2", "byHand", "y_1", to=0.69028349),
        changed("x2", "network", "weights", to=[[0.1, 0.9]]),
    ],
)
def test_every_number_and_picture_counts(data: dict) -> None:
    assert stamp("<p>", data) != stamp("<p>", DATA)


def test_every_sign_of_the_page_counts() -> None:
    assert stamp("<p> ", DATA) != stamp("<p>", DATA)
