// The command palette: a combobox in a <dialog>. Results are links that the server rendered; keys move, Enter follows.
(() => {
  "use strict";
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const input = dialog.querySelector("#palette-input");
  const results = dialog.querySelector("#palette-results");
  const token = () => JSON.parse(document.body.getAttribute("hx-headers") || "{}")["X-CSRFToken"] || "";
  const items = () => Array.from(results.querySelectorAll('[role="option"]'));

  function choose(item) {
    for (const one of items()) one.setAttribute("aria-selected", String(one === item));
    if (item) {
      input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  // What is done here and now in place of leading to a page; false where this page cannot do it.
  function act(item) {
    const [what, value] = (item.dataset.does || "").split(":");
    if (what === "theme") document.querySelector(`[data-set-theme="${value}"]`)?.click();
    else if (what === "submit") {
      const form = document.querySelector(`form[method="post"][action="${item.getAttribute("href")}"]`);
      if (!form) return false;
      form.requestSubmit();
    } else return false;
    return true;
  }

  function step(by) {
    const all = items();
    if (!all.length) return;
    const at = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    choose(all[(at + by + all.length) % all.length]);
  }

  // `words`: what stands there to be gone on with, such as the beginning of a question.
  function open(words = "") {
    if (dialog.open) return;
    for (const other of document.querySelectorAll("dialog[open]")) other.close("no");
    document.getElementById("sidebar")?.hidePopover?.();
    dialog.showModal();
    if (words) {
      input.value = words;
      input.setSelectionRange(words.length, words.length);
    } else input.select();
    window.htmx.trigger(input, "palette:open");
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (dialog.open) dialog.close();
      else open();
    }
  });
  document.addEventListener("slipway:palette", (event) => open(event.detail || ""));
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
      else {
        dialog.close(); // or it would stand open for whoever comes back
        if (!act(chosen)) location.assign(chosen.href);
      }
    } else return;
    event.preventDefault();
  });
  results.addEventListener("mousemove", (event) => {
    const item = event.target.closest('[role="option"]');
    if (item && item.getAttribute("aria-selected") !== "true") choose(item);
  });
  results.addEventListener("htmx:afterSwap", () => choose(items()[0]));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#palette-results a, [data-results] a[data-does]");
    if (!link || event.ctrlKey || event.metaKey) return;
    dialog.close();
    if (act(link)) event.preventDefault();
  });

  // ---- the page of results: arrows move between its links, from the field and back to it --------------------------------
  const page = document.querySelector("[data-results]");
  const field = document.getElementById("search-q");
  document.addEventListener("keydown", (event) => {
    if (!page || dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = Array.from(page.querySelectorAll(".rows a.stretched"));
    const at = links.indexOf(document.activeElement);
    if (at < 0 && document.activeElement !== field) return;
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    if (next >= links.length) return;
    event.preventDefault();
    (next < 0 ? field : links[next]).focus();
  });

  // ---- what was looked at, said once it is shown: it moves the results of the next search -------------------------------
  const seen = document.querySelector("main[data-seen]")?.dataset.seen;
  const key = `seen:${dialog.dataset.seenUrl}:${seen}`;
  if (seen && sessionStorage.getItem("seen") !== key) {
    const body = new URLSearchParams({ ref: seen });
    fetch(dialog.dataset.seenUrl, { method: "POST", body, keepalive: true, headers: { "X-CSRFToken": token() } })
      .then(() => sessionStorage.setItem("seen", key))
      .catch(() => {}); // the next look says it again
  }
})();
