import type { TopicLog } from "@mecha/binding/topics";
import type { Copied, CopyOptions } from "../copies.ts";

/** Topics that are a file. */
export interface FileTopics extends TopicLog, Copied {
  /**
   * Remembers this moment in a new file: a copy made later with it as `mark` is of this moment.
   * @returns false when there is nothing to copy yet, and no mark then.
   * @throws Fault("unavailable") when it cannot be written.
   */
  mark(file: string): Promise<boolean>;
  /** As `Copied.backup`. `mark`: is used up. */
  backup(file: string, options?: CopyOptions, mark?: string): Promise<void>;
}
