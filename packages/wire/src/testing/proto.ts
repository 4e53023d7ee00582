/** Descriptor sets for tests, from .proto text. Runs the buf compiler the repository brings along. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

/**
 * A serialized FileDescriptorSet of these files and all they import. google/api, cloudstate and google/protobuf may be imported.
 * @param files Text by path, `shop/cart.proto`.
 */
export function compileProto(files: Readonly<Record<string, string>>): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "mecha-proto-"));
  try {
    cpSync(join(root, "api/proto"), folder, { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const paths = Object.keys(files).flatMap((path) => ["--path", join(folder, path)]);
    const args = ["build", folder, ...paths, "--as-file-descriptor-set", "-o", "-#format=binpb"];
    const buf = spawnSync(join(root, "node_modules/.bin/buf"), args, { maxBuffer: 64 * 1024 * 1024 });
    if (buf.status !== 0) throw new Error(`buf build: ${String(buf.stderr)}`);
    return buf.stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
