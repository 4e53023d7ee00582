/** Elements, and JSON as elements. */

export function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name === "className" ? "class" : name, value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

/** JSON in two-space indentation, keys, text and numbers in spans of their own. */
export function coloured(value) {
  const text = JSON.stringify(value, undefined, 2) ?? "undefined";
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(/("(?:\\.|[^"\\])*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g)) {
    parts.push(text.slice(at, match.index));
    const kind = match[2] !== undefined ? "k" : match[1] !== undefined ? "s" : "n";
    parts.push(el("span", { className: kind }, match[1] ?? match[0]));
    at = match.index + (match[1] ?? match[0]).length;
  }
  parts.push(text.slice(at));
  return parts;
}

/** Small events in one line, larger ones indented. */
export function compact(json) {
  const line = JSON.stringify(json);
  return line.length <= 96
    ? coloured(json).map((part) => (typeof part === "string" ? part.replace(/\s*\n\s*/g, " ") : part))
    : coloured(json);
}
