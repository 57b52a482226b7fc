// The only script of a report: says what is under the pointer. It puts text into one element, and nothing else.

export const script = `
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const tip = document.getElementById("tip");
  const words = read("words");
  const time = (ms) => ms < 99.5 ? Math.round(ms * 10) / 10 + " ms" : ms < 9950 ? (ms / 1000).toFixed(1) + " s"
    : ms < 59500 ? Math.round(ms / 1000) + " s"
    : ms < 3600000 ? Math.floor(ms / 60000) + "m " + Math.round(ms % 60000 / 1000) + "s"
    : Math.floor(ms / 3600000) + "h " + Math.round(ms % 3600000 / 60000) + "m";
  const follow = (id, say) => {
    const svg = document.getElementById(id);
    if (!svg) return;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const text = say((event.clientX - box.left) * scale, (event.clientY - box.top) * scale);
      tip.hidden = !text;
      if (!text) return;
      tip.textContent = text;
      const { offsetWidth: w, offsetHeight: h } = tip;
      const x = Math.min(event.clientX + 14, innerWidth - w - 8);
      const y = event.clientY + 18 + h > innerHeight ? event.clientY - h - 12 : event.clientY + 18;
      tip.style.left = Math.max(8, x) + "px";
      tip.style.top = y + "px";
    });
    svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  };
  const stream = read("stream-data");
  const place = (x, y) => {
    const row = Math.floor((y - stream.top) / stream.height);
    const at = (x - stream.left) / stream.width;
    return row < 0 || at < 0 || at > 1 ? undefined : { row, at };
  };
  if (stream.rows) {
    follow("stream", (x, y) => {
      const here = place(x, y);
      const row = here && stream.rows[here.row];
      if (!row) return "";
      const cell = Math.min(stream.columns - 1, Math.floor(here.at * stream.columns));
      const state = row.running[cell] ? "\\nworst end: " + words[row.states[cell]] : "";
      return row.label + "\\n" + row.running[cell] + " running at " + time(here.at * stream.span) + state;
    });
  } else {
    const lanes = [];
    let k = 0;
    stream.perLane.forEach((n, lane) => {
      const bars = lanes[lane] = [];
      for (let start = 0, end = k + n; k < end; k++) {
        start += stream.gap[k];
        bars.push({ k, start: start * stream.unit, end: (start + stream.length[k]) * stream.unit });
      }
    });
    follow("stream", (x, y) => {
      const here = place(x, y);
      const bars = here && lanes[here.row];
      if (!bars) return "";
      const ms = here.at * stream.span;
      const near = 1.5 * stream.span / stream.width;
      let best;
      for (const bar of bars) {
        const off = ms < bar.start ? bar.start - ms : ms > bar.end ? ms - bar.end : 0;
        if (off <= near && (!best || off < best.off)) best = { ...bar, off };
      }
      const [worker, slot] = stream.lanes[here.row];
      const who = stream.names[worker] + ", slot " + (slot + 1);
      if (!best) return who + "\\nidle at " + time(ms);
      const attempt = stream.attempts[best.k] || 1;
      return "task " + stream.task[best.k] + (attempt > 1 ? ", attempt " + attempt : "") + ": "
        + words[stream.states[best.k]] + "\\n" + time(best.end - best.start) + ", from " + time(best.start) + "\\n" + who;
    });
  }
  const grid = read("grid-data");
  follow("grid", (x, y) => {
    const column = Math.floor(x / grid.side);
    const cell = Math.floor(y / grid.side) * grid.columns + column;
    if (column >= grid.columns || cell >= grid.states.length) return "";
    const first = cell * grid.perCell;
    const last = Math.min(grid.tasks, first + grid.perCell) - 1;
    return (first === last ? "task " + first : "tasks " + first + " to " + last + ", worst")
      + ": " + words[grid.states[cell]];
  });
})();
`;
