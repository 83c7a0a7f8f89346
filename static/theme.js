// Settles the theme before the first paint. Loaded in <head> without defer; small on purpose.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // The cookie holds "light", "dark", "system-light" or "system-dark": the server can then draw the right one at once.
  function settle(choice) {
    const shade = choice === "system" ? (dark.matches ? "dark" : "light") : choice;
    root.dataset.themeChoice = choice;
    root.dataset.bsTheme = shade;
    const kept = choice === "system" ? `system-${shade}` : choice;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${kept}; path=/; max-age=31536000; samesite=lax${secure}`;
  }

  settle(root.dataset.themeChoice || "system");
  dark.addEventListener("change", () => {
    if (root.dataset.themeChoice === "system") settle("system");
  });
  window.slipwayTheme = settle;
})();
