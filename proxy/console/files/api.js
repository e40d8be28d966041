// The one way pages reach the gateway: its own API, with the session's cookie and the token that
// proves a write comes from a page of ours.

let forgeryToken = "";

export function useForgeryToken(token) {
  forgeryToken = token;
}

/** A refusal in the gateway's words. `field` is what it is about, empty where it is about none. */
export class Refused extends Error {
  constructor(status, text, requestId) {
    const found = /^([A-Za-z_][\w.[\]]*): (.*)$/s.exec(text);
    super(found ? found[2] : text);
    this.status = status;
    this.field = found ? found[1] : "";
    this.requestId = requestId;
  }
}

async function refusalOf(reply) {
  let text = `The gateway answered ${reply.status}.`;
  try {
    text = (await reply.json()).error.message || text;
  } catch {
    // A proxy in front may answer in HTML.
  }
  return new Refused(reply.status, text, reply.headers.get("x-request-id") ?? "");
}

async function call(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-forgery-token"] = forgeryToken;
  if (body !== undefined) headers["content-type"] = "application/json";
  let reply;
  try {
    reply = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
  } catch {
    throw new Refused(0, "The gateway cannot be reached. Is it running, and are you online?", "");
  }
  if (!reply.ok) {
    const refused = await refusalOf(reply);
    if (reply.status === 401 && location.pathname !== "/" && !path.startsWith("/console/link")) {
      location.assign(`/?next=${encodeURIComponent(location.pathname + location.search)}`);
    }
    throw refused;
  }
  return reply.json();
}

/** A path with a query; what is empty is left out. */
export function withQuery(path, query = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) given.set(name, value);
  }
  const text = given.toString();
  return text ? `${path}?${text}` : path;
}

export const get = (path, query) => call("GET", withQuery(path, query));
export const post = (path, body) => call("POST", path, body);
export const put = (path, body) => call("PUT", path, body);
export const patch = (path, body) => call("PATCH", path, body);
export const remove = (path, body) => call("DELETE", path, body);

const PAGE_ROWS = 1000;
const ROWS_MAX = 5000;

/** All rows of a list that comes in pages, `ROWS_MAX` at most; `rowsOf` takes them out of a reply. */
export async function every(path, query, rowsOf, limit = PAGE_ROWS) {
  const rows = [];
  while (rows.length < ROWS_MAX) {
    const some = rowsOf(await get(path, { ...query, limit, offset: rows.length }));
    rows.push(...some);
    if (some.length < limit) break;
  }
  return rows;
}
