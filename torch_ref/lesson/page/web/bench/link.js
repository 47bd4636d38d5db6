import { linkHere } from "../address.js";
import { byId } from "../dom.js";
import { watch } from "./state.js";
import { copied } from "./table.js";

/** Copy the link to what the network shows now. */
export function showLink() {
  byId("copy-link").addEventListener("click", async () => {
    const done = await copied(linkHere());
    byId("link-copied").textContent = done ? "Copied." : "Copy the address of this page instead.";
  });
  watch(() => (byId("link-copied").textContent = ""));
}
