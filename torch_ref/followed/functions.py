"""The functions of numpy that are translated; what is missing numpy computes itself, where no fractions come out."""

from __future__ import annotations

from torch_ref.followed.choices import CHOICES
from torch_ref.followed.places import PLACES
from torch_ref.followed.products import PRODUCTS
from torch_ref.followed.statistics import STATISTICS

FUNCTIONS = {**PLACES, **STATISTICS, **PRODUCTS, **CHOICES}
