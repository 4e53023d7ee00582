import { relative, resolve } from "node:path";
import { type Config, explain, type Options, readConfig, unknownVariables } from "@mecha/kit";
import { type ExitCode, UsageError } from "../exit.ts";
import type { Io } from "../io.ts";
import { options as declared } from "../options.ts";
import { readProjectManifests } from "../manifests/read.ts";
import { openProject, projectFileName } from "../project/find.ts";
import { runEnvironment } from "../up/environment.ts";
import { runProject } from "../up/run.ts";
import { settingsOf, type UpOptions } from "../up/settings.ts";

/** `mecha up` */
export async function up(io: Io, options: UpOptions): Promise<ExitCode> {
  const config = environmentOf(io, declared);
  const folder = resolve(io.cwd, options.folder);
  const shown = relative(io.cwd, folder);
  const manifests =
    (options.apply ?? true) ? await readProjectManifests(folder, shown.startsWith("../../") ? folder : shown, projectFileName) : [];
  const found = await openProject(folder, io.cwd, manifests.length > 0);
  const state = options.state === undefined ? undefined : resolve(io.cwd, options.state);
  const settings = settingsOf(found, options, state, runEnvironment(config, io.cwd), manifests);
  return runProject(io, settings, config);
}

/** @throws UsageError listing every mistaken variable. */
export function environmentOf<O extends Options>(io: Io, table: O): Config<O> {
  try {
    const config = readConfig(table, io.env);
    for (const { name, nearest } of unknownVariables(table, io.env))
      io.err(`mecha: the variable ${name} means nothing here${nearest === undefined ? "" : `; did you mean ${nearest}?`}\n`);
    return config;
  } catch (error) {
    throw new UsageError(explain(error));
  }
}
