// In by a one-time code, which stands behind the # of the address; and what to do without one.

import { useEffect, useState } from "react";
import { logIn } from "../api/session.ts";
import { Command } from "../ui/parts.tsx";

export function Login() {
  const [trouble, setTrouble] = useState<string>();
  useEffect(() => {
    const code = location.hash.slice(1);
    // The code leaves the address and the history before anything else happens.
    history.replaceState(null, "", "/login");
    if (code === "") {
      setTrouble("This address has no login code.");
      return;
    }
    logIn(code).then(
      () => location.replace("/"),
      (error: unknown) => setTrouble(error instanceof Error ? error.message : String(error)),
    );
  }, []);
  if (trouble === undefined) return <p className="door">Logging in …</p>;
  return <LoginNeeded why={trouble} />;
}

export function LoginNeeded({ why }: { readonly why?: string }) {
  return (
    <main className="door" id="main">
      <h1>Skein</h1>
      <p>{why ?? "This browser is not logged in to this master, or its week is over."}</p>
      <p>On a machine that has the cluster’s token, run:</p>
      <p>
        <Command text="skein ui" />
      </p>
      <p className="dim">
        It opens this page with a code that is good once, for a minute. No password, and the token
        stays out of the browser.
      </p>
    </main>
  );
}
