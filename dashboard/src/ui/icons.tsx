// The few pictures there are, drawn here: 16 by 16, in the colour of the text beside them.

const paths = {
  overview: "M2 9h4l2-6 3 10 2-4h1",
  jobs: "M3 4h10M3 8h10M3 12h6",
  workers: "M3 3h10v4H3zM3 9h10v4H3zM5.5 5h.01M5.5 11h.01",
  queues: "M2 4h7M2 8h7M2 12h7M12 5v6m0 0 2-2m-2 2-2-2",
  masters: "M8 2l5 3v6l-5 3-5-3V5zM8 2v12M3 5l10 6M13 5 3 11",
  events: "M8 3v5l3 2M8 2a6 6 0 1 1-6 6",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3 14 14",
  theme: "M8 2a6 6 0 1 0 6 6 4.5 4.5 0 0 1-6-6z",
  terminal: "M2 3h12v10H2zM4.5 6l2 2-2 2M8.5 10H11",
  keyboard: "M1.5 4h13v8h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M5 9.5h6",
  copy: "M5 5h8v8H5zM3 11V3h8",
  pause: "M5 3v10M11 3v10",
  play: "M5 3l8 5-8 5z",
  close: "M4 4l8 8M12 4l-8 8",
  left: "M10 3 5 8l5 5",
  out: "M6 3H3v10h3M10 5l3 3-3 3M13 8H6",
} as const;
export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
