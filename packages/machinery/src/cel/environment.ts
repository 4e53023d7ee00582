/**
 * Everything rules of the Kubernetes API may call. @see Kubernetes, "Common Expression Language in Kubernetes", section "CEL options, language features
 * and libraries"
 */
import { environmentOf, type Environment, Library } from "./language/environment.ts";
import { addFormats, formatType } from "./library/formats.ts";
import { addListExtension, addLists, addMapInserts, addSets } from "./library/lists.ts";
import { addNetwork, cidrType, ipType } from "./library/network.ts";
import { addOptionals } from "./library/optionals.ts";
import { addQuantities, quantityType } from "./library/quantity.ts";
import { addRegex } from "./library/regex.ts";
import { addSemver, semverType } from "./library/semver.ts";
import { addStandard } from "./library/standard.ts";
import { addStrings } from "./library/strings.ts";
import { addUrls, urlType } from "./library/url.ts";

/** Made once: it is the same for all rules but for their variables and types. */
export const kubernetesEnvironment: Environment = make();

function make(): Environment {
  const library = new Library();
  const adds = [addStandard, addUrls, addRegex, addLists, addOptionals, addQuantities, addStrings, addSets, addNetwork, addFormats];
  for (const add of [...adds, addMapInserts, addSemver, addListExtension]) add(library);
  return environmentOf(library.functions, [ipType, cidrType, urlType, quantityType, formatType, semverType]);
}
