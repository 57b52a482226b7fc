// Calls to an etcd cluster: one connection at a time, to its leader where that can be had.
//
// K1  A call is written once, to one member. If it fails the connection is left, and the next call
//     dials anew. Nothing is repeated, with one exception: a call that etcd refused for its token,
//     and so did not look at, is written again with a new one.
// K2  A call ends within its limit, dialling included.
// K3  A member that falls silent is found out within `askMs` + `silentMs`, also when only a watch
//     waits for it. The question is a call of its own: pings of HTTP/2 more often than every 5 s
//     make etcd close the connection.
// K4  Every answer must come from the same etcd cluster, and one that came after another may not
//     show an older revision: that would be a restored copy. Both are halts.

import type { CancelTimer, Clock } from "../../lib/clock.ts";
import { JournalHalt } from "../halt.ts";
import { EngineUnavailable } from "../unavailable.ts";
import type { EtcdConnection, StreamOptions } from "./connection.ts";
import { dial, foreignCluster, hiddenLeader, noLeader, type Dialled } from "./dial.ts";
import { EtcdRefusal } from "./errors.ts";
import { credentials, headerOf, methods, range, statusAnswer, tokenAnswer } from "./messages.ts";
import type { Header, Status } from "./messages.ts";
import type { EtcdPlace } from "./url.ts";

export interface ClientOptions {
  readonly place: EtcdPlace;
  readonly clock: Clock;
  readonly callMs?: number;
}

export interface EtcdCallOptions {
  readonly limitMs?: number;
  /** Whether the answer is linearizable, so that its revision can be compared (K4). */
  readonly linear?: boolean;
}

const callMsDefault = 2_000;
const dialMs = 1_000;
const askMs = 250;
const silentMs = 750;

export class EtcdClient {
  readonly place: EtcdPlace;
  readonly #clock: Clock;
  readonly #callMs: number;
  #connection: EtcdConnection | undefined;
  /** Left, but with calls still under way. */
  readonly #retired = new Set<EtcdConnection>();
  #dialling: Promise<Dialled> | undefined;
  /** What the first answer said; all others must agree. */
  #clusterId: string | undefined;
  #revision = 0;
  /** The leader as it was known when the connection was chosen, or since. */
  #leader = noLeader;
  #token: string | undefined;
  #cancelAsk: CancelTimer = () => {};
  #stopped: JournalHalt | undefined;

  constructor({ place, clock, callMs = callMsDefault }: ClientOptions) {
    this.place = place;
    this.#clock = clock;
    this.#callMs = callMs;
  }

  get clusterId(): string {
    return this.#clusterId ?? "unknown";
  }

  /** Dials every endpoint once and waits for all of them: for the preflight. */
  survey(): Promise<Dialled> {
    return this.#dial(true);
  }

