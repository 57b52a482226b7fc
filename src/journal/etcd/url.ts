// Where the etcd of a journal is, from its URL:
//
//     etcd://[user:password@]host:2379,host:2379/prefix         without TLS
//     etcds://…  or  ?ca=file&cert=file&key=file                with TLS
//
// `ca` is whom to trust besides the system's own list; `cert` and `key` are for etcds that ask clients
// for a certificate. User and password are percent-encoded where they hold `:`, `@` or `/`.

import { readFileSync } from "node:fs";
import type { SecureContextOptions } from "node:tls";
import { JournalHalt } from "../halt.ts";

export interface EtcdPlace {
  /** Like "http://host:2379". */
  readonly endpoints: readonly string[];
  /** Of every key of this journal; ends with "/". */
  readonly prefix: string;
  readonly tls?: SecureContextOptions;
  readonly user?: { readonly name: string; readonly password: string };
}

const files = ["ca", "cert", "key"] as const;
const example = 'Name one like "etcd://a:2379,b:2379,c:2379/skein"';

/** `rest` is what follows "etcd://" or "etcds://". Never quoted in an error: it may hold a password. */
export function parseEtcdUrl(rest: string, secure: boolean): EtcdPlace {
  const found = /^(?:([^/?#]*)@)?([^/?#@]*)(\/[^?#]*)?(?:\?([^#]*))?$/.exec(rest);
  if (!found) throw wrong("it is not a URL of etcd");
  const [, login, hosts = "", path = "", query = ""] = found;
  const tls = tlsOf(query);
  const scheme = secure || tls ? "https" : "http";
  const endpoints = hosts.split(",").map((host) => endpointOf(scheme, host));
  const prefix = decoded(path).replace(/\/+$/, "");
  if (prefix === "") throw wrong("it names no prefix for the keys");
  return {
    endpoints: [...new Set(endpoints)],
    prefix: `${prefix}/`,
    ...(scheme === "https" && { tls: tls ?? {} }),
    ...(login !== undefined && { user: userOf(login) }),
  };
}

function endpointOf(scheme: string, host: string): string {
  const origin = `${scheme}://${host}`;
  // A default port would be that of the web, not etcd's.
  if (!/.:\d+$/.test(host) || !URL.canParse(origin)) throw wrong(`"${host}" is not host:port`);
  return origin;
}

function userOf(login: string): { name: string; password: string } {
  const colon = login.indexOf(":");
  if (colon < 1) throw wrong("the user has no password");
  return { name: decoded(login.slice(0, colon)), password: decoded(login.slice(colon + 1)) };
}

function tlsOf(query: string): SecureContextOptions | undefined {
  if (query === "") return undefined;
  const given = new URLSearchParams(query);
  const tls: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
  for (const [name, path] of given) {
    const file = files.find((one) => one === name);
    if (!file) throw wrong(`"${name}" is none of ${files.join(", ")}`);
    tls[file] = contents(file, path);
  }
  if (!tls.cert !== !tls.key) throw wrong("cert and key go together");
  return tls;
}

function contents(name: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw wrong(`the file of ${name} cannot be read (${path})`, cause);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw wrong("its percent-encoding is broken", cause);
  }
}

function wrong(why: string, cause?: unknown): JournalHalt {
  const what = "no journal can be opened at this URL of etcd";
  return new JournalHalt("preflight", { what, why, todo: example, cause });
}
