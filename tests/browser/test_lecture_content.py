"""What the lecture has beside its formulas: its examples to open, its pictures, its questions, worked through live."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
import torch
from one_weight import loss_at, walk_of_one_weight

from manual_bp import GradientDescent, lecture
from torch_ref.lesson.walk.quantities import pass_by_hand, scalars

CHAPTERS = (
    *("three-steps", "unit", "function-set", "goodness", "gradient-descent", "chain-rule", "backward-pass"),
    "implementation",
)
X, T = (torch.tensor([row], dtype=torch.float64) for row in (lecture.X2_INPUT, lecture.X2_TARGET))
X1_TARGET = torch.zeros(1, 2, dtype=torch.float64)


def numbers_in(text: str) -> list[float]:
    """Return the numbers of a sentence."""
    return [float(found.replace("−", "-")) for found in re.findall(r"−?\d+(?:\.\d+)?(?:e−?\d+)?", text)]


def texts_of(page, selector: str) -> list[str]:
    """Return the texts of all that match, as they stand in the page."""
    return page.locator(selector).evaluate_all("all => all.map(one => one.textContent.trim())")


def x2_numbers(target: float = 0.5) -> dict[str, float]:
    return scalars(pass_by_hand(lecture.x2_network(), X, torch.full_like(T, target), lecture.X2_LEARNING_RATE))


def x1_numbers(network, x: tuple[float, float]) -> dict[str, float]:
    return scalars(pass_by_hand(network, torch.tensor([x], dtype=torch.float64), X1_TARGET, 1.0))


def test_every_chapter_has_a_figure_that_answers(page) -> None:
    for chapter in CHAPTERS:
        figure = page.locator(f"#{chapter} figure:has(input)").first
        before = figure.inner_html()
        if figure.locator("input").first.get_attribute("type") == "radio":
            figure.locator("input").nth(1).check()
        else:
            figure.locator("input").first.focus()
            page.keyboard.press("ArrowLeft")
            page.keyboard.press("End")
        assert figure.inner_html() != before, chapter


@pytest.mark.parametrize("width", [360, 1280])
def test_no_text_of_a_drawing_is_cut(open_page, width: int) -> None:
    cut = """all => all.flatMap(svg => {
        const { x, y, width, height } = svg.viewBox.baseVal;
        return [...svg.querySelectorAll("text")].filter(text => text.textContent.trim()).filter(text => {
            const box = text.getBBox();
            const [right, bottom] = [box.x + box.width, box.y + box.height];
            return box.x < x - 1 || right > x + width + 1 || box.y < y - 1 || bottom > y + height + 1;
        }).map(text => text.textContent);
    })"""
    assert open_page(width).locator("svg.diagram, svg.plot").evaluate_all(cut) == []


X1_OPENED = (
    ("Open X1 in the network", [1, -1], ("0.617705", "0.829124")),
    ("Open X1 with the input (0, 0)", [0, 0], ("0.511847", "0.854384")),
)


def test_x1_opens_in_the_network(page) -> None:
    state = page.locator("#bench-state")
    for name, x, outputs in X1_OPENED:
        page.get_by_role("button", name=name).click()
        assert page.evaluate("lesson.view().network.x") == x
        assert page.locator("#bench").evaluate("one => Math.abs(one.getBoundingClientRect().top)") < 20, name
        assert state.inner_text().startswith("The lecture’s example X1 (the target is ours): 2-2-2-2, sigmoid"), name
        page.click("#tab-table")
        table = page.inner_text("#numbers")
        assert all(output in table for output in outputs), name
    page.click("#settings summary")
    page.locator("[data-at='weights.0.0.0']").fill("1.5")
    assert state.inner_text().startswith("Your own numbers")


def test_paper_has_no_buttons_for_x1(page) -> None:
    page.emulate_media(media="print")
    assert not page.locator(".open-x1").first.is_visible()


def test_the_settings_have_x1_too(page) -> None:
    page.click("#settings summary")
    button = page.locator("#settings").get_by_role("button", name="The lecture’s X1")
    button.click()
    assert page.evaluate("lesson.view().network.weights[0]") == [[1, -2], [-1, 1]]
    assert button.is_disabled()
    page.locator("#settings [data-do=lecture]").click()
    assert page.evaluate("lesson.view().network.weights[0]") == lecture.X2_W1
    assert button.is_enabled()


# ------------------------------------------------------------------------------------------------------- three steps


def test_the_three_steps_are_lit_one_after_the_other(page) -> None:
    for k, words in enumerate(("Define a set of functions.", "Say how good a function is.", "Pick the best function.")):
        page.locator("#three-steps input[type=radio]").nth(k).check()
        lit = page.locator("#three-steps li.lit")
        assert lit.count() == 1
        assert lit.inner_text().startswith(words)


def test_the_functions_of_the_three_steps_have_manual_bp_s_losses(page) -> None:
    weights = (-2.7, -1.8, -0.9, 0.0, 0.9, 1.8, 2.7)
    assert page.locator("#three-steps .series").count() == len(weights)
    page.locator("#three-steps input[type=radio]").nth(1).check()
    labels = [text for text in texts_of(page, "#three-steps .marker-label") if text.startswith("L")]
    assert [numbers_in(text)[0] for text in labels] == pytest.approx(list(map(loss_at, weights)), abs=6e-7)
    page.locator("#three-steps input[type=radio]").nth(2).check()
    walk = walk_of_one_weight(20, 20)
    sentence = page.locator("#three-steps .readout").inner_text()
    found = re.findall(r"W²₁₂ = ([−\d.]+) with L = ([\d.]+) to ([−\d.]+)", sentence)[0]
    assert [numbers_in(text)[0] for text in found] == pytest.approx([*walk[0], walk[-1][0]], abs=6e-7)


# ------------------------------------------------------------------------------------------------------ function set


def test_the_layers_of_x1_are_written_out(page) -> None:
    for x in lecture.X1_INPUTS:
        assert_layers_written_out(page, x)


def assert_layers_written_out(page, x: tuple[float, float]) -> None:
    page.get_by_role("radio", name=f"({x[0]:g}, {x[1]:g})".replace("-", "−")).check()
    numbers = x1_numbers(lecture.x1_network(), x)
    for l, side in enumerate(page.locator("[data-figure=matrices] .side").all(), 1):
        columns = side.locator("mtable").evaluate_all(
            "all => all.map(one => [...one.querySelectorAll('mtd')].map(entry => entry.textContent))"
        )
        weights, below, bias, sums, net, out = columns
        outputs = [f"x^{l}_{i}" if l < 3 else f"y_{i}" for i in (1, 2)]
        assert [numbers_in(entry)[0] for entry in net] == [round(numbers[f"net^{l}_{i}"], 2) for i in (1, 2)]
        assert [numbers_in(entry)[0] for entry in out] == [round(numbers[name], 2) for name in outputs]
        for i in (0, 1):
            terms = [float(term.strip("()")) for term in re.split(r"[·+]", sums[i].replace("−", "-").replace("⋅", "·"))]
            given = [weights[2 * i], below[0], weights[2 * i + 1], below[1], bias[i]]
            assert terms == [numbers_in(entry)[0] for entry in given]


def test_another_theta_is_another_function(page) -> None:
    network = lecture.x1_network()
    for name, parameter, weight in (("W¹₁₁", "0.weight", -2.0), ("W³₁₁", "4.weight", 6.0)):
        page.locator("#function-set").get_by_role("slider", name=name).fill(str(weight))
        network.parameters()[parameter][0, 0] = weight
        found = numbers_in(page.locator("#function-set .readout").inner_text())
        numbers = x1_numbers(network, (1.0, -1.0))
        assert found == pytest.approx([1, -1, numbers["y_1"], numbers["y_2"]], abs=6e-7)
    shades = page.locator("#function-set .shade").evaluate_all("all => all.map(one => Number(one.style.fillOpacity))")
    assert len(shades) == 24 * 24
    for column, row in ((0, 0), (23, 0), (12, 12), (5, 20)):
        centre = (-3 + 0.25 * (column + 0.5), -3 + 0.25 * (row + 0.5))
        assert shades[24 * row + column] == pytest.approx(x1_numbers(network, centre)["y_1"], abs=0.02)


def test_why_matrices_and_what_the_output_layer_is(page) -> None:
    text = page.locator("#function-set").inner_text()
    assert "Using parallel computing techniques to speed up matrix operation." in text.replace("\n", " ")
    name = page.locator("[data-figure=classifier] svg").get_attribute("aria-label")
    assert "feature extractor" in name
    assert "classifier with a softmax" in name


def test_the_drawn_digit_is_a_2_with_ten_confidences(page) -> None:
    figure = page.locator("[data-figure=ink]")
    assert figure.locator(".pixel").count() == 256
    assert 40 < figure.locator(".inked").count() < 120
    texts = texts_of(page, "[data-figure=ink] svg text")
    first = texts.index("y₁: a 1")
    confidences = {texts[k]: float(texts[k + 1]) for k in range(first, first + 20, 2)}
    assert [name.split()[-1] for name in confidences] == list("1234567890")
    assert max(confidences, key=confidences.get) == "y₂: a 2"
    assert sum(confidences.values()) == pytest.approx(1)
    assert "illustration" in figure.inner_text()
    assert figure.get_by_role("link", name="A real digit").get_attribute("href") == "#digit"


def test_the_lecture_s_questions_have_answers(page) -> None:
    answers = dict(
        zip(texts_of(page, "#function-set dt"), texts_of(page, "#function-set dd"), strict=True),
    )
    assert "trial and error, and intuition" in answers["How many layers, and how many units in each?"]
    assert "architecture search" in answers["Can the structure be found automatically?"]
    assert "convolution" in answers["Can we design the structure?"]


# -------------------------------------------------------------------------------------------------- gradient descent


def path_by_hand(lr: float, updates: int) -> list[tuple[list[float], list[float], float]]:
    """Return both weights of the output unit, their step and the loss: only they move."""
    network, path = lecture.x2_network(), []
    weight = network.parameters()["2.weight"]
    for _ in range(updates + 1):
        trace = network.forward(X)
        loss = network.loss(trace, T).item()
        step = -lr * network.backward(trace)["2.weight"][0]
        path.append((weight[0].tolist(), step.tolist(), loss))
        weight[0] += step
    return path


def test_the_path_from_theta_to_theta_is_manual_bp_s(page) -> None:
    for key, lr in (("Home", 1), ("End", 60)):
        assert_path_is_manual_bp_s(page, key, lr)


def assert_path_is_manual_bp_s(page, key: str, lr: float) -> None:
    chapter = page.locator("#gradient-descent")
    chapter.get_by_role("slider", name="η of the path").focus()
    page.keyboard.press(key)
    chapter.get_by_role("slider", name="number of updates").fill("12")
    path = path_by_hand(lr, 12)
    theta, step, loss = path[-1]
    found = numbers_in(page.locator("[data-figure=path] .readout").inner_text().split("(W²₁₁, W²₁₂)" + " = ")[-1])
    assert found == pytest.approx([*theta, loss, *step], rel=1e-3, abs=6e-7)
    drawn = drawn_in_the_plot(page, "[data-figure=path] .series polyline", "points")[0]
    assert len(drawn) == 13
    for place, (theta, _, _) in zip(drawn, path, strict=True):
        assert place == pytest.approx(theta, abs=0.002)


def test_the_path_has_an_arrow_for_every_step_and_crosses_the_lines_at_a_right_angle(page) -> None:
    assert page.locator("[data-figure=path] .arrow-head").count() == 3 - 1  # the third step is shorter than its head
    assert texts_of(page, "[data-figure=path] .marker .marker-label") == ["θ⁰", "θ¹", "θ²", "θ³"]
    places = drawn_in_the_plot(page, "[data-figure=path] .series polyline", "points")[0]
    line = drawn_in_the_plot(page, "[data-figure=path] .contour", "d")[0]
    (x1, y1), (x2, y2) = line[:2]
    for (a, b), (c, d) in pairwise(places):
        steps = torch.tensor([c - a, d - b]), torch.tensor([x2 - x1, y2 - y1])
        assert torch.cosine_similarity(*steps, dim=0).abs() < 0.02


def test_the_loss_is_the_same_along_a_contour_line(page) -> None:
    losses = [0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05]
    network = lecture.x2_network()
    for loss, line in zip(losses, drawn_in_the_plot(page, "[data-figure=path] .contour", "d"), strict=True):
        for place in line:
            network.parameters()["2.weight"][0] = torch.tensor(place, dtype=torch.float64)
            assert network.loss(network.forward(X), T).item() == pytest.approx(loss, rel=0.03, abs=3e-5)


def drawn_in_the_plot(page, selector: str, attribute: str) -> list[list[list[float]]]:
    """Return for each line of a plot its places, as the axes' ticks say."""
    ticks = page.locator(selector).first.evaluate(
        """one => ["x", "y"].map(axis => [...one.closest("svg.plot").querySelectorAll(`.ticks-${axis} g`)]
            .map(({ dataset }) => [Number(dataset.at), Number(dataset.value)]))"""
    )
    lines = page.locator(selector).evaluate_all(f"all => all.map(one => one.getAttribute('{attribute}'))")

    def value(axis: int, at: float) -> float:
        (at1, value1), *_, (at2, value2) = ticks[axis]
        return value1 + (at - at1) / (at2 - at1) * (value2 - value1)

    places = [[float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", line)] for line in lines]
    return [[[value(0, x), value(1, y)] for x, y in zip(line[::2], line[1::2], strict=True)] for line in places]


# ----------------------------------------------------------------------------------------------------- backward pass


def test_the_errors_flow_back_for_another_target(page) -> None:
    for target in (0.0, 0.9):
        assert_errors_flow_back(page, target)


def assert_errors_flow_back(page, target: float) -> None:
    page.locator("#backward-pass").get_by_role("slider", name="target t₁").fill(str(target))
    numbers = x2_numbers(target)
    drawn = " ".join(texts_of(page, "#backward-pass svg text"))
    for name in ("e^2_1", "δ^2_1", "e^1_1", "e^1_2", "δ^1_1", "δ^1_2"):
        assert f"{numbers[name]:.6f}".replace("-", "−") in drawn, name
    found = numbers_in(page.locator("#backward-pass .readout").inner_text())
    expected = [target, *(numbers[name] for name in ("L", "δ^2_1", "δ^1_1", "δ^1_2"))]
    assert found == pytest.approx(expected, abs=6e-7)


# ---------------------------------------------------------------------------------------------------- implementation


def test_both_passes_stand_side_by_side_with_their_formulas(open_page) -> None:
    page = open_page(1024)
    sides = {
        name: page.locator(f".passes [data-phase={name}]") for name in ("forward", "backward", "gradients", "update")
    }
    chips = {name: side.locator(".eq").all_text_contents() for name, side in sides.items()}
    assert chips == {"forward": ["E1", "E2"], "backward": ["E13", "E14"], "gradients": ["E12"], "update": ["E9"]}
    chapters = page.locator("section.chapter:not(#digit) .equation")
    for equation in [chip for of_side in chips.values() for chip in of_side]:
        first, again = chapters.filter(has=page.get_by_text(equation, exact=True)).all_text_contents()
        assert first == again
        assert len(first) > 8
    forward, backward = (sides[name].bounding_box() for name in ("forward", "backward"))
    assert forward["x"] + forward["width"] <= backward["x"]
    assert forward["y"] == pytest.approx(backward["y"], abs=2)


def test_both_passes_fit_a_telephone(open_page) -> None:
    page = open_page(360)
    for side in page.locator(".passes .side").all():
        assert side.evaluate("one => one.scrollWidth <= one.clientWidth")
        assert side.bounding_box()["x"] + side.bounding_box()["width"] <= 360


def test_the_numbers_of_both_passes_after_some_updates(page) -> None:
    for updates in (1, 200, 0):
        assert_both_passes_right(page, updates)


def assert_both_passes_right(page, updates: int) -> None:
    page.get_by_role("slider", name="just repeat: updates made").fill(str(updates))
    network = lecture.x2_network()
    for _ in range(updates):
        trace = network.forward(X)
        network.loss(trace, T)
        GradientDescent(network, lr=lecture.X2_LEARNING_RATE).update(network.backward(trace))
    numbers = scalars(pass_by_hand(network, X, T, lecture.X2_LEARNING_RATE))
    forward, backward = (" ".join(texts_of(page, f"[data-pass={name}] span")) for name in ("forward", "backward"))
    for text, names in (
        (forward, ("net^1_1", "net^1_2", "x^1_1", "x^1_2", "net^2_1", "y_1")),
        (backward, ("e^2_1", "δ^2_1", "e^1_1", "e^1_2", "δ^1_1", "δ^1_2")),
    ):
        found = numbers_in(re.sub(r"[a-zδ]+[¹²]? =", "", text))
        assert found == pytest.approx([numbers[name] for name in names], rel=1e-3, abs=6e-7)
    outcome = numbers_in(page.locator("[data-figure=passes] .readout").inner_text())
    assert outcome == pytest.approx([updates, numbers["y_1"], numbers["L"]], rel=1e-3, abs=6e-7)
