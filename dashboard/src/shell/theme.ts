// Dark, light, or as the system says. Kept in this browser.

export type Theme = "system" | "light" | "dark";
const key = "skein-theme";
const order: readonly Theme[] = ["system", "light", "dark"];

export function currentTheme(): Theme {
  const kept = localStorage.getItem(key);
  return order.find((one) => one === kept) ?? "system";
}

export function applyTheme(theme: Theme): void {
  localStorage.setItem(key, theme);
  if (theme === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  // Pictures on canvas have their colours in them.
  dispatchEvent(new Event("skein-theme"));
}

export function nextTheme(theme: Theme): Theme {
  return order[(order.indexOf(theme) + 1) % order.length] ?? "system";
}
