/** HTTP/JSON requests in tests: what came back as it is, also when it is an error. */

export interface JsonAnswer {
  readonly status: number;
  /** Parsed when it is JSON, else the text. */
  readonly body: unknown;
}

export async function request(url: string, init: RequestInit = {}): Promise<JsonAnswer> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") ?? false;
  return { status: response.status, body: isJson ? JSON.parse(text) : text };
}

export function post(url: string, body: unknown): Promise<JsonAnswer> {
  return request(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}
