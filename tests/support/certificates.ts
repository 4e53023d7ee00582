/** Certificates for tests, made by openssl as an operator would: an authority, and what it signed. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "node:tls";
import { runProgram } from "./program.ts";

/** PEM texts and the files they are in. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

/** An authority that can sign. */
export interface Authority extends Certificate {
  /** A certificate for these DNS names, and for 127.0.0.1. Signed again for the same names it replaces the files. */
  sign(...names: readonly string[]): Promise<Certificate>;
}

const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/** PEM of the certificate that is shown at a port of this machine to a caller with `identity`. */
export async function shownAt(port: number, ca: Certificate, identity: Certificate): Promise<string> {
  const { certificate: cert, key: own } = identity;
  const socket = connect({ host: "127.0.0.1", port, ca: ca.certificate, cert, key: own });
  try {
    await once(socket, "secureConnect");
    return socket.getPeerX509Certificate()?.toString() ?? "none";
  } finally {
    socket.destroy();
  }
}

/** An authority whose files are in `folder`, their names beginning with `name`. */
export async function authority(folder: string, name = "ca"): Promise<Authority> {
  const made = async (file: string, ...more: readonly string[]): Promise<Certificate> => {
    const [certificateFile, keyFile] = [join(folder, `${file}.crt`), join(folder, `${file}.key`)];
    const ended = await runProgram("openssl", ["req", "-x509", ...key, "-keyout", keyFile, "-out", certificateFile, ...more]);
    if (ended.code !== 0) throw new Error(`openssl: ${ended.output}`);
    return { certificate: await readFile(certificateFile, "utf8"), key: await readFile(keyFile, "utf8"), certificateFile, keyFile };
  };
  const own = await made(name, "-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE");
  const sign = (...names: readonly string[]): Promise<Certificate> => {
    const alternatives = ["IP:127.0.0.1", ...names.map((one) => `DNS:${one}`)].join();
    const signer = ["-CA", own.certificateFile, "-CAkey", own.keyFile, "-addext", "basicConstraints=critical,CA:FALSE"];
    return made(`${name}-${names[0] ?? "nobody"}`, "-subj", "/O=Mecha", "-addext", `subjectAltName=${alternatives}`, ...signer);
  };
  return { ...own, sign };
}
