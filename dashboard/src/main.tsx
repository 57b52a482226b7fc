// The dashboard: what the cluster does, in a browser. Read next: routes.tsx, api/queries.ts, shell/shell.tsx.

import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { isUnauthorized } from "./api/client.ts";
import { noteLoggedOut } from "./api/logged-out.ts";
import { router } from "./routes.tsx";
import { applyTheme, currentTheme } from "./shell/theme.ts";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/screens.css";

applyTheme(currentTheme());

const queries = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      if (isUnauthorized(error)) noteLoggedOut();
    },
  }),
  // The client tries again by itself, on other masters too.
  defaultOptions: { queries: { retry: false, staleTime: 500, refetchOnWindowFocus: true } },
});

const root = document.querySelector("#root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
