/** The two files by which the command line finds a running Mecha: `admin.json` (where) and `admin.token` (the right to ask), both 0600 in the state folder. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault, Secret } from "@mecha/kit";
import { readTextFile, writePrivateFile } from "@mecha/host";

export interface AdminAddress {
  readonly url: string;
  readonly pid: number;
}

/** Both files are a line or two. */
const fileMaxBytes = 4_096;

export function newToken(): Secret {
  return new Secret(randomBytes(32).toString("base64url"));
}

export async function writeAdminFiles(folder: string, address: AdminAddress, token: Secret): Promise<void> {
  await writePrivateFile(join(folder, "admin.token"), `${token.reveal()}\n`);
  await writePrivateFile(join(folder, "admin.json"), `${JSON.stringify(address)}\n`);
}

export async function removeAdminFiles(folder: string): Promise<void> {
  await rm(join(folder, "admin.json"), { force: true });
  await rm(join(folder, "admin.token"), { force: true });
}

/** The address in a state folder; `undefined` when there is none or it is damaged. Whether something listens there is another question. */
export async function readAdminAddress(folder: string): Promise<AdminAddress | undefined> {
  const text = await readTextFile(join(folder, "admin.json"), fileMaxBytes);
  try {
    const { url, pid } = JSON.parse(text ?? "{}") as Partial<Record<keyof AdminAddress, unknown>>;
    return typeof url === "string" && typeof pid === "number" ? { url, pid } : undefined;
  } catch {
    return undefined; // written whole or not at all; somebody else's file
  }
}

/** @throws Fault("precondition") when there is none. */
export async function readAdminToken(folder: string): Promise<Secret> {
  const text = await readTextFile(join(folder, "admin.token"), fileMaxBytes);
  if (text === undefined) throw new Fault("precondition", `${join(folder, "admin.token")} is missing; start Mecha again`);
  return new Secret(text.trim());
}
