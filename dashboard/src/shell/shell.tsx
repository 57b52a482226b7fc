// The frame of every screen: where one can go, whether the cluster is well, and how old that news is.

import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { freshness } from "../api/freshness.ts";
import { useLive } from "../api/live.ts";
import { isPaused, setPaused, subscribePaused } from "../api/pause.ts";
import { useMasters, useOverview } from "../api/queries.ts";
import { isLoggedOut, subscribeLogin } from "../api/logged-out.ts";
import { logOut } from "../api/session.ts";
import { LoginNeeded } from "../screens/login.tsx";
import { duration } from "../ui/format.ts";
import { Icon } from "../ui/icons.tsx";
import type { IconName } from "../ui/icons.tsx";
import { useNow } from "../ui/parts.tsx";
import { CliDialog, CliProvider } from "./cli.tsx";
import { HelpDialog } from "./help.tsx";
import { keysAreOn, turnKeys, useKeys } from "./keys.ts";
import { SearchDialog } from "./search.tsx";
import { applyTheme, currentTheme, nextTheme } from "./theme.ts";

const places: readonly { to: string; name: string; icon: IconName; key: string }[] = [
  { to: "/", name: "Overview", icon: "overview", key: "g o" },
  { to: "/jobs", name: "Jobs", icon: "jobs", key: "g j" },
  { to: "/workers", name: "Workers", icon: "workers", key: "g w" },
  { to: "/queues", name: "Queues", icon: "queues", key: "g q" },
  { to: "/masters", name: "Masters", icon: "masters", key: "g m" },
  { to: "/events", name: "Events", icon: "events", key: "g e" },
];

export function Shell() {
  const loggedOut = useSyncExternalStore(subscribeLogin, isLoggedOut);
  const path = useRouterState({ select: (state) => state.location.pathname });
  if (path === "/login") return <Outlet />;
  if (loggedOut) return <LoginNeeded />;
  return (
    <CliProvider>
      <Frame />
    </CliProvider>
  );
}

type Open = "none" | "search" | "help" | "cli";

function Frame() {
  const [open, setOpen] = useState<Open>("none");
  const [keysOn, setKeysOn] = useState(keysAreOn);
  const [theme, setTheme] = useState(currentTheme);
  const paused = useSyncExternalStore(subscribePaused, isPaused);
  const navigate = useNavigate();
  useEffect(() => applyTheme(theme), [theme]);
  useLive();
  // Whoever else could answer is known before this page's master is gone.
  useMasters();
  const actions = useMemo(
    () => ({
      "/": () => setOpen("search"),
      "?": () => setOpen("help"),
      c: () => setOpen("cli"),
      p: () => setPaused(!isPaused()),
      t: () => setTheme(nextTheme),
      ...Object.fromEntries(places.map(({ key, to }) => [key, () => void navigate({ to })])),
    }),
    [navigate],
  );
  useKeys(actions, keysOn);
  const close = () => setOpen("none");
  return (
    <div className="frame">
      <a className="skip" href="#main">
        To the content
      </a>
      <Nav />
      <header className="top">
        <Verdict />
        <span className="grow" />
        <Freshness paused={paused} />
        <button type="button" className="find" aria-label="Search" onClick={actions["/"]}>
          <Icon name="search" /> <span>Search</span> <kbd aria-hidden="true">/</kbd>
        </button>
        <Tool icon="terminal" label="CLI: this screen as commands" onClick={actions.c} text="CLI" />
        <Tool
          icon={paused ? "play" : "pause"}
          label={paused ? "Go on" : "Pause"}
          onClick={actions.p}
        />
        <Tool icon="theme" label={`Theme: ${theme}`} onClick={actions.t} />
        <Tool icon="keyboard" label="Keyboard help" onClick={actions["?"]} />
        <Tool
          icon="out"
          label="Log out"
          onClick={() => void logOut().then(() => location.reload())}
        />
      </header>
      <Banner paused={paused} />
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
      <SearchDialog open={open === "search"} onClose={close} />
      <CliDialog open={open === "cli"} onClose={close} />
      <HelpDialog
        open={open === "help"}
        onClose={close}
        keysOn={keysOn}
        onKeys={(on) => {
          turnKeys(on);
          setKeysOn(on);
        }}
      />
    </div>
  );
}

function Tool(props: {
  readonly icon: IconName;
  readonly label: string;
  readonly text?: string;
  readonly onClick: () => void;
}) {
  const { icon, label, text, onClick } = props;
  return (
    <button type="button" className="tool" aria-label={label} title={label} onClick={onClick}>
      <Icon name={icon} />
      {text === undefined ? null : <span>{text}</span>}
    </button>
  );
}

function Nav() {
  return (
    <nav aria-label="Screens">
      <Link to="/" className="brand" aria-label="Skein, Overview">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M5 12c7-8 15 18 22 10M5 18c7-8 15 18 22 10M5 6c7-8 15 18 22 10" />
        </svg>
        <span>Skein</span>
      </Link>
      <ul>
        {places.map(({ to, name, icon }) => (
          <li key={to}>
            <Link to={to} activeOptions={{ exact: to === "/", includeSearch: false }}>
              <Icon name={icon} />
              <span>{name}</span>
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

const levelWords = { ok: "Healthy", warn: "Look here", bad: "In trouble" } as const;

function Verdict() {
  const { data } = useOverview();
  if (!data) return <span className="verdict dim">Asking …</span>;
  return (
    <Link to="/" className={`verdict level-${data.level}`} title={data.verdict}>
      <span className="dot" aria-hidden="true" />
      <b>{levelWords[data.level]}</b>
      <span className="words">{data.verdict.replace(/^\w+: /, "")}</span>
    </Link>
  );
}

function Freshness({ paused }: { readonly paused: boolean }) {
  const { at, master, cutSince, index, tick } = useSyncExternalStore(
    freshness.subscribe,
    freshness.get,
  );
  const now = useNow();
  const ageMs = Math.max(0, now - at);
  const answered = `Answered by ${master}, resting on batch ${index} of the journal`;
  const title = tick
    ? `${answered}. Batch ${tick.index}, term ${tick.term}, told by ${tick.master}, which ${tick.leads ? "leads" : "stands by"}; its news is at most ${duration(tick.ageMs)} old`
    : answered;
  if (at === 0) return null;
  const isStale = cutSince !== undefined || ageMs > 6_000;
  const word = paused ? "paused" : isStale ? `${duration(ageMs)} old` : "live";
  return (
    <span className={`fresh ${paused || isStale ? "stale" : ""}`} title={title}>
      {word}
    </span>
  );
}

/** A short stumble is no news. */
const bannerAfterMs = 2_500;

function Banner({ paused }: { readonly paused: boolean }) {
  const { cutSince, at } = useSyncExternalStore(freshness.subscribe, freshness.get);
  const now = useNow();
  const isCut = cutSince !== undefined && now - cutSince > bannerAfterMs;
  return (
    <div role="status" aria-live="polite" className="banners">
      {isCut ? (
        <p className="banner">
          <b>No master answers.</b> What you see is {duration(Math.max(0, now - at))} old. The
          cluster may well go on: this page asks again by itself.
        </p>
      ) : null}
      {paused && !isCut ? (
        <p className="banner calm">
          <b>Paused.</b> Nothing on this page moves.{" "}
          <button type="button" onClick={() => setPaused(false)}>
            Go on
          </button>
        </p>
      ) : null}
    </div>
  );
}
