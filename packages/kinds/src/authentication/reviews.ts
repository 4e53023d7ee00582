/** Questions about who somebody is. Asked by create, answered in the status, never stored. */
import { definer } from "../define.ts";

const define = definer("authentication.k8s.io", "v1");
const verbs = ["create"];

export const tokenReview = define({ kind: "TokenReview", plural: "tokenreviews", namespaced: false, verbs });
export const selfSubjectReview = define({ kind: "SelfSubjectReview", plural: "selfsubjectreviews", namespaced: false, verbs });
