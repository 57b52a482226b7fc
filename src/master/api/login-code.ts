// A one-time code for a browser (login.ts W1): whoever has the token may make one.

import { SkeinError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Answer, ApiContext, Call } from "./handlers.ts";

export async function loginCode(
  { login, clock }: ApiContext,
  { request, reply }: Call<"loginCode">,
): Promise<Answer<"loginCode">> {
  const { authorization, host = "" } = request.headers;
  if (!authorization) {
    const message = "A browser's session makes no login codes (W5).";
    throw new SkeinError("unauthorized", message, { hint: "Run `skein ui`, which has the token." });
  }
  const code = login.newCode();
  reply.header("cache-control", "no-store");
  const expires = new Date(clock.wall() + limits.loginCodeMs).toISOString();
  // The host by which this master was reached now is one by which it can be reached.
  return { code, url: `http://${host}/login#${code}`, expires };
}
