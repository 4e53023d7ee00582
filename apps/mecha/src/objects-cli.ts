/** What can be typed to look at and change Kubernetes objects without kubectl. */
import type { Command } from "commander";
import type { objectsApply, objectsDelete, objectsDescribe, objectsGet } from "./commands/objects.ts";
import type { CommandTools } from "./events-cli.ts";
import type { Io } from "./io.ts";

/** Adds the commands. */
export function addObjects(program: Command, io: Io, { client, examples }: CommandTools): void {
  const cluster = (command: Command): Command =>
    client(command)
      .option("-n, --namespace <name>", "namespace (default: that of the kubeconfig, else default)")
      .option("--kubeconfig <file>", "another cluster than the project's own")
      .option("--context <name>", "a context of that kubeconfig");
  cluster(program.command("get"))
    .description("List objects of the Kubernetes API, or show one.")
    .argument("<resource>", "plural, singular or short name; with its group where two have the name: deployments.apps")
    .argument("[name]", "name of one object")
    .option("-A, --all-namespaces", "objects of all namespaces")
    .option("-l, --selector <labels>", "only objects with these labels, e.g. app=cart,tier!=db")
    .addHelpText("after", examples(["mecha get statefulservices", "mecha get cm greeting -o json", "mecha get deploy -A -l app=cart"]))
    .action(async (resource: string, name: string | undefined, options: Parameters<typeof objectsGet>[1]) =>
      (await import("./commands/objects.ts")).objectsGet(io, options, resource, name),
    );
  cluster(program.command("describe"))
    .description("Show one object whole, and the events about it.")
    .argument("<resource>", "as of get")
    .argument("<name>", "name of the object")
    .addHelpText("after", examples(["mecha describe statefulservice cart"]))
    .action(async (resource: string, name: string, options: Parameters<typeof objectsDescribe>[1]) =>
      (await import("./commands/objects.ts")).objectsDescribe(io, options, resource, name),
    );
  cluster(program.command("apply"))
    .description("Make objects be as files say (server-side apply, manager `mecha`).")
    .argument("<file...>", "YAML or JSON files, or folders of them")
    .option("--force-conflicts", "take over fields that others manage")
    .option("--dry-run", "let the server check it and change nothing")
    .addHelpText("after", examples(["mecha apply deploy/", "mecha apply crd.yaml example.yaml --dry-run"]))
    .action(async (files: readonly string[], options: Parameters<typeof objectsApply>[1]) =>
      (await import("./commands/objects.ts")).objectsApply(io, options, files),
    );
  cluster(program.command("delete"))
    .description("Delete an object. What it owns goes with it.")
    .argument("<resource>", "as of get")
    .argument("<name...>", "names of objects")
    .addHelpText("after", examples(["mecha delete cm greeting"]))
    .action(async (resource: string, names: readonly string[], options: Parameters<typeof objectsDelete>[1]) =>
      (await import("./commands/objects.ts")).objectsDelete(io, options, resource, names),
    );
}
