// File systems that several machines may share: no place for what one machine locks.

/**
 * By the magic number of statfs(2). On these, locks or the shared memory of WAL do not hold between
 * machines, so two masters could both believe that they own the file.
 */
const sharedFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x65735546, "FUSE"],
  [0x01021997, "9P"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x19830326, "BeeGFS"],
  [0x5346414f, "AFS"],
  [0x73757245, "Coda"],
  [0x564c, "NCP"],
  [0x01161970, "GFS2"],
  [0x7461636f, "OCFS2"],
  [0xaad7aaea, "PanFS"],
  [0xbacbacbc, "VMware shared folders"],
  [0x786f4256, "VirtualBox shared folders"],
]);

/** The name of a file system that no journal may lie on, or undefined. */
export function sharedFileSystem(
  type: number,
  platform: string = process.platform,
): string | undefined {
  return platform === "linux" ? sharedFileSystems.get(type >>> 0) : undefined;
}
