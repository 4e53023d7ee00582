/** A doubly linked list whose links live in its members: adding, removing and moving to the end cost no allocation. */

/** A member. It is in at most one list at a time. */
export interface Member<T> {
  /** The list it is in. */
  memberOf: object | undefined;
  memberBefore: T | undefined;
  memberAfter: T | undefined;
}

/** In order of adding. */
export class MemberList<T extends Member<T>> {
  first: T | undefined = undefined;
  last: T | undefined = undefined;
  size = 0;

  /** Appends `item`, which is in no list. */
  add(item: T): void {
    item.memberOf = this;
    item.memberBefore = this.last;
    item.memberAfter = undefined;
    if (this.last === undefined) this.first = item;
    else this.last.memberAfter = item;
    this.last = item;
    this.size++;
  }

  /** Takes `item` out, if it is in this list. */
  remove(item: T): void {
    if (item.memberOf !== this) return;
    const before = item.memberBefore;
    const after = item.memberAfter;
    if (before === undefined) this.first = after;
    else before.memberAfter = after;
    if (after === undefined) this.last = before;
    else after.memberBefore = before;
    item.memberOf = undefined;
    item.memberBefore = undefined;
    item.memberAfter = undefined;
    this.size--;
  }

  /** Takes out the oldest. */
  shift(): T | undefined {
    const item = this.first;
    if (item !== undefined) this.remove(item);
    return item;
  }
}
