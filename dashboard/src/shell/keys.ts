// Single keys of the whole page. They rest while something is typed, a dialog is open, or they are turned off.

import { useEffect } from "react";

const kept = "skein-keys";
export const keysAreOn = (): boolean => localStorage.getItem(kept) !== "off";
export const turnKeys = (on: boolean): void => localStorage.setItem(kept, on ? "on" : "off");

/** `actions` by key; "g x" is two keys after each other. */
export function useKeys(actions: Readonly<Record<string, () => void>>, on: boolean): void {
  useEffect(() => {
    let before = "";
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        actions["/"]?.();
        return;
      }
      const isTyping = target.closest("input:not([type=checkbox]), textarea, select, dialog");
      if (!on || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      const key = before === "g" ? `g ${event.key}` : event.key;
      before = event.key;
      const action = actions[key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [actions, on]);
}
