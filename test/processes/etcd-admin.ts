// What an operator does with etcdctl, for tests.

import { methods, credentials, tokenAnswer } from "../../src/journal/etcd/messages.ts";
import { bytesField, messageField, numberField } from "../../src/journal/etcd/protobuf.ts";
import type { EtcdCluster } from "../tools/etcd.ts";

const auth = "/etcdserverpb.Auth";
const maintenance = "/etcdserverpb.Maintenance";
const root = { name: "root", password: "root" };
const role = "journal";
const nothing = Buffer.alloc(0);

export const admin = {
  /** Gives free space back to the file system: `etcdctl defrag`. */
  defragment: (etcd: EtcdCluster, at: number) =>
    etcd.call(at, `${maintenance}/Defragment`, nothing),

  /** `etcdctl alarm disarm`: etcd keeps one alarm for each member that raised it. */
  async disarm(etcd: EtcdCluster) {
    const { errors } = await etcd.status(0);
    for (const [, memberId = "0"] of errors.join().matchAll(/memberID:(\d+) alarm:NOSPACE/g)) {
      const alarm = [numberField(1, 2), numberField(2, BigInt(memberId)), numberField(3, 1)];
      await etcd.call(0, `${maintenance}/Alarm`, Buffer.concat(alarm));
    }
  },

  /** A root, a user who may read and write below a prefix, and nobody else. */
  async enableAuth(etcd: EtcdCluster, user: { name: string; password: string; prefix: string }) {
    const { name, password, prefix } = user;
    const end = `${prefix.slice(0, -1)}0`;
    const range = [numberField(1, 2), bytesField(2, prefix), bytesField(3, end)];
    await etcd.call(0, `${auth}/UserAdd`, credentials(root.name, root.password));
    await etcd.call(0, `${auth}/RoleAdd`, bytesField(1, "root"));
    await etcd.call(0, `${auth}/UserGrantRole`, names(root.name, "root"));
    await etcd.call(0, `${auth}/UserAdd`, credentials(name, password));
    await etcd.call(0, `${auth}/RoleAdd`, bytesField(1, role));
    const permission = Buffer.concat([bytesField(1, role), messageField(2, ...range)]);
    await etcd.call(0, `${auth}/RoleGrantPermission`, permission);
    await etcd.call(0, `${auth}/UserGrantRole`, names(name, role));
    await etcd.call(0, `${auth}/AuthEnable`, nothing);
  },

  /** Takes everything from the user that `enableAuth` gave. */
  async revoke(etcd: EtcdCluster, name: string) {
    const login = credentials(root.name, root.password);
    const token = tokenAnswer(await etcd.call(0, methods.authenticate, login));
    await etcd.call(0, `${auth}/UserRevokeRole`, names(name, role), token);
  },
};

function names(first: string, second: string): Buffer {
  return Buffer.concat([bytesField(1, first), bytesField(2, second)]);
}
