// Small things that the console's parts share: clock, times, icons, copying.

let ahead = 0; // milliseconds that the server's clock is ahead of this browser's

export function setClock(serverNow) {
  ahead = Date.parse(serverNow) - Date.now();
}

export function now() {
  return Date.now() + ahead;
}

export function capital(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function clockTime(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  const today = new Date().toDateString() === at.toDateString();
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return today ? time : `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time}`;
}

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
  return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
}

export function left(iso) {
  return Math.max(0, Math.ceil((Date.parse(iso) - now()) / 1000));
}

// Counts once a second for whatever shows a time; one interval per component.
export const Ticking = {
  data: () => ({ tick: 0 }),
  mounted() {
    this.ticker = setInterval(() => (this.tick += 1), 1000);
  },
  unmounted() {
    clearInterval(this.ticker);
  },
};

export const Icon = {
  props: { name: String },
  template: `<i class="material-icons k-icon" aria-hidden="true">{{ name }}</i>`,
};

// Clipboards need https or localhost; elsewhere the text is selected for the person to copy.
export async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    return document.execCommand?.("copy") ?? false;
  }
}
