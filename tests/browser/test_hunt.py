"""The bugs that a seed draws for "Spot the bug": one right cause of four, and no score for who does not calculate."""

from __future__ import annotations

import pytest

SEEDS = 1000


@pytest.mark.parametrize("example", ["x2", "x1"])
def test_a_score_cannot_be_had_blindly(lesson, example) -> None:
    """What chooses without calculating, by place, by size or by the words, finds about one bug in forty."""
    shares = lesson(
        """([example, seeds]) => {
             const network = lesson.DATA[example].network;
             const right = lesson.pass(network);
             const longer = (a, b) => b.title.length > a.title.length;
             const longest = (causes, sign) => causes.reduce((a, b) => (longer(a, b) === sign > 0 ? b : a));
             const general = ({ title }) => title.startsWith("The result");
             const byCause = {
               ...Object.fromEntries([0, 1, 2, 3].map((k) => [`cause ${k}`, (causes) => causes[k]])),
               longest: (causes) => longest(causes, 1), shortest: (causes) => longest(causes, -1),
               general: (causes) => causes.find(general) ?? causes[0],
               special: (causes) => causes.find((one) => !general(one)) ?? causes[0],
             };
             const hits = {};
             let suspects = 0;
             for (let seed = 1; seed <= seeds; seed++) {
               const found = lesson.huntFor(network, seed);
               const shown = [...lesson.pass(network, found.fault)].filter(([name]) => !name.endsWith("after"));
               const largest = shown.reduce((a, b) => (Math.abs(b[1]) > Math.abs(a[1]) ? b : a))[0].replace(/_.*/, "");
               suspects = found.suspects.length;
               for (const [how, choose] of Object.entries(byCause)) {
                 const guesses = { ...Object.fromEntries(found.suspects.map((tensor, k) => [k, tensor])), largest };
                 for (const [where, tensor] of Object.entries(guesses)) {
                   const hit = tensor === found.guilty && choose(found.causes[tensor]).right;
                   hits[`${where}, ${how}`] = (hits[`${where}, ${how}`] ?? 0) + Number(hit);
                 }
               }
             }
             return { hits, suspects };
           }""",
        [example, SEEDS],
    )
    chance = SEEDS / (4 * shares["suspects"])
    assert shares["suspects"] >= 11
    assert max(shares["hits"].values()) < 2.5 * chance, sorted(shares["hits"].items(), key=lambda one: -one[1])[:5]
    assert sum(shares["hits"].values()) / len(shares["hits"]) < 1.3 * chance


@pytest.mark.parametrize("example", ["x2", "x1"])
def test_one_cause_of_four_is_right_and_the_others_give_other_numbers(lesson, example) -> None:
    found = lesson(
        """(example) => Array.from({ length: 300 }, (_, k) => {
             const { guilty, causes } = lesson.huntFor(lesson.DATA[example].network, k + 1);
             const titles = Object.values(causes).map((four) => new Set(four.map(({ title }) => title)).size);
             const rightOf = (four) => four.filter((one) => one.right).length;
             return [rightOf(causes[guilty]), rightOf(Object.values(causes).flat()), titles];
           })""",
        example,
    )
    assert all(one[:2] == [1, 1] and set(one[2]) == {4} for one in found)
