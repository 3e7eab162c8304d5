// What surrounds the pages: connection, theme, panes of a phone, the stop that needs no socket.

const THEMES = ["auto", "light", "dark"];
const WORDS = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
const ICONS = { auto: "brightness_auto", light: "light_mode", dark: "dark_mode" };

function theme() {
  return document.cookie.match(/(?:^|; )kitty_theme=(light|dark)/)?.[1] ?? "auto";
}

function showTheme() {
  const button = document.getElementById("k-theme");
  if (!button) return;
  button.setAttribute("aria-label", WORDS[theme()]);
  button.title = WORDS[theme()];
  button.querySelector("i").textContent = ICONS[theme()];
  document.documentElement.dataset.theme = theme();
  requestAnimationFrame(tint);
}

function tint() {
  const style = getComputedStyle(document.body);
  const colour = (name) => style.getPropertyValue(name).trim();
  for (const element of document.querySelectorAll(".nicegui-echart")) {
    const chart = window.getElement(element)?.chart;
    if (!chart) continue;
    const axis = { axisLabel: { color: colour("--muted") }, nameTextStyle: { color: colour("--muted") } };
    const split = { splitLine: { lineStyle: { color: colour("--line") } } };
    const before = chart.getOption();
    chart.setOption({
      textStyle: { color: colour("--ink") },
      title: before.title?.length ? [{ textStyle: { color: colour("--ink") } }] : undefined,
      legend: before.legend?.length ? [{ textStyle: { color: colour("--muted") } }] : undefined,
      xAxis: before.xAxis?.map(() => ({ ...axis, ...split })),
      yAxis: before.yAxis?.map(() => ({ ...axis, ...split })),
    });
  }
}

function connected(yes) {
  const state = document.getElementById("k-connection");
  document.body.dataset.connected = String(yes);
  if (state) state.textContent = yes ? "Connected" : "Reconnecting…";
}

async function stillIn() {
  try {
    const answer = await fetch("/session", { cache: "no-store" });
    if (answer.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  } catch {
    // No network: the socket goes on trying and this is asked again then.
  }
}

function watchSocket() {
  const socket = window.socket;
  if (!socket) return void setTimeout(watchSocket, 50);
  connected(socket.connected);
  socket.on("connect", () => connected(true));
  socket.on("disconnect", () => connected(false));
  socket.on("connect_error", () => {
    connected(false);
    stillIn();
  });
  addEventListener("offline", () => connected(false));
  addEventListener("online", () => connected(socket.connected));
}

function notify(message) {
  window.Quasar?.Notify.create({ message, position: "top", timeout: 8000, classes: "k-toast" });
}

window.kitty = {
  nextTheme() {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    document.cookie = `kitty_theme=${next}; path=/; max-age=31536000; samesite=strict`;
    window.setDark(next === "auto" ? null : next === "dark");
    showTheme();
  },
  // A stop goes over the socket if there is one, else by plain HTTP: it must not wait for either.
  async stop(emit) {
    if (window.socket?.connected) return emit();
    notify("Stopping…");
    try {
      const answer = await fetch("/stop", { method: "POST" });
      notify((await answer.json()).message);
    } catch {
      notify("KITTY cannot be reached. Use the emergency stop of the machine.");
    }
  },
  notify,
};

function showPane() {
  const pane = location.hash === "#board" ? "board" : "chat";
  document.body.dataset.pane = pane;
  for (const link of document.querySelectorAll("[data-pane-link]"))
    if (link.dataset.paneLink === pane && location.pathname === "/") link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
}

function begin() {
  if (!document.getElementById("k-theme")) return void setTimeout(begin, 30);
  showTheme();
  showPane();
  setTimeout(tint, 300);
}

// Chat and board are two panes of one page: a link between them must not load it again.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-pane-link]");
  if (link && location.pathname === "/") {
    event.preventDefault();
    history.replaceState(null, "", `${location.search}#${link.dataset.paneLink}`);
    showPane();
  }
  for (const menu of document.querySelectorAll("details.k-person[open], details.k-talks[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});
addEventListener("hashchange", showPane);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => requestAnimationFrame(tint));
addEventListener("DOMContentLoaded", () => {
  begin();
  watchSocket();
});
