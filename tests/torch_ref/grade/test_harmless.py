"""What people have in their files besides formulas, and what a formula may do: nothing of it costs a point."""

from pathlib import Path

import students
from students import changed, write

from torch_ref.grade.grader import grade

AT_THE_TOP = """
import abc, argparse, collections, contextlib, copy, enum, functools, itertools, json, logging, math, operator, os
import random, re, sys, time, typing, unittest, warnings
from pathlib import Path
import numpy as np
from numpy.testing import assert_allclose

torch.manual_seed(0)
np.random.seed(0)
rng = np.random.default_rng(1)
torch.set_printoptions(precision=4)
logging.basicConfig(level=logging.INFO)
log = logging.getLogger(__name__)
HERE = Path(__file__).parent
Pair = collections.namedtuple("Pair", "x y")

class Cache(typing.NamedTuple):
    x: torch.Tensor
    y: torch.Tensor

class Mode(enum.Enum):
    TRAIN = enum.auto()

class Layer(abc.ABC):
    mode = Mode.TRAIN

    @abc.abstractmethod
    def forward(self, x): ...

    def __init_subclass__(cls, **given):
        super().__init_subclass__(**given)

@dataclass
class Settings:
    eps: float = 1e-9
    names: list = None

SETTINGS = Settings()
assert typing.get_type_hints(Settings)["eps"] is float

@functools.lru_cache
def one(dtype):
    return torch.ones((), dtype=dtype)

class TestLayers(unittest.TestCase):
    def test_it(self):
        assert_allclose(Sigmoid().forward(torch.zeros(1))[0].numpy(), 0.5)
"""

SIGMOID = """
class Sigmoid(Layer):
    def forward(self, x):
        print(x, f"{x.sum():.3f}", file=sys.stderr)
        warnings.warn("slow")
        log.info("forward %s", x)
        with torch.no_grad(), contextlib.suppress(KeyError):
            y = one(x.dtype) / (one(x.dtype) + torch.exp(-x))
        assert torch.isfinite(y).all() and os.environ.get("DEBUG") is None
        return y.clone(), copy.deepcopy(Cache(x, y))

    @staticmethod
    def slope(y):
        return torch.einsum("ij,ij->ij", y, 1 - y)

    def backward(self, error, saved):
        weights = [float(e) for row in error for e in row]
        torch.testing.assert_close(error, error), torch.allclose(error, error), repr(saved), str(error.dtype)
        torch.linalg.norm(error), torch.tensor(weights), np.asarray(error), error.tolist(), list(error)
        torch.bmm(error[None], error.T[None]), torch.cat([error, error]), torch.nonzero(error), error.unbind(0)
        torch.special.expit(error), torch.vstack([error]), torch.stack([error]).permute(0, 2, 1).reshape(-1)
        torch.cdist(error, error), torch.tril(error), torch.topk(error, 1), torch.cumsum(error, 0), error.std(0)
        error.new_zeros(3), torch.randn_like(error), torch.randperm(4)
        torch.full_like(error, 2).masked_fill(error > 0, 1)
        buffer = torch.empty_like(error)
        torch.mul(error, 2, out=buffer), buffer.copy_(error)
        buffer.scatter_(0, torch.zeros(1, 1, dtype=torch.long), 1.0)
        random.random(), time.time(), rng.normal(), math.exp(1), re.compile("x"), json.dumps([1])
        return operator.mul(self.slope(saved.y), error), {}
"""


def test_what_people_have_in_their_files_costs_nothing(tmp_path: Path) -> None:
    relu = changed(students.RELU, ("torch.where(x > 0, x, 0.0)", "torch.from_numpy(np.maximum(x.numpy(), 0))"))
    grading = grade(write(tmp_path, students.HEAD + AT_THE_TOP + SIGMOID + relu), seed=3)
    assert {str(m.of): m.remark for m in grading.marks if not m.earned} == {}
