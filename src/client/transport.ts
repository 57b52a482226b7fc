// How a request reaches a master: a port, so that Node uses undici, a browser fetch, and a test neither.
//
//   H1. A transport sends once. Trying again is the caller's business (calls.ts).
//   H2. It rejects when no answer came, and its body throws when the answer was cut.
//   H3. It gives up after `silenceMs` without a byte, before the answer and inside it.

export interface TransportRequest {
  readonly method: string;
  /** Absolute: http://host:port/v1/… */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string | undefined;
  readonly signal: AbortSignal | undefined;
  /** The longest silence, in milliseconds: until the answer begins, and between its pieces. */
  readonly silenceMs: number;
}

export interface TransportResponse {
  readonly status: number;
  header(name: string): string | undefined;
  /** Read one of the three, once. Leaving the iteration early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  text(): Promise<string>;
  bytes(): Promise<Uint8Array>;
}

export interface Transport {
  (request: TransportRequest): Promise<TransportResponse>;
  /**
   * Sends on a connection of its own, behind no other request: so that a master can be asked whether it lives while
   * all connections to it wait. Without it a silent master is noticed by `silenceMs` only.
   */
  readonly aside?: Transport;
}

/**
 * Sends through the platform's `fetch`: for browsers and other runtimes. In Node it doubles a call's
 * latency; the SDK brings undici instead.
 */
export const fetchTransport: Transport = (request) => sendByFetch(request, {});

/** The same for a page: its cookie goes along, to masters of other origins too, and `headers` as they are then. */
export function pageTransport(headers: () => Readonly<Record<string, string>>): Transport {
  return (request) =>
    sendByFetch(
      { ...request, headers: { ...request.headers, ...headers() } },
      { credentials: "include" },
    );
}

async function sendByFetch(
  request: TransportRequest,
  more: RequestInit,
): Promise<TransportResponse> {
  const { method, url, headers } = request;
  const watch = watchSilence(request);
  try {
    const response = await fetch(url, {
      method,
      headers,
      // A view of its own: fetch wants bytes that are not shared memory.
      body: typeof request.body === "string" ? request.body : (request.body?.slice() ?? null),
      signal: watch.signal,
      ...more,
    });
    const body = readBody(response, watch);
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body,
      bytes: () => collect(body),
      text: async () => new TextDecoder().decode(await collect(body)),
    };
  } catch (error) {
    watch.end();
    throw error;
  }
}

interface SilenceWatch {
  readonly signal: AbortSignal;
  heard(): void;
  end(): void;
}

function watchSilence({ signal, silenceMs }: TransportRequest): SilenceWatch {
  const controller = new AbortController();
  const follow = () => controller.abort(signal?.reason);
  const give = () => controller.abort(new Error(`no byte for ${silenceMs} ms`));
  let timer = setTimeout(give, silenceMs);
  if (signal?.aborted) follow();
  signal?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    heard: () => {
      clearTimeout(timer);
      timer = setTimeout(give, silenceMs);
    },
    end: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", follow);
    },
  };
}

async function* readBody(response: Response, watch: SilenceWatch): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    while (reader) {
      watch.heard();
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    watch.end();
    // The reader may be in an error state already; there is nothing left to report.
    await reader?.cancel().catch(() => {});
  }
}

/** All bytes of a body. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
  }
  const all = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}
