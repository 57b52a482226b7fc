// What another master may say, checked once at the edge: behind it every message has its shape. Kinds that this
// version does not know are left out, since a newer one may say more (L11); a known one of another shape is an
// error of the other side and ends the connection.

import { hashPattern, namePattern } from "../protocol/ids.ts";
import type { FromStandby, PeerMessage, ToStandby } from "../protocol/peer-messages.ts";
import { cut, fields, incarnationPattern, isWhole, list, text } from "./message-fields.ts";
import { MessageError, textMax, whole, wrong } from "./message-fields.ts";
import type { Fields } from "./message-fields.ts";

type Checks<Message extends { readonly kind: string }> = {
  readonly [K in Message["kind"]]: (message: Fields) => void;
};

/** More than a cluster has; one message may not hold this process up. */
const namesMax = 100_000;
const addressesMax = 16;

const fromStandby: Checks<FromStandby> = {
  hello(message) {
    range(message, "protocol");
    checkAddresses(list(message, "addresses"));
    checkIdentity(message);
  },
  standing(message) {
    for (const name of ["applied", "watermark", "snapshot", "doubts"]) whole(message, name);
  },
  have(message) {
    checkHashes(message);
    whole(message, "applied");
  },
  hears: checkWorkers,
  goodbye: checkReason,
};

const toStandby: Checks<ToStandby> = {
  welcome(message) {
    checkIdentity(message);
    whole(message, "protocol");
    whole(message, "term");
    const { leads } = message;
    if (typeof leads !== "boolean") throw wrong("leads", leads, "true or false");
  },
  appended: (message) => whole(message, "index"),
  fetch(message) {
    checkHashes(message);
    whole(message, "after");
  },
  whoHears: checkWorkers,
  refuse(message) {
    text(message, "code");
    text(message, "message", Infinity);
  },
  goodbye: checkReason,
};

/** @throws MessageError */
export function checkFromStandby(messages: readonly unknown[]): readonly FromStandby[] {
  return check<FromStandby>(messages, fromStandby);
}

/** @throws MessageError */
export function checkToStandby(messages: readonly unknown[]): readonly ToStandby[] {
  return check<ToStandby>(messages, toStandby);
}

function check<Message extends PeerMessage>(
  messages: readonly unknown[],
  checks: Readonly<Record<string, (message: Fields) => void>>,
): readonly Message[] {
  return messages.flatMap((raw) => {
    const message = fields(raw, "a message");
    const kind = message["kind"];
    if (typeof kind !== "string" || !Object.hasOwn(checks, kind)) return [];
    checks[kind]?.(message);
    return [shortened(message as unknown as Message)]; // it has the shape of its kind
  });
}

function checkIdentity(message: Fields): void {
  const { id, incarnation, wall } = message;
  if (typeof id !== "string" || !namePattern.test(id)) throw wrong("id", id, "a name");
  if (typeof incarnation !== "string" || !incarnationPattern.test(incarnation)) {
    throw wrong("incarnation", incarnation, "letters and digits");
  }
  text(message, "version");
  text(message, "journalId");
  range(message, "levels");
  if (!Number.isFinite(wall)) throw wrong("wall", wall, "milliseconds");
}

function checkAddresses(addresses: readonly unknown[]): void {
  if (addresses.length > addressesMax) throw new MessageError("too many addresses");
  for (const address of addresses) {
    if (typeof address !== "string" || address.length > textMax || !URL.canParse(address)) {
      throw wrong("addresses", address, "URLs");
    }
  }
}

function range(message: Fields, name: string): void {
  const [min, max] = list(message, name);
  if (!isWhole(min) || !isWhole(max)) throw wrong(name, message[name], "[min, max]");
}

function checkHashes(message: Fields): void {
  for (const hash of names(message, "hashes")) {
    if (typeof hash !== "string" || !hashPattern.test(hash)) throw wrong("hashes", hash, "hashes");
  }
}

function checkWorkers(message: Fields): void {
  whole(message, "ask");
  for (const worker of names(message, "workers")) {
    if (!isWhole(worker)) throw wrong("workers", worker, "numbers of workers");
  }
}

function names(message: Fields, name: string): readonly unknown[] {
  const all = list(message, name);
  if (all.length > namesMax) throw new MessageError(`${all.length} ${name} in one message`);
  return all;
}

function checkReason(message: Fields): void {
  text(message, "reason", Infinity);
}

function shortened<Message extends PeerMessage>(message: Message): Message {
  if (message.kind === "goodbye") return { ...message, reason: cut(message.reason, textMax) };
  if (message.kind === "refuse") return { ...message, message: cut(message.message, textMax) };
  return message;
}
