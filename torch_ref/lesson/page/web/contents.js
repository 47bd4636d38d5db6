import { settleAddress } from "./address.js";

/** The height at which the reader reads, as a share of the window's. */
const READING_LINE = 0.3;

/** Let the contents stay in sight beside the chapters, show where the reader is and what is read, and lead back. */
export function showContents() {
  const contents = document.querySelector(".contents");
  const parts = [...contents.querySelectorAll('a[href^="#"]')].map((link) => ({ link, section: document.querySelector(link.hash) }));
  const update = () => {
    const bench = document.querySelector(".bench").getBoundingClientRect();
    contents.classList.toggle("stays", bench.bottom < contents.offsetHeight); // the network needs all of the window
    markSections(contents, parts);
  };
  addEventListener("scroll", update, { passive: true });
  addEventListener("resize", update);
  update();
  leadBack();
}

/** Mark the section that the reader is in, and those whose end has been seen. */
function markSections(contents, parts) {
  const edge = (section) => section.getBoundingClientRect();
  const here = parts.findLast(({ section }) => edge(section).top <= READING_LINE * innerHeight) ?? parts[0];
  here.visited = true;
  for (const part of parts) {
    const { bottom } = edge(part.section);
    part.read ||= Boolean(part.visited) && bottom > READING_LINE * innerHeight && bottom <= innerHeight;
    part.link.classList.toggle("read", part.read);
  }
  if (here.link.hasAttribute("aria-current")) return;
  for (const { link } of parts) link.removeAttribute("aria-current");
  here.link.setAttribute("aria-current", "true");
  contents.scrollTo({ left: here.link.offsetLeft - contents.offsetLeft - contents.clientWidth / 3 });
}

/** After a jump inside the page, offer the way back to where it began. */
function leadBack() {
  const buttons = [...document.querySelectorAll(".return")];
  let from = null;
  const offer = (place) => {
    from = place;
    for (const button of buttons) button.hidden = !place;
  };
  const onJump = (event) => {
    const origin = event.target.closest('a[href^="#"], .show-step');
    if (!origin) return;
    settleAddress();
    offer({ top: scrollY, origin });
  };
  document.addEventListener("click", onJump, { capture: true }); // before the jump is made
  for (const button of buttons) {
    button.addEventListener("click", () => {
      scrollTo({ top: from.top });
      from.origin.focus({ preventScroll: true });
      offer(null);
    });
  }
}
