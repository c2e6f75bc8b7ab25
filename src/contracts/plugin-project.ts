import { z } from "zod";
import { jsonSchema, nameSchema } from "./common.js";
import { executionStatuses } from "./execution.js";

/** Languages that `exoarmur plugins new` and `plugins build` know (spec/cli.md, Plugins). */
export const pluginLanguages = ["assemblyscript", "rust", "c"] as const;

/** A language of the authoring kit. */
export type PluginLanguage = (typeof pluginLanguages)[number];

/** A path that stays in its folder: segments of plain characters, none of them `.` or `..`. */
const innerPath = z
  .string()
  .max(200)
  .regex(
    /^(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/,
    "expected a path inside the folder such as src/lib.rs",
  )
  .refine((path) => !path.startsWith("-"), "expected a path that does not begin with a dash");

/** `exoarmur.json` of a plugin's folder: how it is built. `source` is the file that the compiler is given. */
export const pluginProjectSchema = z.strictObject({
  $schema: z.string().optional(),
  schema: z.literal("exoarmur.plugin-project/v1"),
  language: z.enum(pluginLanguages),
  source: innerPath,
});

/** How a plugin is built. */
export type PluginProject = z.infer<typeof pluginProjectSchema>;

/**
 * One case of a plugin's tests, `cases/*.json`: a call, what it is granted, and how it must end. `files` are root-alias
 * paths with their UTF-8 content afterwards, null for a file that must not be there. `output` is a string for functions
 * that give text, base64 for those that give bytes. Members that are left out are not compared.
 */
export const pluginCaseSchema = z.strictObject({
  $schema: z.string().optional(),
  function: nameSchema,
  input: jsonSchema.optional(),
  grants: z.array(z.string().min(1).max(4096)).max(50).optional(),
  expect: z.strictObject({
    status: z.enum(executionStatuses),
    output: jsonSchema.optional(),
    message: z.string().max(1024).optional(),
    files: z.record(z.string().min(1).max(4096), z.string().nullable()).optional(),
  }),
});

/** One case of a plugin's tests. */
export type PluginCase = z.infer<typeof pluginCaseSchema>;
