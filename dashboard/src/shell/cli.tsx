// "As CLI": what the screen shows, and each thing it can do, as commands. A screen names them while it is shown.

import { createContext, useContext, useEffect, useState } from "react";
import type { ReactNode } from "react";
import { Dialog } from "../ui/dialog.tsx";
import { Command } from "../ui/parts.tsx";

export interface CliLine {
  readonly does: string;
  readonly command: string;
}

interface CliStore {
  readonly lines: readonly CliLine[];
  readonly set: (lines: readonly CliLine[]) => void;
}
const CliContext = createContext<CliStore>({ lines: [], set: () => {} });

export function CliProvider({ children }: { readonly children: ReactNode }) {
  const [lines, set] = useState<readonly CliLine[]>([]);
  return <CliContext.Provider value={{ lines, set }}>{children}</CliContext.Provider>;
}

export function useCli(lines: readonly CliLine[]): void {
  const { set } = useContext(CliContext);
  const text = JSON.stringify(lines);
  useEffect(() => set(JSON.parse(text) as CliLine[]), [text, set]);
}

export function CliDialog(props: { readonly open: boolean; readonly onClose: () => void }) {
  const { lines } = useContext(CliContext);
  return (
    <Dialog title="This screen as commands" {...props}>
      <dl className="commands">
        {lines.map(({ does, command }) => (
          <div key={command}>
            <dt>{does}</dt>
            <dd>
              <Command text={command} />
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
