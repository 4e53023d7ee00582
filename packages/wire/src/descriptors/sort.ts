/**
 * Puts .proto files in an order in which every file follows those it imports. protoc writes them so; other makers of descriptor
 * sets (Go functions, for one) do not, and the registry needs it.
 */
import type { FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { Fault } from "@mecha/kit";

/** Files of a set by name, and where to find one that the set lacks. */
export interface FileSource {
  readonly files: ReadonlyMap<string, FileDescriptorProto>;
  /** A file every compiler knows, such as google/protobuf/any.proto. */
  readonly known: (name: string) => FileDescriptorProto | undefined;
}

/** One file on the way down: which import comes next. */
interface Step {
  readonly file: FileDescriptorProto;
  next: number;
}

/**
 * The set's files and the well-known ones they import, imports first, otherwise in the set's order. Without recursion, so that a
 * hostile chain of imports cannot exhaust the stack.
 * @throws Fault("invalid") for a cycle or a missing import, naming the path of imports.
 */
export function sortFiles({ files, known }: FileSource): FileDescriptorProto[] {
  const sorted: FileDescriptorProto[] = [];
  const done = new Set<string>();
  for (const root of files.values()) if (!done.has(root.name)) visit(root, { files, known }, done, sorted);
  return sorted;
}

function visit(root: FileDescriptorProto, source: FileSource, done: Set<string>, sorted: FileDescriptorProto[]): void {
  const path: Step[] = [{ file: root, next: 0 }];
  const open = new Set([root.name]);
  for (let step = path.at(-1); step; step = path.at(-1)) {
    const name = step.file.dependency[step.next++];
    if (name === undefined) {
      path.pop();
      open.delete(step.file.name);
      done.add(step.file.name);
      sorted.push(step.file);
    } else if (!done.has(name)) {
      if (open.has(name)) throw new Fault("invalid", `the descriptors import each other in a circle: ${importPath(path, name)}`);
      const file = source.files.get(name) ?? source.known(name);
      if (!file) {
        throw new Fault("invalid", `the descriptors lack ${name}: ${importPath(path, name)}; build the set with all imports included`);
      }
      path.push({ file, next: 0 });
      open.add(name);
    }
  }
}

/** Names shown of a long path: its beginning and its end. */
const pathShownMax = 12;

function importPath(path: readonly Step[], last: string): string {
  const names = [...path.map((step) => step.file.name), last];
  if (names.length <= pathShownMax) return names.join(" imports ");
  return [...names.slice(0, pathShownMax / 2), "…", ...names.slice(-pathShownMax / 2)].join(" imports ");
}
