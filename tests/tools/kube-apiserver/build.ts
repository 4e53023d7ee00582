/** Builds the real kube-apiserver, for `npm run oracle:kube` and `npm run bench -- kube`: from the Go module k8s.io/kubernetes with a main of ours. */
import { type BuiltProgram, builtGoProgram } from "../../support/go-program.ts";

/** @throws Error with the compiler's output; without Go */
export function builtKubeApiserver(): Promise<BuiltProgram> {
  return builtGoProgram({
    name: "kube-apiserver",
    folder: import.meta.dirname,
    module: "k8s.io/kubernetes",
    cost: "some 20 minutes of CPU",
    variables: (version) => [`k8s.io/component-base/version.gitVersion=${version}`],
  });
}

if (import.meta.main) console.log((await builtKubeApiserver()).path);
