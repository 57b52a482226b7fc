// The words that schemas of the API are made of.

import { z } from "zod";
import { hashPattern, jobPrefixPattern, namePattern } from "./ids.ts";
import { limits } from "./limits.ts";

export const name = z.string().regex(namePattern, "letters, digits and _ . : @ # -, at most 128");
export const labels = z
  .record(name, z.string().max(limits.labelBytesMax))
  .refine(
    (all) => Object.keys(all).length <= limits.labelsMax,
    `at most ${limits.labelsMax} labels`,
  );
export const milliseconds = z
  .int()
  .min(0)
  .max(10 ** 12);
export const hash = z.string().regex(hashPattern, "64 lower-case hex digits");
export const jobRef = z.string().regex(jobPrefixPattern, "a job id, or at least 4 digits of one");
