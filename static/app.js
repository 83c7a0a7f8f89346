// What pages do beyond links and forms: theme, menus, dialogs, copying, times, toasts, row links. No dependency but htmx.
(() => {
  "use strict";
  const $$ = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const on = (type, selector, act) =>
    document.addEventListener(type, (event) => {
      const hit = event.target.closest?.(selector);
      if (hit) act(event, hit);
    });

  // ---- theme ----------------------------------------------------------------------------------------------------------
  on("click", "[data-set-theme]", (event, button) => {
    window.slipwayTheme(button.dataset.setTheme);
    for (const one of $$("[data-set-theme]")) one.setAttribute("aria-pressed", String(one === button));
    for (const one of $$("[data-theme-summary]")) one.setAttribute("aria-label", `Theme: ${button.dataset.setTheme}`);
    closeMenus();
  });

  // ---- menus: <details data-menu> -------------------------------------------------------------------------------------
  function closeMenus(except) {
    for (const menu of $$("details[data-menu][open]")) if (menu !== except) menu.open = false;
  }
  document.addEventListener("click", (event) => closeMenus(event.target.closest?.("details[data-menu]")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.querySelector("details[data-menu][open]");
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });

  // ---- dialogs ---------------------------------------------------------------------------------------------------------
  on("click", "[data-open-dialog]", (event, button) => {
    const dialog = document.getElementById(button.dataset.openDialog);
    if (!dialog) return;
    event.preventDefault();
    dialog.showModal();
  });
  on("click", "[data-close-dialog]", (event, button) => button.closest("dialog").close());
  document.addEventListener("click", (event) => {
    if (event.target instanceof HTMLDialogElement) event.target.close("no"); // a click on the backdrop
  });

  // ---- confirm: data-confirm="Question?" on a button, a form, or an element with hx-* -------------------------------------
  const confirmDialog = document.getElementById("confirm");
  function ask(question, yes, act) {
    confirmDialog.querySelector("#confirm-words").textContent = question;
    confirmDialog.querySelector("[data-confirm-yes]").textContent = yes || "Yes, go on";
    confirmDialog.returnValue = "no";
    confirmDialog.addEventListener("close", () => confirmDialog.returnValue === "yes" && act(), { once: true });
    confirmDialog.showModal();
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const asker = event.submitter?.dataset.confirm ? event.submitter : form.dataset.confirm ? form : null;
    if (!asker || form.dataset.confirmed || form.hasAttribute("hx-post")) return;
    event.preventDefault();
    ask(asker.dataset.confirm, asker.dataset.confirmYes, () => {
      form.dataset.confirmed = "1";
      form.requestSubmit(event.submitter);
      delete form.dataset.confirmed;
    });
  });
  document.addEventListener("htmx:confirm", (event) => {
    const asker = event.detail.elt.closest("[data-confirm]");
    if (!asker) return;
    event.preventDefault();
    ask(asker.dataset.confirm, asker.dataset.confirmYes, () => event.detail.issueRequest(true));
  });

  // ---- switches: a form with data-toggles whose buttons say what they would do: star, unstar -------------------------------
  document.addEventListener("submit", async (event) => {
    const { target: form, submitter: button } = event;
    if (!form.matches("[data-toggles]") || !button) return;
    event.preventDefault();
    const answer = await fetch(form.action, {
      method: "POST",
      body: new FormData(form, button),
      headers: { "HX-Request": "true" },
    }).catch(() => null);
    if (!answer?.ok) return toast("That did not work. Reload the page and try again.", "error");
    const isOn = button.name === "star";
    button.name = isOn ? "unstar" : "star";
    if (button.hasAttribute("aria-pressed")) button.setAttribute("aria-pressed", String(isOn));
    else button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/^\w+/, isOn ? "Unstar" : "Star"));
  });

  // ---- following a notice reads it: <a data-reads="the id of the form that says so"> ---------------------------------------
  for (const type of ["click", "auxclick"]) {
    on(type, "a[data-reads]", (event, link) => {
      const form = document.getElementById(link.dataset.reads);
      if (form && event.button < 2) navigator.sendBeacon(form.action, new FormData(form));
    });
  }

  // ---- ticking all rows of a form: data-check-all="the form's id" -----------------------------------------------------------
  on("change", "[data-check-all]", (event, all) => {
    for (const box of $$(`#${all.dataset.checkAll} tbody input[type=checkbox]`)) box.checked = all.checked;
  });

  // ---- copy --------------------------------------------------------------------------------------------------------------
  on("click", "[data-copy], [data-copy-from]", async (event, button) => {
    const from = button.dataset.copyFrom;
    const text = from ? document.getElementById(from)?.innerText : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.", "success", 1600);
    } catch {
      toast("Your browser did not allow copying. Select the text instead.", "warning");
    }
  });

  // ---- toasts ------------------------------------------------------------------------------------------------------------
  const toasts = document.getElementById("toasts");
  function toast(text, tone = "info", stay = 6000) {
    const note = document.createElement("div");
    note.className = `toast-note toast-${tone}`;
    note.append(Object.assign(document.createElement("p"), { textContent: text }));
    toasts?.append(note);
    setTimeout(() => note.remove(), stay);
  }
  function ageToasts(root) {
    // What went wrong stays until it is read; good news leaves by itself.
    for (const note of $$("[data-toast]", root)) {
      if (note.dataset.aging || note.classList.contains("toast-error")) continue;
      note.dataset.aging = "1";
      setTimeout(() => note.remove(), 7000);
    }
  }
  on("click", "[data-close-toast]", (event, button) => button.closest("[data-toast]").remove());

  // ---- keys: what the browser refuses, in words -----------------------------------------------------------------------------
  const KEY_WORDS = {
    InvalidStateError: "This key is added already.",
    NotAllowedError: "No key was used. Try again, or go on without one.",
    SecurityError: /^[\d.]+$|:/.test(location.hostname)
      ? `A key belongs to a name, and this address is a number. Open http://localhost:${location.port || 80}/ instead.`
      : "Your browser does not allow keys at this address: it must begin with https.",
  };
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const { exception } = event.detail;
    toast(KEY_WORDS[exception?.name] ?? "That did not work. Reload the page and try again.", "error", 12000);
  });

  // ---- fields that search while one types: leaving one is no choice of its own, and no step back -----------------------------
  document.addEventListener(
    "change",
    (event) => {
      if (event.target.matches?.("[data-searches]")) event.stopPropagation();
    },
    true,
  );

  // ---- htmx: refusals arrive as a toast of their own, everything else in words ---------------------------------------------
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.getResponseHeader("HX-Retarget")) event.detail.shouldSwap = true;
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    if (event.detail.xhr.getResponseHeader("HX-Retarget") || status === 401) return;
    toast(status >= 500 ? "Something broke on our side. It has been noted." : "That did not work. Reload the page and try again.", "error");
  });
  document.addEventListener("htmx:sendError", () => toast("The server cannot be reached. Check your connection.", "error"));

  // ---- times: <time datetime data-ago>, the same words as portal/kit/words.py -------------------------------------------------
  // One zone a person: the profile's, else the browser's, which the server learns by a cookie (portal/accounts/zone.py).
  const chosenZone = document.documentElement.dataset.zone || undefined;
  const ownZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (ownZone) document.cookie = `slipway_zone=${ownZone};path=/;max-age=31536000;samesite=lax${location.protocol === "https:" ? ";secure" : ""}`;
  const zoned = (form) => {
    try {
      return new Intl.DateTimeFormat("en-GB", { ...form, timeZone: chosenZone });
    } catch {
      return new Intl.DateTimeFormat("en-GB", form); // a zone that this browser has not heard of
    }
  };
  const date = { day: "numeric", month: "short", year: "numeric" };
  const clock24 = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const full = zoned({ ...date, ...clock24, timeZoneName: "short" });
  const day = zoned(date);
  const clock = zoned(clock24);
  function agoWords(at) {
    const seconds = (Date.now() - at) / 1000;
    const distance = Math.abs(seconds);
    if (distance < 45) return "just now";
    let words;
    if (distance < 3600) words = `${Math.max(1, Math.round(distance / 60))} min`;
    else if (distance < 86400) words = `${Math.round(distance / 3600)} h`;
    else if (distance < 14 * 86400) {
      const days = Math.round(distance / 86400);
      words = days === 1 ? "1 day" : `${days} days`;
    } else if (distance < 60 * 86400) words = `${Math.round(distance / 604800)} weeks`;
    else return day.format(at);
    return seconds > 0 ? `${words} ago` : `in ${words}`;
  }
  function freshenTimes(root = document) {
    for (const time of $$("time[data-ago]", root)) {
      const at = new Date(time.dateTime);
      const words = agoWords(at);
      if (time.textContent !== words) time.textContent = words;
      time.title = full.format(at);
    }
    for (const [name, form] of [["full", full], ["day", day], ["clock", clock]]) {
      for (const time of $$(`time[data-${name}]`, root)) {
        const at = new Date(time.dateTime);
        const words = form.format(at);
        if (time.textContent !== words) time.textContent = words;
        time.title = full.format(at);
      }
    }
  }
  setInterval(freshenTimes, 20000);

  // ---- rows that lead somewhere: <tr data-href>; the link inside stays for keyboards and new tabs ------------------------------
  on("click", "tr[data-href]", (event, row) => {
    if (event.target.closest("a, button, input, label, select, summary, textarea") || String(getSelection())) return;
    if (event.metaKey || event.ctrlKey) window.open(row.dataset.href, "_blank", "noopener");
    else location.assign(row.dataset.href);
  });
  on("change", "[data-submit-on-change]", (event, field) => field.form.requestSubmit());

  // ---- keyboard: / search of the page, g then a letter, ? help ---------------------------------------------------------------
  let went = -Infinity;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "/") {
      const field = document.querySelector("main input[type=search]");
      event.preventDefault();
      if (field) field.focus();
      else document.dispatchEvent(new CustomEvent("slipway:palette"));
    } else if (event.key === "?") {
      document.getElementById("shortcuts")?.showModal();
    } else if (event.key === "g") {
      went = event.timeStamp;
    } else if (event.timeStamp - went >= 1200) {
      document.querySelector(`main [data-copy-key="${CSS.escape(event.key)}"]`)?.click();
    } else if (event.key === "o") {
      event.preventDefault(); // or the letter would follow into the field
      went = -Infinity;
      document.dispatchEvent(new CustomEvent("slipway:palette", { detail: "who owns " }));
    } else {
      const label = { h: "Home", c: "Catalog", p: "Golden paths", r: "Runs", k: "Clusters", t: "Teams" }[event.key];
      const entry = event.key === "n" ? document.querySelector("[data-bell]") : $$(".nav-entry").find((one) => one.textContent.trim() === label);
      if (entry) location.assign(entry.href);
      went = -Infinity;
    }
  });

  // ---- whenever something new is on the page -----------------------------------------------------------------------------------
  function settle(root) {
    freshenTimes(root);
    ageToasts(root);
    // A region that scrolls must be reachable by keyboard; one that does not should not be a stop.
    for (const box of $$(".table-responsive, pre, .log", root)) {
      const scrolls = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      if (scrolls && !box.hasAttribute("tabindex")) box.tabIndex = 0;
    }
  }
  document.addEventListener("htmx:load", (event) => settle(event.detail.elt.parentElement || document));
  document.addEventListener("slipway:changed", (event) => settle(event.target));
  // The page of a job leads on to what came of it.
  document.addEventListener("slipway:changed", (event) => {
    const page = event.target.closest?.("[data-leads-on]");
    if (page?.querySelector("a[data-go-on]")) location.replace(page.dataset.leadsOn);
  });
  addEventListener("resize", () => settle(document));
  for (const hidden of $$("[data-needs-script]")) hidden.hidden = false;
  for (const log of $$("[data-follow]")) log.scrollTop = log.scrollHeight;

  // ---- tabs: the current one is in view, wherever the row was left, and so is the one that the keyboard has reached -----
  function bringIntoView(tab) {
    const row = tab.closest(".nav-tabs");
    const [at, of] = [tab.getBoundingClientRect(), row.getBoundingClientRect()];
    if (at.left < of.left || at.right > of.right) row.scrollLeft += at.left - of.left - (of.width - at.width) / 2;
  }
  for (const tab of $$(".nav-tabs [aria-current]")) bringIntoView(tab);
  on("focusin", ".nav-tabs a", (event, tab) => bringIntoView(tab));
  if (/Mac|iPhone|iPad/.test(navigator.platform)) for (const key of $$("[data-shortcut]")) key.textContent = "⌘ K";
  settle(document);
})();
