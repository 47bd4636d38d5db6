import { byId } from "./dom.js";

/** Let the reader change between light and dark; at first the system's choice holds. */
export function showTheme() {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = (dark) => {
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
  };
  show(system.matches);
  system.addEventListener("change", () => show(system.matches));
  button.addEventListener("click", () => show(button.getAttribute("aria-pressed") !== "true"));
}
