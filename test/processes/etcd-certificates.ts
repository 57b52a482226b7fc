// Certificates for a test, made by the openssl of this machine.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An authority, a member's certificate for 127.0.0.1 and a client's; undefined without openssl. */
export function makeCertificates() {
  if (spawnSync("openssl", ["version"], { stdio: "ignore" }).status !== 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "skein-certificates-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string) => join(folder, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

  openssl("req", "-x509", ...key, "-days", "2", "-subj", "/CN=test authority", ...out("ca"));
  for (const name of ["server", "client"]) {
    const request = file(`${name}.csr`);
    const extensions = file(`${name}.ext`);
    writeFileSync(
      extensions,
      "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n",
    );
    openssl("req", ...key, "-subj", `/CN=${name}`, "-keyout", file(`${name}.key`), "-out", request);
    const by = ["-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2"];
    const signed = ["-in", request, "-extfile", extensions, "-out", file(`${name}.pem`)];
    openssl("x509", "-req", ...by, ...signed);
  }
  return {
    ca: file("ca.pem"),
    cert: file("client.pem"),
    key: file("client.key"),
    server: { certFile: file("server.pem"), keyFile: file("server.key") },
    client: {
      ca: readFileSync(file("ca.pem")),
      cert: readFileSync(file("client.pem")),
      key: readFileSync(file("client.key")),
    },
  };

  function out(name: string): string[] {
    return ["-keyout", file(`${name}.key`), "-out", file(`${name}.pem`)];
  }
}

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args[0] ?? ""} failed: ${stderr}`);
}
