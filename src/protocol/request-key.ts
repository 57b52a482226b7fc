// Idempotency keys of Skein's own clients: "skein:<client id>:<n>" (K8). They are kept otherwise than keys that
// people choose, so that they have a prefix that nobody else may use: "order:3" is somebody's own key.

export const clientKeyPrefix = "skein:";
export const clientIdPattern = /^[A-Za-z0-9_-]{1,64}$/;
// A client with many requests in flight numbers them under "id", "id.1", "id.2" …
const clientKey = /^skein:([A-Za-z0-9_-]{1,64}(?:\.\d{1,4})?):([1-9]\d{0,14})$/;

export interface ClientKey {
  readonly client: string;
  readonly n: number;
}

export function clientKeyText({ client, n }: ClientKey): string {
  return `${clientKeyPrefix}${client}:${n}`;
}

export function parseClientKey(text: string): ClientKey | undefined {
  const [, client, n] = clientKey.exec(text) ?? [];
  return client === undefined ? undefined : { client, n: Number(n) };
}
