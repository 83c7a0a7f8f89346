// Keeps every [data-live="topic"] on the page current through one server-sent stream for all tabs of the browser.
//
// The tab that holds the Web Lock leads: it opens the stream for the topics of all tabs and passes events on over a
// BroadcastChannel. A reconnect is a snapshot, so nothing is resumed and nothing can be missed. Without locks or
// channels a tab simply leads itself.
(() => {
  "use strict";
  const url = document.body.dataset.liveUrl;
  if (!url || !window.EventSource || !window.Idiomorph) return;

  const shared = Boolean(navigator.locks && window.BroadcastChannel);
  const name = `slipway-live:${url}`;
  const channel = shared ? new BroadcastChannel(name) : null;
  const me = Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join("");
  const tabs = new Map(); // leader: tab -> its topics
  const latest = new Map(); // leader: topic -> its last message, for tabs that join later
  const versions = new Map(); // topic -> version that this tab shows
  let leading = false;
  let source = null;
  let carried = ""; // the topics of the open stream
  const late = new Set(); // topics whose newest state the server cannot read at the moment
  let state = "waiting";
  let failures = 0;
  let opening = 0;
  let told = "";
  let held = !shared; // whether this tab holds its own lock
  let spoken = false; // whether the connection has stood or failed yet: a first "reconnecting" would say nothing true

  const topicsHere = () => [...new Set(Array.from(document.querySelectorAll("[data-live]"), (el) => el.dataset.live))].sort();

  function tell(message) {
    channel?.postMessage({ from: me, ...message });
    receive({ from: me, ...message });
  }

  // ---- every tab ----------------------------------------------------------------------------------------------------

  function show(next) {
    state = next;
    const light = document.getElementById("live-light");
    if (!light) return;
    const shown = next === "live" && topicsHere().some((topic) => late.has(topic)) ? "late" : next;
    const [words, title] = {
      live: ["Live", "Changes appear by themselves."],
      late: ["Out of date", "The newest state cannot be read at the moment. What is shown may be old; it is read again by itself."],
      waiting: ["Reconnecting…", "Changes will appear when the connection is back."],
      off: ["Not live", "Changes will appear when the connection is back."],
    }[shown];
    spoken ||= next !== "waiting";
    // The bell is on every page: it alone makes no page a live one.
    light.hidden = topicsHere().every((topic) => topic.startsWith("bell:")) || !spoken;
    if (light.dataset.state === shown) return;
    light.dataset.state = shown;
    light.querySelector(".live-words").textContent = words;
    light.title = title;
  }

  function keepWhatThePersonSet(old, fresh) {
    if (!(old instanceof HTMLElement) || !(fresh instanceof HTMLElement)) return true;
    if (old.tagName === "DIALOG" && old.open) return false;
    if (old.tagName === "DETAILS" && old.dataset.touched) {
      fresh.toggleAttribute("open", old.open);
      fresh.dataset.touched = "1";
    }
    return !old.hasAttribute("data-live-keep");
  }

  function morph(element, html) {
    const logs = Array.from(element.querySelectorAll("[data-follow]"));
    const atEnd = logs.filter((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 12);
    window.Idiomorph.morph(element, html, {
      morphStyle: "innerHTML",
      ignoreActiveValue: true,
      callbacks: { beforeNodeMorphed: keepWhatThePersonSet },
    });
    for (const log of element.querySelectorAll("[data-follow]")) {
      if (atEnd.includes(log) || !logs.includes(log)) log.scrollTop = log.scrollHeight;
    }
    window.htmx?.process(element);
    element.dispatchEvent(new CustomEvent("slipway:changed", { bubbles: true }));
  }

  function apply({ topic, version, html, late: isLate }) {
    if (version <= (versions.get(topic) ?? 0)) return;
    if (late.delete(topic) || isLate) {
      if (isLate) late.add(topic);
      show(state);
    }
    if (isLate && html === undefined) return; // late with a rendering: as good as can be told without announcements
    versions.set(topic, version);
    for (const element of document.querySelectorAll(`[data-live="${CSS.escape(topic)}"]`)) {
      if (html === undefined) {
        element.dataset.gone = "1";
        element.innerHTML = '<p class="empty-sentence text-secondary">This is no longer there.</p>';
      } else morph(element, html);
    }
    join(); // the fragment may have brought topics of its own
  }

  function join() {
    if (!held) return;
    const topics = topicsHere();
    const said = topics.join("\n");
    if (said === told) return;
    told = said;
    show(state);
    tell({ kind: "topics", topics });
  }

  function receive(message) {
    if (message.to && message.to !== me) return;
    if (message.kind === "event") apply(message.event);
    else if (message.kind === "state") show(message.state);
    else if (message.kind === "opened") { versions.clear(); late.clear(); }
    else if (message.kind === "who" && message.from !== me && held) channel.postMessage({ from: me, kind: "topics", topics: topicsHere() });
    else if (message.kind === "topics" && leading) welcome(message.from, message.topics);
  }

  // ---- the leading tab ----------------------------------------------------------------------------------------------

  function welcome(tab, topics) {
    const isNew = !tabs.has(tab);
    tabs.set(tab, topics);
    if (tab !== me) {
      // The lock is granted when that tab is gone, however it went.
      if (isNew) navigator.locks.request(`${name}:${tab}`, () => { tabs.delete(tab); reopen(); });
      channel.postMessage({ from: me, to: tab, kind: "state", state });
      for (const topic of topics) {
        if (latest.has(topic)) channel.postMessage({ from: me, to: tab, kind: "event", event: latest.get(topic) });
      }
    }
    reopen();
  }

  function reopen(pause = 40) {
    clearTimeout(opening);
    opening = setTimeout(open, pause);
  }

  function open() {
    const wanted = [...new Set([...tabs.values()].flat())].sort();
    const missing = wanted.some((topic) => !carried.split("\n").includes(topic));
    if (source && source.readyState !== EventSource.CLOSED && wanted.length && !missing) return;
    source?.close();
    source = null;
    carried = wanted.join("\n");
    latest.clear();
    if (!wanted.length) return;
    const query = new URLSearchParams(wanted.map((topic) => ["t", topic]));
    const stream = new EventSource(`${url}?${query}`);
    source = stream;
    stream.onopen = () => {
      failures = 0;
      tell({ kind: "opened" });
      tell({ kind: "state", state: "live" });
    };
    stream.onerror = () => {
      if (stream !== source) return;
      tell({ kind: "state", state: failures > 2 ? "off" : "waiting" });
      failures += 1;
      // The browser retries by itself unless the server refused; then we do, less and less often.
      if (stream.readyState === EventSource.CLOSED) reopen(Math.min(failures < 20 ? 3000 : 60000, 1000 * 2 ** failures) * (0.5 + Math.random()));
    };
    const pass = (event) => {
      const data = JSON.parse(event.data);
      latest.set(data.topic, data);
      tell({ kind: "event", event: data });
    };
    stream.addEventListener("topic", pass);
    stream.addEventListener("gone", pass);
    stream.addEventListener("late", pass);
    stream.addEventListener("closed", () => {
      stream.close();
      tell({ kind: "state", state: "off" });
    });
  }

  function lead() {
    leading = true;
    tabs.set(me, topicsHere());
    channel?.postMessage({ from: me, kind: "who" });
    reopen();
    return new Promise(() => {}); // held until the tab is gone
  }

  // ---- start --------------------------------------------------------------------------------------------------------

  document.addEventListener("click", (event) => {
    const summary = event.target.closest?.("[data-live] summary");
    if (summary) summary.parentElement.dataset.touched = "1";
  });
  document.addEventListener("htmx:load", join);
  if (shared) {
    channel.onmessage = (event) => receive(event.data);
    // The leader takes this lock for the tab's sign of life: a tab that spoke before it holds it would count as gone.
    navigator.locks.request(`${name}:${me}`, () => {
      held = true;
      join();
      return new Promise(() => {});
    });
    navigator.locks.request(name, lead);
  } else {
    lead();
    join();
  }
})();
