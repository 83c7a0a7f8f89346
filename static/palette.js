// The command palette: a combobox in a <dialog>. Results are links that the server rendered; keys move, Enter follows.
(() => {
  "use strict";
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("#palette-input");
  const results = dialog.querySelector("#palette-results");
  const items = () => Array.from(results.querySelectorAll('[role="option"]'));

  function choose(item) {
    for (const one of items()) one.setAttribute("aria-selected", String(one === item));
    if (item) {
      input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function step(by) {
    const all = items();
    if (!all.length) return;
    const at = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    choose(all[(at + by + all.length) % all.length]);
  }

  function open() {
    if (dialog.open) return;
    for (const other of document.querySelectorAll("dialog[open]")) other.close("no");
    document.getElementById("sidebar")?.hidePopover?.();
    dialog.showModal();
    input.select();
    window.htmx.trigger(input, "palette:open");
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (dialog.open) dialog.close();
      else open();
    }
  });
  document.addEventListener("slipway:palette", open);
  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !event.target.closest?.("[data-palette-open]")) return;
    event.preventDefault();
    open();
  });

  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Escape") dialog.close(); // a search field would only empty itself
    else if (event.key === "Enter") {
      const chosen = items().find((one) => one.getAttribute("aria-selected") === "true");
      if (!chosen) return; // the form leads to the page of all results
      if (event.ctrlKey || event.metaKey) window.open(chosen.href, "_blank", "noopener");
      else location.assign(chosen.href);
    } else return;
    event.preventDefault();
  });
  results.addEventListener("mousemove", (event) => {
    const item = event.target.closest('[role="option"]');
    if (item && item.getAttribute("aria-selected") !== "true") choose(item);
  });
  results.addEventListener("htmx:afterSwap", () => choose(items()[0]));
  results.addEventListener("click", (event) => {
    if (event.target.closest("a") && !event.ctrlKey && !event.metaKey) dialog.close();
  });
})();
