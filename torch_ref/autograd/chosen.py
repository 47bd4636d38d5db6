"""The optimizer of ``torch.optim`` that the settings of a training run name."""

from __future__ import annotations

from manual_bp import Network
from manual_bp.training.command.settings import GRADIENT_DESCENT, RATES, Settings
from manual_bp.training.command.usage import UsageError, nearest
from torch_ref.autograd import optimizer
from torch_ref.autograd.optimizer import TorchOptimizer


def chosen_optimizer(settings: Settings, network: Network) -> tuple[TorchOptimizer, Settings]:
    """Return the optimizer, and the settings with its own rates in the place of those not given; or UsageError."""
    name, names = settings.optimizer, [GRADIENT_DESCENT, *optimizer.names()]
    if name not in names:
        why = optimizer.NOT_FED.get(name)
        hint = f": {why}" if why else nearest(name, names)
        raise UsageError(f"argument --optimizer: expected one of {', '.join(names)}, got {name!r}{hint}")
    own = {key: value for key, value in optimizer.settings_of(name).items() if key in RATES}
    settings = settings.with_rates(own)
    try:
        return TorchOptimizer(name, network.parameters(), **settings.rates()), settings
    except ValueError as error:
        raise UsageError(f"argument --optimizer: {name} refuses its settings: {error}") from error
