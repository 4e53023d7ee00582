/** Reads a project file: text in, a checked project or all its mistakes out. */
import { Fault } from "@mecha/kit";
import { LineCounter, parseDocument } from "yaml";
import { type Project, projectShape } from "./schema.ts";
import { Check, CheckEnded, Place, type Problem } from "./shape.ts";

/** Longest project file, bytes; a hundred functions take about 30 KiB. */
export const projectFileMaxBytes = 262_144;

/** Variables Mecha sets itself. */
const reservedVariables = ["PORT", "HOST"];

export type ProjectReading = { readonly project: Project } | { readonly problems: readonly Problem[] };

/** Never throws: whatever the text is, the answer is a project or its mistakes. */
export function readProject(source: string): ProjectReading {
  if (Buffer.byteLength(source) > projectFileMaxBytes)
    return { problems: [wholeFile(`the file is larger than ${projectFileMaxBytes} bytes; is it a project file?`)] };
  const lines = new LineCounter();
  try {
    return check(source, lines);
  } catch (error) {
    // The parser recurses: thousands of nested brackets exhaust the stack, which V8 reports as a RangeError and survives.
    if (error instanceof RangeError) return { problems: [wholeFile("values are nested too deeply; a project file needs seven levels")] };
    throw error;
  }
}

/** @throws Fault("invalid") that lists every mistake as `file:line:column: path: text`. */
export function projectOf(reading: ProjectReading, fileName: string): Project {
  if ("project" in reading) return reading.project;
  const { problems } = reading;
  const listed = problems.map((p) => `  ${fileName}:${p.line}:${p.column}: ${p.path === "" ? "" : `${p.path}: `}${p.text}`);
  throw new Fault(
    "invalid",
    `${fileName} has ${problems.length === 1 ? "a mistake" : `${problems.length} mistakes`}:\n${listed.join("\n")}`,
  );
}

function check(source: string, lines: LineCounter): ProjectReading {
  // Double keys are found by the shapes, in linear time; the parser's own check compares each key with each.
  const document = parseDocument(source, { lineCounter: lines, uniqueKeys: false, prettyErrors: false, merge: false, logLevel: "silent" });
  const run = new Check(document, lines);
  try {
    for (const error of document.errors) run.reportAt(error.pos[0], "", `not readable as YAML: ${firstLine(error.message)}`);
    if (run.problems.length > 0) return { problems: run.problems };
    const project = projectShape.read(new Place(run, document.contents ?? undefined, ""));
    if (project) checkMeaning(project, (path, text) => run.report(undefined, path, text));
    return project && run.problems.length === 0 ? { project } : { problems: inOrder(run.problems) };
  } catch (error) {
    if (error instanceof CheckEnded) return { problems: inOrder(run.problems) };
    throw error;
  }
}

/** Mistakes that only show when fields are seen together. */
function checkMeaning(project: Project, report: (path: string, text: string) => void): void {
  const { functions, ingress, admin } = project.spec;
  const names = new Map<string, number>();
  const ports = new Map<number, string>([[ingress.port, "spec.ingress.port"]]);
  const takePort = (port: number | undefined, path: string): void => {
    if (port === undefined) return;
    const holder = ports.get(port);
    if (holder === undefined) ports.set(port, path);
    else report(path, `port ${port} is already that of ${holder}; choose another`);
  };
  takePort(admin.port, "spec.admin.port");
  takePort(project.spec.metrics.port, "spec.metrics.port");
  functions.forEach((fn, i) => {
    const path = `spec.functions[${i}]`;
    const first = names.get(fn.name);
    if (first !== undefined) report(`${path}.name`, `"${fn.name}" is already the name of spec.functions[${first}]; choose another`);
    names.set(fn.name, first ?? i);
    takePort(fn.port, `${path}.port`);
    const variables = new Set<string>();
    fn.env.forEach((variable, j) => {
      const at = `${path}.env[${j}].name`;
      if (reservedVariables.includes(variable.name))
        report(
          at,
          `${variable.name} is set by Mecha; ${variable.name === "PORT" ? `use the field \`port\` of the function` : "functions listen on loopback"}`,
        );
      if (variables.has(variable.name)) report(at, `the variable ${variable.name} is given twice; remove one`);
      variables.add(variable.name);
    });
  });
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function wholeFile(text: string): Problem {
  return { line: 1, column: 1, path: "", text };
}

function firstLine(message: string): string {
  return message.split("\n")[0] ?? message;
}
