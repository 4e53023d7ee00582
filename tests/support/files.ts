/** Temporary folders that go away with the test. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A folder that is deleted, with all in it, at the end of the scope. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
  /** Writes files given by relative path, making folders on the way. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
}

/** `await using dir = await tempDir();` */
export async function tempDir(name = "test"): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), `mecha-${name}-`));
  return {
    path,
    async write(files) {
      for (const [file, content] of Object.entries(files)) {
        await mkdir(dirname(join(path, file)), { recursive: true });
        await writeFile(join(path, file), content);
      }
    },
    // A killed child may still be writing its last lines: rm retries while the folder fills.
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}
