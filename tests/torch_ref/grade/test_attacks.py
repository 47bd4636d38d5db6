"""Ways to points without a formula: each is written as somebody would who has read the grader, and gets none.

In most of them the names are put together while the code runs, so that reading the file finds nothing.
"""

from pathlib import Path

import pytest
import students
from students import write

from torch_ref.__main__ import main
from torch_ref.grade.grader import grade
from torch_ref.grade.process import Limits, Students

HERE = str(Path(students.__file__).resolve().parents[3])
"""Where the package lies; a cheat may know."""

# Each is the body of Sigmoid.backward(self, error, saved); `find` is getattr, so that no name stands in the file.
ATTACKS = {
    "import": (
        "Sigmoid is refused: it uses __import__",
        "return __import__('manual' + '_bp').Sigmoid().backward(error, saved)",
    ),
    "importlib": (
        "No module named 'manual_bp'",
        f"find(sys, 'path').insert(0, {HERE!r})\n"
        "return find(modules['importlib'], 'import_' + 'module')('manual_bp').Sigmoid().backward(error, saved)",
    ),
    "a file as a module": (
        "opens no files",
        f"spec = modules['importlib'].util.spec_from_file_location('own', {HERE + '/manual_bp/activation.py'!r})\n"
        "own = modules['importlib'].util.module_from_spec(spec)\n"
        "spec.loader.exec_module(own)\n"
        "return own.Sigmoid().backward(error, saved)",
    ),
    "import of the reference": (
        "No module named 'torch_ref'",
        f"find(sys, 'path').insert(0, {HERE!r})\n"
        "known = find(modules['importlib'], 'import_' + 'module')('torch_ref.known.sigmoid')\n"
        "return known._slope(saved) * error, {}",
    ),
    "sys.modules": ("KeyError: 'manual_bp'", "return modules['manual_bp'].Sigmoid().backward(error, saved)"),
    "subclasses": (
        "StopIteration",
        "every = find(object, '__sub' + 'classes__')()\n"
        "return next(c for c in every if c.__module__ == 'manual_bp.activation')().backward(error, saved)",
    ),
    "gc": (
        "no use for gc.get_objects",
        "return next(o for o in modules['gc'].get_objects() if type(o).__name__ == 'Step').witnesses['δ'].value, {}",
    ),
    "frames": (
        "AttributeError: 'NoneType'",
        "frame = find(sys, '_get' + 'frame')()\n"
        "while 'right' not in find(frame, 'f_' + 'locals'):\n"
        "    frame = find(frame, 'f_' + 'back')\n"
        "return find(frame, 'f_' + 'locals')['right'], {}",
    ),
    "pickle": (
        "Sigmoid is refused: it uses manual_bp.activation",
        "return modules['pickle'].loads(b'cmanual_bp.activation\\nSigmoid\\n.')().backward(error, saved)",
    ),
    "subprocess": (
        "no use for subprocess.Popen",
        f"given = modules['subprocess'].check_output([sys.executable, '-c', 'import manual_bp'], cwd={HERE!r})\n"
        "return torch.tensor(given), {}",
    ),
    "system": ("no use for os.system", "os.system('true')\nreturn saved, {}"),
    "fork": ("no use for os.fork", "os.fork()\nreturn saved, {}"),
    "kernel": (
        "Sigmoid is refused: it uses torch.ops.aten.sigmoid_backward",
        "return find(find(torch, 'ops').aten, 'sigmoid_back' + 'ward')(error, saved), {}",
    ),
    "another kernel": (
        "Sigmoid is refused: it uses torch.ops.aten.silu_backward",
        "return find(find(torch, 'ops').aten, 'silu_back' + 'ward')(error, saved), {}",
    ),
    "overload": (
        "Sigmoid is refused: it uses aten::sigmoid_backward",
        "op = find(torch, '_C')._get_operation_overload('aten::sigmoid_' + 'backward', '')[0]\n"
        "return op(error, saved), {}",
    ),
    "a way round the mode": (
        "Sigmoid is refused: it uses aten::sigmoid_backward",
        "C = find(torch, '_C')\n"
        "op, with_key, _ = C._get_operation_overload('aten::sigmoid_' + 'backward', '')\n"
        "return with_key(find(C, 'DispatchKey').CPU, error, saved), {}",
    ),
    "look-up": (
        "Sigmoid is refused: it uses aten::sigmoid_backward",
        "op = find(torch, '_C')._jit_get_operation('aten::sigmoid_' + 'backward')[0]\nreturn op(error, saved), {}",
    ),
    "decompositions": (
        "Sigmoid is refused: it uses torch._decomp",
        "return find(find(torch, '_decomp').decompositions, 'sigmoid_back' + 'ward')(error, saved), {}",
    ),
    "without the mode": (
        "Sigmoid is refused: it uses autograd",
        "find(torch, '_C')._pop_torch_dispatch_stack()\nreturn saved, {}",
    ),
    "in a thread": (
        "starts no threads",
        "found = []\n"
        "C = find(torch, '_C')\n"
        "work = lambda: found.append(find(C._nn, 'log_sigmoid_back' + 'ward')(error, saved, saved))\n"
        "one = modules['threading'].Thread(target=work)\n"
        "one.start(); one.join()\n"
        "return found[0], {}",
    ),
    "autograd": (
        "Sigmoid is refused: it uses autograd",
        "with torch.inference_mode(False):\n"
        "    x = find(torch.tensor(self.x.tolist(), dtype=error.dtype), 'requires_' + 'grad_')()\n"
        "    (1 / (1 + torch.exp(-x))).backward(torch.tensor(error.tolist(), dtype=error.dtype))\n"
        "    return find(x, 'gr' + 'ad'), {}",
    ),
    "the engine itself": (
        "Sigmoid is refused: it uses autograd",
        "with torch.inference_mode(False), find(torch, 'enable_' + 'grad')():\n"
        "    x = find(torch.tensor(self.x.tolist(), dtype=error.dtype), 'requires_' + 'grad_')()\n"
        "    y = 1 / (1 + torch.exp(-x))\n"
        "    g = torch.tensor(error.tolist(), dtype=error.dtype)\n"
        "    engine = find(torch, '_C')._ImperativeEngine()\n"
        "    return find(engine, 'run_' + 'backward')((y,), (g,), False, False, (x,), False, False)[0], {}",
    ),
    "the engine's class": (
        "Sigmoid is refused: it uses autograd",
        "kind = next(c for c in find(object, '__sub' + 'classes__')() if c.__name__ == '_Engine' + 'Base')\n"
        "with torch.inference_mode(False), find(torch, 'enable_' + 'grad')():\n"
        "    x = find(torch.tensor(self.x.tolist(), dtype=error.dtype), 'requires_' + 'grad_')()\n"
        "    y = 1 / (1 + torch.exp(-x))\n"
        "    g = torch.tensor(error.tolist(), dtype=error.dtype)\n"
        "    return find(kind(), 'run_' + 'backward')((y,), (g,), False, False, (x,), False, False)[0], {}",
    ),
    "torch.func": (
        "Sigmoid is refused: it uses autograd",
        "with torch.inference_mode(False):\n"
        "    x = torch.tensor(self.x.tolist(), dtype=error.dtype)\n"
        "    g = torch.tensor(error.tolist(), dtype=error.dtype)\n"
        "    return find(find(torch, 'func'), 'v' + 'jp')(lambda x: 1 / (1 + torch.exp(-x)), x)[1](g)[0], {}",
    ),
    "forward mode": (
        "Sigmoid is refused: it uses autograd",
        "with torch.inference_mode(False):\n"
        "    x = torch.tensor(self.x.tolist(), dtype=error.dtype)\n"
        "    g = torch.tensor(error.tolist(), dtype=error.dtype)\n"
        "    return find(find(torch, 'func'), 'j' + 'vp')(lambda x: 1 / (1 + torch.exp(-x)), (x,), (g,))[1], {}",
    ),
    "dual numbers": (
        "Sigmoid is refused: it uses autograd",
        "f = find(find(torch, 'auto' + 'grad'), 'forward_ad')\n"
        "with f.dual_level():\n"
        "    dual = f.make_dual(self.x, error)\n"
        "    return f.unpack_dual(1 / (1 + torch.exp(-dual))).tangent, {}",
    ),
    "files of the package": (
        "opens no files",
        f"source = open({HERE + '/manual_bp/activation.py'!r}).read()\nreturn saved, {{}}",
    ),
    "files, past Python's open": (
        "opens no files",
        f"source = os.open({HERE + '/manual_bp/activation.py'!r}, os.O_RDONLY)\nreturn saved, {{}}",
    ),
    "files, from another folder": (
        "no use for os.chdir",
        f"os.chdir({HERE + '/manual_bp'!r})\nsource = open('activation.py').read()\nreturn saved, {{}}",
    ),
    "writing a file": ("opens no files", "open('/tmp/answers', 'w').write(str(saved))\nreturn saved, {}"),
    "code of text": ("makes no code of text", "find(modules['builtins'], 'ex' + 'ec')('y = 1')\nreturn saved, {}"),
    "network": (
        "no use for socket.",
        "modules['socket'].create_connection(('127.0.0.1', 9), 1)\nreturn saved, {}",
    ),
    "ctypes": ("no use for ctypes.dlopen", "modules['ctypes'].CDLL(None)\nreturn saved, {}"),
    "proc": ("opens no files", "source = open('/proc/' + str(os.getppid()) + '/mem', 'rb')\nreturn saved, {}"),
    "environment": ("KeyError: 'ANSWERS'", "return torch.tensor([float(os.environ['ANSWERS'])]), {}"),
    "writing into the pipe": (
        "sent something that is no answer",
        "for fd in range(3, 64):\n"
        "    try: os.write(fd, b'16 of 16 points' * 99)\n"
        "    except OSError: pass\n"
        "os._exit(0)",
    ),
    "a flood into the pipe": (
        "sent something that is no answer",
        "for fd in range(3, 64):\n    try: [os.write(fd, bytes(1 << 20)) for _ in range(16)]\n    except OSError: pass",
    ),
    "a forged message": (
        "gives nothing",
        'text = b\'{"array": null, "failure": null, "earned": true, "points": 1, "narrow": false}\'\n'
        "for fd in range(3, 64):\n"
        "    try: os.write(fd, 20 * (len(text).to_bytes(4) + bytes(4) + text))\n"
        "    except OSError: pass\n"
        "os._exit(0)",
    ),
    "printing a result": ("no known pattern", "print('16 of 16 points')\nreturn saved + 1, {}"),
    "torch.equal": (
        "no known pattern",
        "torch.equal = torch.allclose = lambda *_, **__: True\n"
        "torch.Tensor.__eq__ = lambda *_: torch.tensor(True)\n"
        "return saved + 1, {}",
    ),
    "the worker's own names": (
        "no known pattern",
        "for module in list(modules.values()):\n"
        "    if hasattr(module, 'answer'): module.answer = lambda *_: (error, None)\n"
        "return saved + 1, {}",
    ),
    "atexit": ("no known pattern", "import atexit\natexit.register(lambda: os.write(1, b'16'))\nreturn saved + 1, {}"),
    "exit": ("exit code 0", "os._exit(0)"),
    "signal": ("SIGKILL", "os.kill(os.getpid(), 9)"),
    "a signal for real time": ("SIGRTMIN+", "os.kill(os.getpid(), 35)"),
    "a signal to others": ("ends no other process", "os.kill(os.getppid(), 9)\nreturn saved, {}"),
    "a signal to all": ("no use for os.killpg", "os.killpg(0, 9)\nreturn saved, {}"),
}

