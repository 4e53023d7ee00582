/** Macros: calls that become loops, tests and bindings before anything is checked. What they expand to is what the server counts the cost of. */
import { accumulator, type Call, type Expr, type Fold } from "./ast.ts";

/** An argument a macro cannot take; `at` is its place. */
export class MacroError extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** What the macro of a call's name makes of it; `undefined` when it is no macro. */
export function expandMacro(call: Call): Expr | undefined {
  const key = `${call.target ? "." : ""}${call.name}/${String(call.args.length)}`;
  return Object.hasOwn(macros, key) ? macros[key]?.(new Builder(call), call) : undefined;
}

type Macro = (make: Builder, call: Call) => Expr;

/** Nodes of an expansion: all of them at the place of the call. */
class Builder {
  readonly at: number;
  readonly target: Expr;
  readonly args: readonly Expr[];

  constructor({ at, target, args }: Call) {
    this.at = at;
    this.args = args;
    this.target = target ?? this.literal(null);
  }

  arg(index: number): Expr {
    return this.args[index] ?? this.literal(null);
  }
  literal(value: unknown): Expr {
    return { kind: "literal", value, at: this.at };
  }
  ident(name: string): Expr {
    return { kind: "ident", name, at: this.at };
  }
  call(name: string, ...args: Expr[]): Expr {
    return { kind: "call", name, target: undefined, args, at: this.at };
  }
  memberCall(name: string, target: Expr, ...args: Expr[]): Expr {
    return { kind: "call", name, target, args, at: this.at };
  }
  list(...values: Expr[]): Expr {
    return { kind: "list", elements: values.map((value) => ({ value, optional: false })), at: this.at };
  }
  get accumulated(): Expr {
    return this.ident(accumulator);
  }
  fold(variables: Variables, parts: Pick<Fold, "init" | "condition" | "step" | "result">): Expr {
    return { kind: "fold", range: this.target, ...variables, accumulator, ...parts, at: this.at };
  }
  /** `name` stands for `value` in `result`. */
  binding(name: string, value: Expr, result: Expr): Expr {
    const range = this.list();
    const parts = { init: value, condition: this.literal(false), step: this.ident(name), result };
    return { kind: "fold", range, variable: "#unused", second: undefined, accumulator: name, ...parts, at: this.at };
  }
}

interface Variables {
  readonly variable: string;
  readonly second: string | undefined;
}

/** The name a loop gives an element. */
function variableOf(expr: Expr, complaint = "argument must be a simple name"): string {
  if (expr.kind !== "ident" || expr.name.startsWith(".")) throw new MacroError(complaint, expr.at);
  if (expr.name === "__result__") throw new MacroError("iteration variable overwrites accumulator variable", expr.at);
  return expr.name;
}

const oneVariable = (make: Builder, complaint?: string): Variables => ({ variable: variableOf(make.arg(0), complaint), second: undefined });

function twoVariables(make: Builder): Variables {
  const [variable, second] = [variableOf(make.arg(0)), variableOf(make.arg(1))];
  if (variable === second) throw new MacroError(`duplicate variable name: ${variable}`, make.arg(1).at);
  return { variable, second };
}

/** Loops in a form for one variable and, with another argument, a form for two. */
const all =
  (variables: (make: Builder) => Variables, predicate: number): Macro =>
  (make) =>
    make.fold(variables(make), {
      init: make.literal(true),
      condition: make.call("@not_strictly_false", make.accumulated),
      step: make.call("_&&_", make.accumulated, make.arg(predicate)),
      result: make.accumulated,
    });

const exists =
  (variables: (make: Builder) => Variables, predicate: number): Macro =>
  (make) =>
    make.fold(variables(make), {
      init: make.literal(false),
      condition: make.call("@not_strictly_false", make.call("!_", make.accumulated)),
      step: make.call("_||_", make.accumulated, make.arg(predicate)),
      result: make.accumulated,
    });

const existsOne =
  (variables: (make: Builder) => Variables, predicate: number): Macro =>
  (make) =>
    make.fold(variables(make), {
      init: make.literal(0n),
      condition: make.literal(true),
      step: make.call("_?_:_", make.arg(predicate), make.call("_+_", make.accumulated, make.literal(1n)), make.accumulated),
      result: make.call("_==_", make.accumulated, make.literal(1n)),
    });

