import { DEFAULTS } from "./semantics.js";

/** Where the service is. */
export interface Target {
  url: string;
  tls: boolean;
  host: string;
}

/** Reads a target. Repeats nothing of it when it is wrong: it may be secret. */
export function readTarget(text: string): Target {
  const match = /^(?:(https?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:@?#[\]]+)(?::(\d{1,5}))?\/?$/.exec(text);
  const port = Number(match?.[3] ?? DEFAULTS.port);
  if (match?.[2] === undefined || port < 1 || port > 65535) {
    throw new TypeError("the target is not an address; write it like https://keeper.example:50051");
  }
  const scheme = match[1] ?? "http";
  return { url: `${scheme}://${match[2]}:${port}`, tls: scheme === "https", host: match[2] };
}

/** Throws when a token would be sent in the clear. */
export function checkToken(target: Target, hasToken: boolean, allowInsecure: boolean): void {
  const here = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(target.host);
  if (hasToken && !target.tls && !here && !allowInsecure) {
    throw new TypeError("a token would be sent in the clear; use https://, or allowInsecureToken if the network is safe");
  }
}
