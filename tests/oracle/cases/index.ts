/** All cases, in the order they run. */
import type { Case } from "../session.ts";
import { accessCases } from "./access.ts";
import { badTypes } from "./bad-types.ts";
import { crdCases } from "./crds.ts";
import { crudCases } from "./crud.ts";
import { deletionCases } from "./deletion.ts";
import { discoveryCases } from "./discovery.ts";
import { errorCases } from "./errors.ts";
import { kindCases } from "./kinds.ts";
import { listCases } from "./lists.ts";
import { ownKindCases } from "./own-kinds.ts";
import { patchCases } from "./patches.ts";
import { userCases } from "./users.ts";
import { warningCases } from "./warnings.ts";

export function allCases(): readonly Case[] {
  return [
    ...discoveryCases,
    ...crudCases(),
    ...errorCases,
    badTypes,
    ...listCases,
    ...patchCases,
    ...deletionCases,
    ...userCases,
    ...kindCases(),
    ...warningCases(),
    ...crdCases,
    ...ownKindCases(),
    ...accessCases,
  ];
}
