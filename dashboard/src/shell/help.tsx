// The keyboard, on `?`. Single keys can be turned off (WCAG 2.1.4).

import { Dialog } from "../ui/dialog.tsx";

export const keyHelp: readonly (readonly [keys: string, does: string])[] = [
  ["/  or  Ctrl K", "search, or jump to an id"],
  ["g o  ·  g j  ·  g w", "go to Overview · Jobs · Workers"],
  ["g q  ·  g m  ·  g e", "go to Queues · Masters · Events"],
  ["j  ·  k", "next · previous row"],
  ["Enter  ·  x", "open · choose the row"],
  ["c", "this screen as commands"],
  ["p", "pause, go on"],
  ["t", "theme: system, light, dark"],
  ["?", "this help"],
];

export function HelpDialog(props: {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly keysOn: boolean;
  readonly onKeys: (on: boolean) => void;
}) {
  const { open, onClose, keysOn, onKeys } = props;
  return (
    <Dialog title="Keyboard" open={open} onClose={onClose}>
      <dl className="keys">
        {keyHelp.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label className="check">
        <input
          type="checkbox"
          checked={keysOn}
          onChange={(event) => onKeys(event.target.checked)}
        />
        Single keys do something
      </label>
    </Dialog>
  );
}
