/** Certificates named in the project file or the environment: which files, and what is in them. */
import { readTextFile } from "@mecha/host";
import { assert, explain, mib } from "@mecha/kit";
import { checkTls, type ServerTls, type TlsIdentity } from "@mecha/net";
import type { ClusterTls } from "@mecha/sidecar";
import { UsageError } from "../exit.ts";

/** A value and what the one who gave it calls it. */
export interface Given<T> {
  readonly value: T;
  readonly field: string;
}

/** PEM files, as absolute paths. */
export interface TlsFiles {
  readonly certificate: Given<string>;
  readonly key: Given<string>;
  /** Whose word on the other side is taken. */
  readonly authorities: Given<string> | undefined;
}

/** What is in them. */
export type LoadedTls = TlsIdentity & { readonly authorities?: string };

/** A bundle of all public authorities has about 250 KB. */
const pemMaxBytes = mib;

/** What one source may name. */
export interface TlsGiven {
  readonly certificate: Given<string> | undefined;
  readonly key: Given<string> | undefined;
  readonly authorities: Given<string> | undefined;
}

/** `undefined` when nothing is named. @param need the authorities too. @throws UsageError when a part is missing. */
export function tlsFiles(given: TlsGiven, fields: Record<keyof TlsGiven, string>, need: "identity" | "all"): TlsFiles | undefined {
  const { certificate, key, authorities } = given;
  const named = [certificate, key, authorities].find((one) => one !== undefined);
  if (named === undefined) return undefined;
  const missing = (field: string): never => {
    throw new UsageError(`${named.field} is set and ${field} is not; TLS takes them together`);
  };
  if (need === "all" && authorities === undefined) missing(fields.authorities);
  return { certificate: certificate ?? missing(fields.certificate), key: key ?? missing(fields.key), authorities };
}

/** @throws UsageError naming field and file. */
export async function loadTls({ certificate, key, authorities }: TlsFiles): Promise<LoadedTls> {
  const name = ({ field, value }: Given<string>): string => `${field} (${value})`;
  const loaded = {
    certificate: await readPem(certificate),
    key: await readPem(key),
    ...(authorities && { authorities: await readPem(authorities) }),
  };
  try {
    checkTls(loaded, { certificate: name(certificate), key: name(key), authorities: authorities ? name(authorities) : "" });
  } catch (error) {
    throw new UsageError(explain(error));
  }
  return loaded;
}

/** For the ingress: whoever has authorities wants callers to show certificates. */
export function serverTls({ certificate, key, authorities }: LoadedTls): ServerTls {
  return { certificate, key, ...(authorities !== undefined && { callerAuthorities: authorities }) };
}

/** For members. */
export function clusterTls({ certificate, key, authorities }: LoadedTls): ClusterTls {
  assert(authorities !== undefined, "members name who signs for them");
  return { certificate, key, authorities };
}

/** The text of a PEM file. @throws UsageError naming the field. */
export async function readPem({ field, value }: Given<string>): Promise<string> {
  let text: string | undefined;
  try {
    text = await readTextFile(value, pemMaxBytes);
  } catch (error) {
    throw new UsageError(`${field}: ${explain(error)}`);
  }
  if (text === undefined) throw new UsageError(`${field}: there is no file ${value}`);
  return text;
}