PRELUDE = """
import os, sys
find = getattr
modules = find(sys, 'mod' + 'ules')
"""

CHEAT = """
class Sigmoid:
    def forward(self, x):
        self.x = x
        y = 1 / (1 + torch.exp(-x))
        return y, y

    def backward(self, error, saved):
{}
"""


LIMITS = Limits(4.0, 512)


FOR_OTHERS_TOO = {
    "kernel",
    "writing into the pipe",
    "a flood into the pipe",
    "torch.equal",
    "the worker's own names",
    "exit",
    "a signal to all",
}
"""Where the formulas of another class are looked at as well."""


def attack(folder: Path, body: str, more: str = "") -> tuple[dict[str, bool], str]:
    """Return which formulas earn their point with this body of Sigmoid.backward, and why δ does not."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    grading = grade(write(folder, students.HEAD + PRELUDE + CHEAT.format(lines) + more), seed=11, limits=LIMITS)
    (delta,) = (mark for mark in grading.marks if str(mark.of) == "Sigmoid δ")
    return {str(mark.of): mark.earned for mark in grading.marks}, delta.remark


@pytest.mark.long(but=16)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_short_cut_gets_no_point_and_costs_nobody_else_any(tmp_path: Path, name: str) -> None:
    said, body = ATTACKS[name]
    earned, why = attack(tmp_path, body, students.RELU if name in FOR_OTHERS_TOO else "")
    assert not earned.pop("Sigmoid δ")
    earned.pop("Sigmoid x")
    assert said in why
    assert earned == (dict.fromkeys(("ReLU x", "ReLU δ"), True) if name in FOR_OTHERS_TOO else {})


def test_the_same_class_without_a_short_cut_gets_its_points(tmp_path: Path) -> None:
    earned, _ = attack(tmp_path, "return saved * (1 - saved) * error, {}")
    assert all(earned.values())


def test_where_no_process_can_start_the_lecturer_is_told_and_no_file_loses_points(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr("torch_ref.grade.process.START", "raise ImportError('no torch here')")
    monkeypatch.setattr("torch_ref.grade.grader.STUDENTS", Students())
    assert main(["grade", str(write(tmp_path, students.HEAD + students.RELU))]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "the process for students' code does not start: ImportError: no torch here" in err


def test_the_name_of_a_file_opens_nothing(tmp_path: Path) -> None:
    lines = "        find(modules['builtins'], 'ex' + 'ec')('y = 1')\n        return saved * (1 - saved) * error, {}\n"
    path = tmp_path / "<frozen importlib._bootstrap>.py"
    path.write_text(students.HEAD + PRELUDE + CHEAT.format(lines), encoding="utf-8")
    assert next(mark.remark for mark in grade(path, seed=1).marks if not mark.earned).count("makes no code of text")
