/** Give a toolbar's buttons one stop of the tab key; the arrow keys go on from there. */
export function goAlong(buttons) {
  const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const stopAt = (button) => buttons.forEach((other) => (other.tabIndex = other === button ? 0 : -1));
  buttons.forEach((button, at) => {
    button.addEventListener("focus", () => stopAt(button));
    button.addEventListener("keydown", (event) => {
      const next = { Home: 0, End: buttons.length - 1 }[event.key] ?? at + moves[event.key];
      if (Number.isNaN(next)) return;
      event.preventDefault();
      event.stopPropagation(); // the arrow keys walk through the small network, too
      buttons.at(next % buttons.length).focus();
    });
  });
  stopAt(buttons[0]);
}
