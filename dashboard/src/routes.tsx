// The addresses of the screens. All that a screen shows is in its address: what it filters, which tab is open.

import { createRootRoute, createRoute, createRouter, Link } from "@tanstack/react-router";
import { Events } from "./screens/events.tsx";
import { Job } from "./screens/job.tsx";
import { Jobs } from "./screens/jobs.tsx";
import { Login } from "./screens/login.tsx";
import { Masters } from "./screens/masters.tsx";
import { Overview } from "./screens/overview.tsx";
import { Queues } from "./screens/queues.tsx";
import { Task } from "./screens/task.tsx";
import { Worker } from "./screens/worker.tsx";
import { Workers } from "./screens/workers.tsx";
import { Shell } from "./shell/shell.tsx";

export const jobTabs = ["summary", "stream", "grid", "graph", "tasks", "logs"] as const;
export type JobTab = (typeof jobTabs)[number];

const filterOf = (search: Record<string, unknown>): { filter?: string } =>
  typeof search["filter"] === "string" && search["filter"] !== ""
    ? { filter: search["filter"] }
    : {};

function NotHere() {
  return (
    <div className="page">
      <h1>There is nothing here</h1>
      <p>
        This address belongs to no screen. <Link to="/">Overview</Link>
      </p>
    </div>
  );
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotHere });
const at = <Path extends string>(path: Path, component: () => React.ReactNode) =>
  createRoute({ getParentRoute: () => root, path, component });

const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  validateSearch: filterOf,
  component: Jobs,
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$job",
  validateSearch: (search: Record<string, unknown>): { tab?: JobTab; filter?: string } => {
    const tab = jobTabs.find((one) => one === search["tab"]);
    return { ...filterOf(search), ...(tab && tab !== "summary" ? { tab } : {}) };
  },
  component: Job,
});
const events = createRoute({
  getParentRoute: () => root,
  path: "/events",
  validateSearch: filterOf,
  component: Events,
});

export const router = createRouter({
  routeTree: root.addChildren([
    at("/", Overview),
    at("/login", Login),
    jobs,
    job,
    at("/jobs/$job/$task", Task),
    at("/workers", Workers),
    at("/workers/$worker", Worker),
    at("/queues", Queues),
    at("/masters", Masters),
    events,
  ]),
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