interface Gathering {
  readonly init: Expr;
  /** The accumulator with one more. */
  readonly step: Expr;
  readonly filter: Expr | undefined;
}

function gather(make: Builder, variables: Variables, { init, step, filter }: Gathering): Expr {
  return make.fold(variables, {
    init,
    condition: make.literal(true),
    step: filter ? make.call("_?_:_", filter, step, make.accumulated) : step,
    result: make.accumulated,
  });
}

const intoList = (make: Builder, variables: Variables, value: Expr, filter?: Expr): Expr =>
  gather(make, variables, { init: make.list(), step: make.call("_+_", make.accumulated, make.list(value)), filter });

const noName = "argument is not an identifier";

const map: Macro = (make) => {
  const variables = oneVariable(make, noName);
  return make.args.length === 3 ? intoList(make, variables, make.arg(2), make.arg(1)) : intoList(make, variables, make.arg(1));
};

const filter: Macro = (make) => intoList(make, oneVariable(make, noName), make.arg(0), make.arg(1));

const transformList: Macro = (make) => {
  const variables = twoVariables(make);
  return make.args.length === 4 ? intoList(make, variables, make.arg(3), make.arg(2)) : intoList(make, variables, make.arg(2));
};

/** @param keyed The loop's first variable is the key; else the value is a map of entries. */
const transformMap =
  (keyed: boolean): Macro =>
  (make) => {
    const variables = twoVariables(make);
    const hasFilter = make.args.length === 4;
    const entry = keyed ? [make.ident(variables.variable)] : [];
    return gather(make, variables, {
      init: { kind: "map", entries: [], at: make.at },
      step: make.call("cel.@mapInsert", make.accumulated, ...entry, make.arg(hasFilter ? 3 : 2)),
      filter: hasFilter ? make.arg(2) : undefined,
    });
  };

const optional =
  (flat: boolean): Macro =>
  (make, { name }) => {
    const variable = make.arg(0);
    if (variable.kind !== "ident") throw new MacroError(`${name}() variable name must be a simple identifier`, variable.at);
    const value = make.binding(variable.name, make.memberCall("value", make.target), make.arg(1));
    const then = flat ? value : make.call("optional.of", value);
    return make.call("_?_:_", make.memberCall("hasValue", make.target), then, make.call("optional.none"));
  };

const sortBy: Macro = (make) => {
  if (make.target.kind === "literal" || make.target.kind === "map" || make.target.kind === "struct")
    throw new MacroError("sortBy can only be applied to a list, identifier, comprehension, call or select expression", make.target.at);
  const input = "@__sortBy_input__";
  const keys = map(new Builder({ kind: "call", name: "map", target: make.ident(input), args: make.args, at: make.at }), {} as Call);
  return make.binding(input, make.target, make.memberCall("@sortByAssociatedKeys", make.ident(input), keys));
};

const has: Macro = (make) => {
  const operand = make.arg(0);
  if (operand.kind !== "select" || operand.test) throw new MacroError("invalid argument to has() macro", operand.at);
  return { ...operand, test: true, at: make.at };
};

const macros: Readonly<Record<string, Macro>> = {
  "has/1": has,
  ".all/2": all(oneVariable, 1),
  ".all/3": all(twoVariables, 2),
  ".exists/2": exists(oneVariable, 1),
  ".exists/3": exists(twoVariables, 2),
  ".exists_one/2": existsOne(oneVariable, 1),
  ".exists_one/3": existsOne(twoVariables, 2),
  ".existsOne/2": existsOne(oneVariable, 1),
  ".existsOne/3": existsOne(twoVariables, 2),
  ".map/2": map,
  ".map/3": map,
  ".filter/2": filter,
  ".transformList/3": transformList,
  ".transformList/4": transformList,
  ".transformMap/3": transformMap(true),
  ".transformMap/4": transformMap(true),
  ".transformMapEntry/3": transformMap(false),
  ".transformMapEntry/4": transformMap(false),
  ".optMap/2": optional(false),
  ".optFlatMap/2": optional(true),
  ".sortBy/2": sortBy,
};
