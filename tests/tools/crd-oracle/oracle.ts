/** Asks the real server's validation (main.go): one question a line, one answer a line. Needs Go and its module cache or a way to its modules. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface OracleQuestion {
  readonly crd?: unknown;
  /** The CRD before an update. */
  readonly old?: unknown;
  readonly objects?: readonly { readonly object: unknown; readonly old?: unknown }[];
  readonly expression?: string;
}

export interface OracleProblem {
  readonly type: string;
  readonly field: string;
  readonly message: string;
}

export interface OracleAnswer {
  readonly failed?: string;
  readonly problems: readonly OracleProblem[] | null;
  readonly objects?: readonly { readonly problems: readonly OracleProblem[]; readonly stored: unknown }[];
  /** Estimated costs of rules, by their places. */
  readonly costs?: Readonly<Record<string, number>>;
  readonly issues?: string;
  readonly value?: string;
  readonly error?: string;
  readonly max?: number;
}

/** The program, built; outside the repository, so that a fresh clone need not build again. */
export function builtOracle(): string {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "mecha-tests", "crd-oracle");
  mkdirSync(folder, { recursive: true });
  const program = join(folder, "crd-oracle");
  execFileSync("go", ["build", "-o", program, "."], { cwd: import.meta.dirname, stdio: "inherit" });
  return program;
}

/** Characters of all answers. */
const maxAnswers = 256 * 1024 * 1024;

export function askOracle(program: string, questions: readonly OracleQuestion[]): OracleAnswer[] {
  const input = questions.map((question) => `${JSON.stringify(question)}\n`).join("");
  const { status, stdout, stderr } = spawnSync(program, { input, encoding: "utf8", maxBuffer: maxAnswers });
  if (status !== 0) throw new Error(`the oracle ended with ${String(status)}: ${stderr}`);
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as OracleAnswer);
}
