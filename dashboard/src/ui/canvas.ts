// Canvas as the screens use it: sharp on any display, in the colours of the theme, drawn once a frame at most.

import { useEffect, useRef, useState } from "react";

/** What a custom property of the theme is now; a canvas cannot read it. */
export function themeColour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** The width that the element has. */
export function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(([entry]) =>
      setWidth(Math.floor(entry?.contentRect.width ?? 0)),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}

export interface Canvas {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
}

/** Calls `draw` when it has changed, and when the theme does. */
export function useCanvas(width: number, height: number, draw: (canvas: Canvas) => void) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = ref.current;
    const context = element?.getContext("2d");
    if (!element || !context || width <= 0 || height <= 0) return undefined;
    let frame = 0;
    const paint = () => {
      const ratio = devicePixelRatio || 1;
      element.width = Math.round(width * ratio);
      element.height = Math.round(height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      draw({ context, width, height });
    };
    const again = () => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(paint);
    };
    again();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    addEventListener("skein-theme", again);
    return () => {
      cancelAnimationFrame(frame);
      dark.removeEventListener("change", again);
      removeEventListener("skein-theme", again);
    };
  }, [width, height, draw]);
  return ref;
}