  async call(
    method: string,
    message: Uint8Array,
    { limitMs = this.#callMs, linear = false }: EtcdCallOptions = {},
  ): Promise<Buffer> {
    const end = this.#clock.now() + limitMs;
    const seen = this.#revision;
    const connection = await this.#connect(limitMs);
    const answer = await this.#ask(connection, { method, message, end });
    this.#check(connection, answer, linear ? seen : undefined);
    return answer;
  }

  /** One question, many answers. Ends with an error at the latest when the connection does. */
  async stream(method: string, message: Uint8Array, options: StreamOptions): Promise<() => void> {
    const connection = await this.#connect(this.#callMs);
    const token = await this.#tokenFor(connection, this.#clock.now() + this.#callMs);
    const end = connection.stream(method, message, {
      ...options,
      token,
      onEnd: (error) => {
        if (error instanceof EtcdRefusal && error.kind === "token") this.#token = undefined;
        options.onEnd(error);
      },
    });
    void connection.ended.then(end);
    return end;
  }

  /** Of the member that is talked to; with a hidden leader, only its header says something. */
  async status(): Promise<Status> {
    const connection = await this.#connect(this.#callMs);
    const status = await this.#statusOf(connection, this.#callMs);
    this.#checkCluster(connection, status.header);
    return status;
  }

  /** Where the member that is talked to has its page of metrics. */
  get endpoint(): string | undefined {
    return this.#connection?.endpoint;
  }

  close(reason: JournalHalt): void {
    this.#stopped ??= reason;
    this.#cancelAsk();
    this.#connection?.destroy(reason);
    this.#connection = undefined;
    for (const connection of this.#retired) connection.destroy(reason);
  }

  async #ask(
    connection: EtcdConnection,
    { method, message, end }: { method: string; message: Uint8Array; end: number },
  ): Promise<Buffer> {
    for (let tries = 1; ; tries++) {
      try {
        const token = await this.#tokenFor(connection, end);
        return await connection.call(method, message, { limitMs: this.#left(end), token });
      } catch (error) {
        if (error instanceof EngineUnavailable) this.#leave(connection);
        const stale = error instanceof EtcdRefusal && error.kind === "token";
        if (!stale || !this.place.user || tries > 1) throw error;
        this.#token = undefined; // K1: refused before it was looked at.
      }
    }
  }

  async #tokenFor(connection: EtcdConnection, end: number): Promise<string | undefined> {
    const { user } = this.place;
    if (!user) return undefined;
    if (this.#token !== undefined) return this.#token;
    const message = credentials(user.name, user.password);
    const limitMs = this.#left(end);
    this.#token = tokenAnswer(await connection.call(methods.authenticate, message, { limitMs }));
    return this.#token;
  }

  /**
   * With users switched on, newer etcds (3.6) tell their status to administrators only. A read that
   * is linearizable shows as well that the member is alive and has a leader.
   */
  async #statusOf(connection: EtcdConnection, limitMs: number): Promise<Status> {
    const end = this.#clock.now() + limitMs;
    try {
      const options = { limitMs, token: this.#token };
      return statusAnswer(await connection.call(methods.status, Buffer.alloc(0), options));
    } catch (error) {
      if (!(error instanceof EtcdRefusal)) throw error;
      const message = range({ key: `${this.place.prefix}journal`, keysOnly: true });
      const header = headerOf(await this.#ask(connection, { method: methods.range, message, end }));
      return { ...hiddenStatus, header };
    }
  }

  #left(end: number): number {
    return Math.max(1, end - this.#clock.now());
  }

  async #connect(limitMs: number): Promise<EtcdConnection> {
    if (this.#stopped) throw this.#stopped;
    if (this.#connection?.isOpen) return this.#connection;
    const dialled = this.#dial(false);
    let cancel: CancelTimer = () => {};
    const late = new Promise<never>((_, reject) => {
      const why = `no member of etcd could be reached within ${limitMs} ms`;
      cancel = this.#clock.after(limitMs, () => reject(new EngineUnavailable(why)));
    });
    try {
      const { connection } = await Promise.race([dialled, late]);
      return connection;
    } finally {
      cancel();
    }
  }

  /** One at a time; whoever wants a connection meanwhile gets that one. */
  #dial(all: boolean): Promise<Dialled> {
    const { endpoints, tls } = this.place;
    const [clock, clusterId] = [this.#clock, this.#clusterId];
    const ask = (connection: EtcdConnection) => this.#statusOf(connection, dialMs);
    this.#dialling ??= dial({ endpoints, tls, clock, clusterId, all, ask })
      .then((dialled) => this.#adopt(dialled))
      .catch((error: unknown) => {
        if (error instanceof JournalHalt) this.close(error);
        throw error;
      })
      .finally(() => {
        this.#dialling = undefined;
      });
    return this.#dialling;
  }

  #adopt(dialled: Dialled): Dialled {
    const { connection, status } = dialled;
    if (this.#stopped) {
      connection.destroy(this.#stopped);
      throw this.#stopped;
    }
    this.#clusterId ??= status.header.clusterId;
    this.#leader = status.leader;
    if (this.#connection) this.#leave(this.#connection);
    this.#connection = connection;
    void connection.ended.then(() => this.#leave(connection));
    this.#askSoon(connection);
    return dialled;
  }

  #leave(connection: EtcdConnection): void {
    if (this.#connection !== connection) return;
    this.#cancelAsk();
    this.#connection = undefined;
    if (!connection.isOpen) return;
    this.#retired.add(connection);
    void connection.closed.then(() => this.#retired.delete(connection));
    connection.retire();
  }

  /** K3. */
  #askSoon(connection: EtcdConnection): void {
    this.#cancelAsk();
    this.#cancelAsk = this.#clock.after(askMs, () => void this.#askHealth(connection));
  }

  async #askHealth(connection: EtcdConnection): Promise<void> {
    try {
      const { leader } = await this.#statusOf(connection, silentMs);
      // D1: it moved, or this member lost it. The connection stays until a better one is there.
      const moved = leader === noLeader || leader !== this.#leader;
      if (leader !== noLeader) this.#leader = leader;
      if (moved) await this.#dial(false).catch(() => {});
    } catch (error) {
      if (error instanceof EngineUnavailable) connection.destroy(error);
    }
    if (this.#connection === connection) this.#askSoon(connection);
  }

  /** K4. */
  #check(connection: EtcdConnection, answer: Buffer, seen: number | undefined): void {
    const header = headerOf(answer);
    this.#checkCluster(connection, header);
    if (seen === undefined) return;
    if (header.revision < seen) throw revisionWentBack(header.revision, seen);
    this.#revision = Math.max(this.#revision, header.revision);
  }

  #checkCluster(connection: EtcdConnection, { clusterId }: Header): void {
    if (this.#clusterId === undefined || clusterId === this.#clusterId) return;
    const halt = foreignCluster(connection.endpoint, this.#clusterId, clusterId);
    this.close(halt);
    throw halt;
  }
}

const hiddenStatus: Omit<Status, "header"> = {
  version: "",
  leader: hiddenLeader,
  isLearner: false,
  bytes: 0,
  bytesInUse: 0,
  quota: 0,
  errors: [],
};

function revisionWentBack(revision: number, seen: number): JournalHalt {
  return new JournalHalt("head_went_back", {
    what: `etcd is at revision ${revision} but revision ${seen} was seen before`,
    why: "an older copy of its data was put in its place",
    todo: "Do not start workers against it; restore the newest copy of etcd's data",
  });
}
